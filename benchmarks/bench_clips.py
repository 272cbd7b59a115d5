"""Tracking over held-out clips with motion and occlusion: J and F from a true box, and from the whole dialogue.

Every clip is a scene of the test split, 10 s at 7.5 frames a second. The thing is one that gets hidden, leaves
and comes back, or else moves. ``true_box`` prompts it with its true box in the first frame; ``dialogue`` says a command
that fits it, answers as the simulated person, and follows what the session then tracks. Identity is kept when, after
everything has moved, what the last masks cover is mostly that thing: told apart for things that a like one crossed.

    python benchmarks/bench_clips.py --save
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.timing import publish
from icseg import events
from icseg.assets import nano_models
from icseg.dialogue.detector_nano import load_detector
from icseg.dialogue.policy_candidates import CandidatesPolicy
from icseg.executor import InlineExecutor
from icseg.geometry import box_iou
from icseg.metrics import boundary_f, jaccard
from icseg.session import Session
from icseg.sim.scene import SceneSpec, make_scene
from icseg.sim.table import SimulatedTable, stream
from icseg.sim.things import KINDS
from icseg.sim.truth import SimFrame
from icseg.sim.user import SimulatedUser
from icseg.tracker.loading import load_tracker
from icseg.tracker.tracker import Tracker
from icseg.types import MaskBool, Prompt

FPS, SECONDS = 7.5, 10.0
SPEAK_AT, ANSWER_AFTER, STEPS_PER_FRAME = 7, 4, 3
MIN_AREA_PX = 400
"""Of 640x480: a thing of which less is seen in the first frame is not prompted."""
CROSSING_IOU = 0.05
LAST_FRAMES = 15
ARMS = ("true_box", "dialogue")


@dataclass(frozen=True)
class Clip:
    """One scene and the thing to follow."""

    frames: list[SimFrame]
    target_id: int
    event: str

    def is_crossed_by_like(self) -> bool:
        """A thing of its kind overlaps it in the picture at some time, and not yet in the first frame."""
        like = [n for n, t in self.frames[0].things.items() if t.kind == self.kind and n != self.target_id]
        return any(
            any(_overlap(sim, self.target_id, n) for sim in self.frames)
            and not _overlap(self.frames[0], self.target_id, n)
            for n in like
        )

    @property
    def kind(self) -> str:
        """Of the thing."""
        return self.frames[0].things[self.target_id].kind


def _overlap(sim: SimFrame, a: int, b: int) -> bool:
    boxes = sim.box_image_px(a), sim.box_image_px(b)
    return boxes[0] is not None and boxes[1] is not None and box_iou(boxes[0], boxes[1]) > CROSSING_IOU


def pick(spec: SceneSpec, frames: list[SimFrame]) -> Clip | None:
    """The thing of a scene that is worth following: hidden, leaving, or the one that moves farthest."""
    visible = [n for n in frames[0].things if frames[0].mask(n).sum() >= MIN_AREA_PX]
    for event, thing_id in (("hidden", spec.hidden_id), ("leaving", spec.leaving_id)):
        if thing_id in visible and (event == "leaving") == (spec.seed % 2 == 1):
            return Clip(frames, int(thing_id), event)
    moved = {n: _motion_px(frames, n) for n in visible}
    return Clip(frames, max(moved, key=lambda n: moved[n]), "moving") if moved else None


def _motion_px(frames: list[SimFrame], thing_id: int) -> float:
    boxes = [box for sim in frames[::5] if (box := sim.box_image_px(thing_id)) is not None]
    middles = np.array([((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in boxes])
    return float(np.ptp(middles, axis=0).max())


def from_true_box(tracker: Tracker, clip: Clip) -> list[tuple[SimFrame, MaskBool]]:
    """Every frame, from the true box in the first."""
    box = clip.frames[0].box_image_px(clip.target_id)
    assert box is not None
    state, out = tracker.new_state(), []
    for sim in clip.frames:
        first = sim is clip.frames[0]
        result = tracker.add_prompt(state, sim.frame, 1, Prompt(box)) if first else tracker.step(state, sim.frame)
        out.append((sim, result.objects[1].mask))
    return out


def from_dialogue(tracker: Tracker, policy: CandidatesPolicy, clip: Clip) -> list[tuple[SimFrame, MaskBool]]:
    """Every frame that the session tracked; none when it gave up."""
    session, user = Session(policy, tracker, executor=InlineExecutor()), SimulatedUser(clip.target_id)
    truth = {sim.frame.stamp_ns: sim for sim in clip.frames}
    asked: events.Asked | None = None
    answer_at, out = 0, []
    for number, sim in enumerate(clip.frames):
        session.push_frame(sim.frame)
        if number == SPEAK_AT:
            session.say(f"the {clip.kind}")
        if asked is not None and number >= answer_at:
            words, asked = user.answer(asked.question, sim), None
            session.say(words)
        for event in [event for _ in range(STEPS_PER_FRAME) for event in session.step()]:
            if isinstance(event, events.Asked):
                asked, answer_at = event, number + ANSWER_AFTER
            elif isinstance(event, events.Tracked):
                out.append((truth[event.stamp_ns], event.result.objects[1].mask))
    session.close()
    return out


def keeps_identity(followed: list[tuple[SimFrame, MaskBool]], target_id: int) -> bool | None:
    """Most of what the last masks cover of any thing is the target; None when it is out of sight to the end."""
    last = [(sim, mask) for sim, mask in followed[-LAST_FRAMES:] if sim.mask(target_id).sum() >= MIN_AREA_PX]
    if not last:
        return None
    counts = sum(np.bincount(sim.instance_ids[mask], minlength=256) for sim, mask in last)
    things = np.asarray(counts)[1:]
    return bool(things.max() > 0 and things.argmax() + 1 == target_id)


def summary(rows: list[dict[str, Any]], arm: str) -> dict[str, Any]:
    """Figures of one arm over some clips."""
    j, f = ([row[arm][name] for row in rows] for name in ("j", "f"))
    kept = [row[arm]["keeps_identity"] for row in rows if row[arm]["keeps_identity"] is not None]
    return {
        "clips": len(rows),
        "j": round(float(np.mean(j)), 4),
        "f": round(float(np.mean(f)), 4),
        "j_and_f": round(float(np.mean(j) + np.mean(f)) / 2, 4),
        "keeps_identity": round(float(np.mean(kept)), 4) if kept else None,
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=5000, help="scenes of the test split from here on")
    parser.add_argument("--engines", type=Path, default=nano_models(), help="folder with segmenter/ and detector/")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/bench_clips.json")
    args = parser.parse_args()
    tracker = load_tracker(args.engines / "segmenter", threads=args.threads)
    policy = CandidatesPolicy(load_detector(args.engines / "detector", threads=args.threads))
    rows: list[dict[str, Any]] = []
    seed, bar = args.first_seed, tqdm(total=args.clips, unit="clip")
    with SimulatedTable() as table:
        while len(rows) < args.clips:
            spec = make_scene(seed, split="test", ambiguous_kind=("mug", "can", "ball", "bottle")[seed % 4])
            seed += 1
            clip = pick(spec, list(stream(table, spec, fps=FPS, duration_s=SECONDS)))
            if clip is None:
                continue
            row: dict[str, Any] = {
                "seed": spec.seed,
                "kind": clip.kind,
                "event": clip.event,
                "is_crossed_by_like": clip.is_crossed_by_like(),
            }
            followed = {"true_box": from_true_box(tracker, clip), "dialogue": from_dialogue(tracker, policy, clip)}
            for arm, frames in followed.items():
                js = [jaccard(mask, sim.mask(clip.target_id)) for sim, mask in frames]
                fs = [boundary_f(mask, sim.mask(clip.target_id)) for sim, mask in frames]
                row[arm] = {
                    "j": round(float(np.mean(js)), 4) if js else 0.0,
                    "f": round(float(np.mean(fs)), 4) if fs else 0.0,
                    "keeps_identity": keeps_identity(frames, clip.target_id) if frames else False,
                }
            rows.append(row)
            bar.update()
    bar.close()
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[f"event {row['event']}"].append(row)
        groups[f"kind {row['kind']}"].append(row)
        if row["is_crossed_by_like"]:
            groups["crossed by a like thing"].append(row)
    results = {
        "what": "J and F, 640x480, 75 frames a clip, motion and occlusion; means over frames, then over clips",
        "threads": args.threads,
        "first_seed": args.first_seed,
        "kinds_known": list(KINDS),
        **{arm: summary(rows, arm) for arm in ARMS},
        "groups": {name: {arm: summary(groups[name], arm) for arm in ARMS} for name in sorted(groups)},
        "clips": rows,
    }
    publish("bench_clips", results, save=args.save)


if __name__ == "__main__":
    main()
