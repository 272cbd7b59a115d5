"""Tracking over held-out clips with motion and occlusion: J and F from a true box, and from the whole dialogue.

Every clip is a scene of the test split, 10 s at 7.5 frames a second. The thing is one that gets hidden, leaves
and comes back, or else moves.

- ``true_box``: a session that is shown the true box in the first frame, and then looks whether the mask is still right.
- ``dialogue``: a command that fits it, the simulated person's answers, and what the session then tracks.
- ``tracker_alone``: the tracker prompted with the true box, and nobody who looks again.
- ``as_sam2``: as ``tracker_alone`` with every frame remembered and shown (``TrackerConfig``'s defaults), on every third
  clip.
- ``unseen_kinds``: ``true_box`` and ``tracker_alone`` on shapes that no training saw (``sim/unnamed.py``).

Identity is kept when, after everything has moved, what the last masks cover is mostly that thing: told apart for things
that a like one crossed. The clips followed worst from a true box are drawn beside the model.

    python benchmarks/bench_clips.py --save
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.clips import MIN_AREA_PX, Clip, draw_clips
from benchmarks.failures import Failures
from benchmarks.timing import publish
from icseg import events
from icseg.assets import nano_models
from icseg.detector.nano import load_detector
from icseg.dialogue.candidates.policy import CandidatesPolicy
from icseg.evaluation.metrics import boundary_f, jaccard
from icseg.session.executor import InlineExecutor
from icseg.session.session import Session
from icseg.sim.playing import Script, play
from icseg.sim.table import SimulatedTable
from icseg.sim.truth import SimFrame
from icseg.sim.unnamed import TEST_UNNAMED
from icseg.sim.user import SimulatedUser
from icseg.tracker.loading import load_tracker
from icseg.tracker.state import TrackerConfig
from icseg.tracker.tracker import Tracker
from icseg.types import MaskBool, Prompt

SPEAK_AT, ANSWER_AFTER, STEPS_PER_FRAME = 7, 4, 3
LAST_FRAMES = 15
KINDS_IN_SEVERAL = ("mug", "can", "ball", "bottle")
AS_SAM2_EVERY = 3
ARMS = ("true_box", "dialogue", "tracker_alone")


def from_true_box(tracker: Tracker, policy: CandidatesPolicy, clip: Clip) -> list[tuple[SimFrame, MaskBool]]:
    """Every frame, by a session that is shown the true box in the first; empty where it tracked nothing."""
    session = Session(policy, tracker, executor=InlineExecutor())
    box, out = clip.frames[0].box_image_px(clip.target_id), []
    assert box is not None
    for sim in clip.frames:
        session.push_frame(sim.frame)
        if sim is clip.frames[0]:
            session.point_at(box)
        masks = [e.result.objects[1].mask for e in session.step() if isinstance(e, events.Tracked)]
        out.append((sim, masks[0] if masks else np.zeros(sim.frame.hw, np.bool_)))
    session.close()
    return out


def by_tracker_alone(tracker: Tracker, clip: Clip) -> list[tuple[SimFrame, MaskBool]]:
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
    script = Script(f"the {clip.thing.kind}", SPEAK_AT, ANSWER_AFTER, STEPS_PER_FRAME)
    played = play(session, clip.frames, script, lambda asked, frame: user.answer(asked.question, frame))
    return [(sim, event.result.objects[1].mask) for sim, event in played if isinstance(event, events.Tracked)]


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


def judged(frames: list[tuple[SimFrame, MaskBool]], target_id: int) -> dict[str, Any]:
    """J, F and identity over the frames of one clip; zero when there is none."""
    js = [jaccard(mask, sim.mask(target_id)) for sim, mask in frames]
    fs = [boundary_f(mask, sim.mask(target_id)) for sim, mask in frames]
    return {
        "j": round(float(np.mean(js)), 4) if js else 0.0,
        "f": round(float(np.mean(fs)), 4) if fs else 0.0,
        "keeps_identity": keeps_identity(frames, target_id) if frames else False,
    }


def about(clip: Clip) -> dict[str, Any]:
    """What a row says about its clip."""
    return {"seed": clip.seed, "kind": clip.thing.kind, "groups": clip.groups()}


def goals_of(results: dict[str, Any]) -> list[dict[str, Any]]:
    """What was aimed at, and what was reached."""
    crossed = results["groups"].get("crossed by a like thing", {})
    reached = (
        ("J&F from a true box", results["true_box"]["j_and_f"], 0.85),
        ("J&F from the whole dialogue", results["dialogue"]["j_and_f"], 0.80),
        ("identity kept where a like thing crossed, from a true box", _identity(crossed, "true_box"), 0.80),
        ("identity kept where a like thing crossed, dialogue", _identity(crossed, "dialogue"), 0.80),
        ("J on unseen kinds from a true box", results["unseen_kinds"]["true_box"]["j"], 0.75),
    )
    return [
        {"what": what, "value": value, "goal": goal, "is_met": value is not None and value >= goal}
        for what, value, goal in reached
    ]


def _identity(group: dict[str, Any], arm: str) -> float | None:
    return group[arm]["keeps_identity"] if group else None


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--unseen-clips", type=int, default=24, help="of kinds of things that no training saw")
    parser.add_argument("--first-seed", type=int, default=5000, help="scenes of the test split from here on")
    parser.add_argument("--engines", type=Path, default=nano_models(), help="folder with segmenter/ and detector/")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--save",
        action="store_true",
        help="write results/bench_clips.json, and failures.jpg beside the model",
    )
    args = parser.parse_args()
    tracker = load_tracker(args.engines / "segmenter", threads=args.threads)
    as_sam2 = load_tracker(args.engines / "segmenter", threads=args.threads, config=TrackerConfig())
    policy = CandidatesPolicy(load_detector(args.engines / "detector", threads=args.threads))
    rows, unseen, failures = [], [], Failures()
    with (
        SimulatedTable(has_unnamed=True) as table,
        tqdm(total=args.clips + args.unseen_clips, unit="clip", disable=not sys.stderr.isatty()) as bar,
    ):
        for clip in draw_clips(table, args.clips, args.first_seed, KINDS_IN_SEVERAL):
            followed = {
                "true_box": from_true_box(tracker, policy, clip),
                "dialogue": from_dialogue(tracker, policy, clip),
                "tracker_alone": by_tracker_alone(tracker, clip),
            }
            if len(rows) % AS_SAM2_EVERY == 0:
                followed["as_sam2"] = by_tracker_alone(as_sam2, clip)
            failures.add(clip, followed["true_box"])
            rows.append(about(clip) | {arm: judged(frames, clip.target_id) for arm, frames in followed.items()})
            bar.update()
        names = tuple(TEST_UNNAMED)
        for clip in draw_clips(table, args.unseen_clips, args.first_seed, names, names):
            followed = {
                "true_box": from_true_box(tracker, policy, clip),
                "tracker_alone": by_tracker_alone(tracker, clip),
            }
            unseen.append(about(clip) | {arm: judged(frames, clip.target_id) for arm, frames in followed.items()})
            bar.update()
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        for name in row["groups"]:
            groups[name].append(row)
    compared = [row for row in rows if "as_sam2" in row]
    results: dict[str, Any] = {
        "what": "J and F, 640x480, 75 frames a clip, motion and occlusion; means over frames, then over clips",
        "threads": args.threads,
        "first_seed": args.first_seed,
        **{arm: summary(rows, arm) for arm in ARMS},
        "unseen_kinds": {arm: summary(unseen, arm) for arm in ("true_box", "tracker_alone")},
        "what_is_remembered": {arm: summary(compared, arm) for arm in ("tracker_alone", "as_sam2")},
        "groups": {name: {arm: summary(groups[name], arm) for arm in ARMS} for name in sorted(groups)},
    }
    results["goals"] = goals_of(results)
    publish("bench_clips", results | {"clips": rows, "unseen_clips": unseen}, save=args.save)
    if args.save:
        failures.draw(args.engines / "segmenter" / "failures.jpg")


if __name__ == "__main__":
    main()
