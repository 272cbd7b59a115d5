"""``icseg demo``: a camera over a simulated table, a person who says "the mug", a question, and a tracked mask.

Nothing here tells the runtime what it should see: the simulation's exact masks are used by the simulated person and,
after the fact, to judge the result.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from icseg.cli.options import add_options, models_of
from icseg.cli.people import Person, TerminalPerson
from icseg.cli.results import ResultFolder, write_png
from icseg.errors import BackendError
from icseg.evaluation.metrics import jaccard
from icseg.mask_ops.drawing import contact_sheet
from icseg.models import Models
from icseg.session import events
from icseg.session.executor import InlineExecutor
from icseg.session.session import Session
from icseg.sim.truth import SimFrame
from icseg.sim.user import SimulatedUser, matching_ids
from icseg.types import ImageU8, TrackResult

GOOD_J = 0.8
FPS = 15.0
SPEAK_S = 1.0
ANSWER_S = 1.0
"""Between a question and its answer, by the camera's clock: the target is a second in the past when it is known."""
NOTHING = 0
"""What a person means who asks for a thing that is not on the table: no id."""
STEPS_PER_FRAME = 2
"""Tracker steps that fit between two frames of the camera: with more than one it can catch up."""


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "demo", help='watch it ask and track on a simulated table ("the mug")', description=__doc__
    )
    parser.add_argument("--seed", type=int, default=0, help="scene, of those no model was trained on (default 0)")
    parser.add_argument("--seeds", type=int, metavar="N", help="run scenes 0..N-1 and judge each")
    parser.add_argument("--command", help='what to say (default: ask you at a terminal, else "the mug")')
    parser.add_argument(
        "--simulated-user", action="store_true", help="let the simulated person answer, also at a terminal"
    )
    parser.add_argument("--clip", action="store_true", help="use the recorded clip even if the renderer works")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the scene (default 10)")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="folder for the results (default out/demo)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON document")
    add_options(parser)
    parser.set_defaults(run=run)


@dataclass(frozen=True, slots=True)
class Scene:
    """A stream with truth: where it comes from, how many frames, and the frames."""

    name: str
    count: int
    frames: Iterator[SimFrame]


def open_scene(args: argparse.Namespace, seed: int) -> Scene:
    """The simulated table, or the recorded clip where there is no renderer (and says so)."""
    from icseg.sim.clip_file import load_clip

    if not args.clip:
        from icseg.sim.scene import make_scene
        from icseg.sim.table import SimulatedTable, stream

        try:
            table = SimulatedTable()
            spec = make_scene(seed, split="test", ambiguous_kind="mug")
            frames = stream(table, spec, fps=FPS, duration_s=args.seconds)
            return Scene(f"simulated table, test scene {seed}", round(FPS * args.seconds), frames)
        except BackendError as error:
            print(f"icseg: {error}\nicseg: playing the recorded clip instead", file=sys.stderr)
    clip = load_clip()
    return Scene("recorded clip of the simulated table", len(clip), iter(clip))


class SimulatedPerson:
    """The simulated user, looking at the same camera."""

    def __init__(self, target_id: int) -> None:
        self.user = SimulatedUser(target_id)
        self.frame: SimFrame | None = None

    def answer(self, asked: events.Asked) -> str | None:
        """Answer from what the camera shows now."""
        return self.user.answer(asked.question, self.frame) if self.frame is not None else None


class Demo:
    """One scene from the first frame to the verdict."""

    def __init__(self, args: argparse.Namespace, models: Models, scene: Scene, seed: int, folder: Path) -> None:
        self.args, self.scene, self.seed, self.settings = args, scene, seed, models.effective.record()
        self.is_typed = sys.stdin.isatty() and not (args.simulated_user or args.json or args.seeds)
        self.command: str = args.command or ("" if self.is_typed else "the mug")
        self.person: Person = TerminalPerson()
        self.session = Session(models.policy, models.tracker, models.settings.session, executor=InlineExecutor())
        self.results = ResultFolder(folder, self.command or "typed", FPS, is_image=False, write_masks=False)
        self.truth: dict[int, SimFrame] = {}
        self.meant: int | None = None
        self.caption = "camera"
        self.latest: TrackResult | None = None
        self.scores: list[tuple[int, float]] = []
        self.pictures: list[ImageU8] = []
        self.picked = set(np.linspace(0, scene.count - 1, min(12, scene.count)).astype(int).tolist())
        self.answer_at_ns: int | None = None
        self.asked: events.Asked | None = None

    def run(self) -> dict[str, Any]:
        """Play the scene; returns the summary."""
        bar = tqdm(
            total=self.scene.count,
            desc="camera",
            unit="frame",
            disable=self.args.json or not sys.stderr.isatty(),
            leave=False,
        )
        for sim in self.scene.frames:
            self.truth[sim.frame.stamp_ns] = sim
            self.session.push_frame(sim.frame)
            self._speak(sim)
            for _ in range(STEPS_PER_FRAME):
                for event in self.session.step():
                    self._take(event)
            self._draw(sim)
            bar.update()
        bar.close()
        self.session.close()
        return self._finish()

    def _speak(self, sim: SimFrame) -> None:
        now_ns = sim.frame.stamp_ns
        if isinstance(self.person, SimulatedPerson):
            self.person.frame = sim
        if now_ns >= SPEAK_S * 1e9 and self.answer_at_ns is None:
            self.answer_at_ns = 0
            if self.is_typed and not self.command:
                write_png(self.results.folder / "now.png", sim.frame.image)
                print(f"This is what the camera sees: {self.results.folder / 'now.png'}")
                self.command = input("Say what you mean, for example: the mug\n> ").strip() or "the mug"
            if not self.is_typed:
                self.meant = self._choose(sim)
                self.person = SimulatedPerson(self.meant if self.meant is not None else NOTHING)
                self.person.frame = sim
            self.caption = f"person: {self.command}"
            self.session.say(self.command)
        elif self.asked is not None and self.answer_at_ns and now_ns >= self.answer_at_ns:
            asked, self.asked = self.asked, None
            words = self.person.answer(asked)
            if words is not None:
                self.caption = f"person: {words}"
                self.session.say(words)

    def _choose(self, sim: SimFrame) -> int | None:
        """Which of the things that the command fits is meant: drawn by the seed, for the simulated person only."""
        fitting = sorted(matching_ids(self.command, sim))
        return fitting[int(np.random.default_rng(self.seed).integers(len(fitting)))] if fitting else None

    def _take(self, event: events.Event) -> None:
        self.results.log.append(event)
        say = self._print
        match event:
            case events.Asked():
                self.caption, self.asked = f"icseg: {event.question}", event
                self.answer_at_ns = event.stamp_ns + int(ANSWER_S * 1e9)
                if not self.is_typed:
                    say(f"icseg:  {event.question}   ({event.timings_ms['response']:.0f} ms)")
            case events.Thinking():
                say(f"person: {event.command}")
            case events.Answered():
                say(f"person: {event.text}")
            case events.Targeted():
                self.caption = f"tracking: {self.command}"
                if self.meant is None:
                    self.meant = self._under(event)
            case events.Tracked():
                self._judge(event)
            case events.Lost():
                self.caption = "lost sight of it, searching"
                say(f"icseg:  lost sight of it at {event.stamp_ns / 1e9:.1f} s, searching")
            case events.Found():
                self.caption = "found it again"
                say(f"icseg:  found it again at {event.stamp_ns / 1e9:.1f} s")
            case events.GaveUp():
                self.caption = event.reason
                say(f"icseg:  gave up: {event.reason}")
            case events.Failed() | events.Rejected() | events.Degraded():
                say(f"icseg:  {event.error}")

    def _print(self, text: str) -> None:
        if not self.args.json:
            tqdm.write(text)

    def _under(self, target: events.Targeted) -> int | None:
        """The thing that a typed dialogue meant: the one that fills most of the target's box."""
        box = target.prompt.box_image_px
        assert box is not None, "a policy points with a box"
        x0, y0, x1, y1 = (round(value) for value in box)
        inside = self.truth[target.stamp_ns].instance_ids[y0:y1, x0:x1]
        counts = np.bincount(inside[inside > 0].ravel()) if (inside > 0).any() else np.zeros(1)
        return int(counts.argmax()) or None

    def _judge(self, event: events.Tracked) -> None:
        self.latest = event.result
        if self.meant is None:
            return
        predicted = event.result.objects[1].mask
        true = self.truth[event.stamp_ns].mask(self.meant)
        self.scores.append((event.stamp_ns, jaccard(predicted, true)))

    def _draw(self, sim: SimFrame) -> None:
        is_now = self.latest is not None and self.latest.stamp_ns == sim.frame.stamp_ns
        picture = self.results.add_frame(sim.frame, self.latest if is_now else None, self.caption)
        if len(self.truth) - 1 in self.picked:
            self.pictures.append(picture)

    def _finish(self) -> dict[str, Any]:
        meant = self.truth[next(iter(self.truth))].things.get(self.meant) if self.meant is not None else None
        mean_j = float(np.mean([score for _, score in self.scores])) if self.scores else 0.0
        log = self.results.log
        summary = {
            "scene": self.scene.name,
            "seed": self.seed,
            "command": self.command,
            "meant": f"the {meant.size} {meant.colour} {meant.kind}" if meant is not None else None,
            "questions": [event.question for event in log if isinstance(event, events.Asked) and not event.is_repeat],
            "answers": [event.text for event in log if isinstance(event, events.Answered)],
            "frames_tracked": len(self.scores),
            "mean_j": round(mean_j, 4),
            "lost": sum(isinstance(event, events.Lost) for event in log),
            "passed": mean_j >= GOOD_J,
            "out": str(self.results.folder),
        }
        write_png(self.results.folder / "contact_sheet.png", contact_sheet(self.pictures))
        self.results.finish(
            {
                **summary,
                "settings": self.settings,
                "j_by_stamp_s": [(round(ns / 1e9, 3), round(j, 3)) for ns, j in self.scores],
            }
        )
        return summary


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 only if what was meant was tracked with a mean J of at least 0.8, in every scene."""
    if args.seed < 0 or not 4 <= args.seconds < math.inf or (args.seeds is not None and args.seeds < 1):
        raise ValueError("demo: expected --seed >= 0, --seconds >= 4 and --seeds >= 1")
    seeds = range(args.seeds) if args.seeds is not None else [args.seed]
    models, results = models_of(args), []
    for seed in seeds:
        folder = args.out / f"seed{seed}" if args.seeds is not None else args.out
        summary = Demo(args, models, open_scene(args, seed), seed, folder).run()
        results.append(summary)
        if not args.json:
            verdict = "passed" if summary["passed"] else f"FAILED (needs {GOOD_J})"
            print(f"{summary['scene']}: meant {summary['meant']}; mean J {summary['mean_j']:.3f} over ", end="")
            print(f"{summary['frames_tracked']} frames; {verdict}; see {folder}/overlay.mp4, contact_sheet.png")
    if args.json:
        print(json.dumps(results if args.seeds is not None else results[0]))
    return 0 if all(summary["passed"] for summary in results) else 1
