"""``icseg segment SOURCE "the mug"``: segment what was said, or what a box shows, in an image, a video or a camera."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from icseg.cli.live_job import LiveJob
from icseg.cli.options import add_options, models_of
from icseg.cli.people import Person, PreparedPerson, TerminalPerson
from icseg.cli.recorded_job import PREFERRED, RecordedJob
from icseg.cli.results import ResultFolder
from icseg.cli.sources import Source, open_source
from icseg.models import Models
from icseg.session import events
from icseg.types import TrackResult


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "segment",
        help="segment what you say in an image, folder, video or camera",
        description=__doc__,
        epilog='example: icseg segment kitchen.mp4 "the mug" --answers "the red one" --out out/kitchen',
    )
    parser.add_argument("source", help="image, folder of frames, video file, or camera number")
    parser.add_argument("command", nargs="?", default="", help='what to segment, e.g. "the mug"')
    parser.add_argument(
        "--box",
        nargs=4,
        type=float,
        metavar=("X0", "Y0", "X1", "Y1"),
        help="instead of a command: a box around the thing, pixels of the frame at --at; nothing is asked",
    )
    parser.add_argument("--answers", nargs="*", help="answers to its questions, in order (default: asks you)")
    parser.add_argument("--out", type=Path, default=Path("out/segment"), help="folder for the results")
    parser.add_argument("--at", type=float, default=0.0, metavar="S", help="speak or point after this many seconds")
    parser.add_argument("--fps", type=float, default=15.0, help="frames a second of a folder (default 15)")
    parser.add_argument("--max-frames", type=int, help="stop after this many frames")
    parser.add_argument("--no-masks", action="store_true", help="no PNG per frame")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON document")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command; 0 when the target was segmented in at least one frame."""
    if (args.box is None) == (not args.command):
        raise ValueError('segment: expected either a command, e.g. "the mug", or --box X0 Y0 X1 Y1')
    if not 0 < args.fps < 1000 or not 0 <= args.at < math.inf or (args.max_frames is not None and args.max_frames < 1):
        raise ValueError("segment: expected --fps in 0..1000, --at >= 0 and --max-frames >= 1")
    source = open_source(args.source, fps=args.fps)
    models = models_of(args, weaker=None if source.is_live else PREFERRED)
    person: Person = TerminalPerson() if args.answers is None else PreparedPerson(args.answers)
    results = ResultFolder(
        args.out, args.command, source.fps, is_image=source.count == 1, write_masks=not args.no_masks
    )
    worker = (LiveJob if source.is_live else RecordedJob)(args, models, source, person, results)
    try:
        error = worker.run()
    except KeyboardInterrupt:
        error = "interrupted"
    return _report(args, source, models, results, worker.reversed, error)


def _report(
    args: argparse.Namespace,
    source: Source,
    models: Models,
    results: ResultFolder,
    backwards: list[TrackResult],
    error: str | None,
) -> int:
    tracked = [event.result for event in results.log if isinstance(event, events.Tracked)] + backwards
    seen = sum(not thing.is_lost for result in tracked for thing in result.objects.values())
    questions = [event.question for event in results.log if isinstance(event, events.Asked) and not event.is_repeat]
    ended = next((e.reason for e in reversed(results.log) if isinstance(e, events.GaveUp)), None)
    failed = next((e.error for e in reversed(results.log) if isinstance(e, events.Failed)), error)
    summary = {
        "source": source.name,
        "command": args.command,
        "questions": questions,
        "frames_tracked": len(tracked),
        "frames_visible": seen,
        "gave_up": ended,
        "error": failed,
        "out": str(args.out),
    }
    results.finish({"source": source.name, "command": args.command, "settings": models.effective.record()})
    if args.json:
        print(json.dumps(summary))
    else:
        print(f"{summary['frames_tracked']} frames tracked, visible in {seen}; results in {args.out}")
    for label, text in (("gave up", ended), ("error", failed)):
        if text:
            print(f"icseg: {label}: {text}", file=sys.stderr)
    return 0 if seen and not failed else 1
