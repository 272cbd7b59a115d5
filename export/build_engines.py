"""From weights to engines, proven equal: one folder that ``icseg ... --engines`` runs on.

    python export/build_engines.py --int8
    python export/build_engines.py --segmenter sam2.1_hiera_tiny.pt --resolution 512 --int8 --calibration frames/
    python export/build_engines.py --int8 --dry-run

Stages that are finished are not done again unless something that they depend on changed; Ctrl-C at any time, and the
same command goes on. Every build ends with a verification against FP32 over long streams, and fails below its gates.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from export.build_detector import detector_stage
from export.build_folder import PLANS, TYPED, BuildFolder
from export.build_options import JETSON, ORT, TARGETS, BuildOptions
from export.build_plans import ON_DEVICE, PlanBuild, is_jetson, needs_source, target_of_this_machine
from export.calibration import SIMULATED
from export.ladder import DEFAULT_FRAMES
from export.stages import Done, Ledger, Stage
from export.verify import chosen_gates
from icseg.errors import IcsegError
from icseg.inference.manifest import FLOAT16, FLOAT32, INT8, MANIFEST_NAME

if TYPE_CHECKING:
    from export.build_policy import PolicyBuild
    from export.policy.plan import PolicyOptions

NANO = "nano"
NONE = "none"
POLICY_PRECISION = {INT8: "int8_sq", FLOAT16: "fp16", FLOAT32: "int4_awq"}
AUTO = "auto"
POLICY = "policy"


def parse(argv: Sequence[str] | None) -> tuple[argparse.Namespace, BuildOptions]:
    """The command line.

    Raises:
        ConfigError, ValueError: a value is out of range.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    models = parser.add_argument_group("models")
    models.add_argument(
        "--segmenter",
        default=NANO,
        metavar="MODEL",
        help="nano, a folder of save_pretrained, a .pt of Meta's, or a hub id in the local cache (default nano)",
    )
    models.add_argument(
        "--policy",
        metavar="MODEL",
        help="nano: its detector goes along (the default with a nano segmenter); none; or a Qwen3-VL folder or hub id, "
        "for TensorRT Edge-LLM: INT8 with --int8, FP16 with --fp16, else INT4",
    )
    models.add_argument("--resolution", type=int, help="side of the input in pixels (default: that of the weights)")
    models.add_argument("--memory-slots", type=int, default=7, help="frames that memory attention sees (default 7)")
    precision = parser.add_argument_group("precision").add_mutually_exclusive_group()
    precision.add_argument("--fp32", dest="precision", action="store_const", const=FLOAT32, help="the default")
    precision.add_argument("--fp16", dest="precision", action="store_const", const=FLOAT16, help="but for scores")
    precision.add_argument("--int8", dest="precision", action="store_const", const=INT8, help="Linear and Conv layers")
    parser.add_argument(
        "--target",
        choices=(AUTO, *TARGETS),
        default=AUTO,
        help="auto: this machine's TensorRT if it has one and a GPU, else ONNX Runtime; jetson-orin: on another "
        "machine all that can be made off the device, and there the rest",
    )
    parser.add_argument("--compute-capability", metavar="X.Y", help="of the GPU for plans (default: this machine's)")
    parser.add_argument(
        "--calibration", default=SIMULATED, metavar="DIR", help="folder of your frames, or sim (default)"
    )
    parser.add_argument("--output", type=Path, help="folder (default engines/MODEL-PRECISION)")
    checks = parser.add_argument_group("verification")
    checks.add_argument("--no-verify", action="store_true", help="verify nothing")
    checks.add_argument("--verify-frames", type=int, default=DEFAULT_FRAMES, help=f"default {DEFAULT_FRAMES}")
    checks.add_argument("--min-iou", type=float, help="gate: mean IoU with FP32 over the streams")
    checks.add_argument("--max-loss", type=float, help="gate: loss of J&F against the truth")
    parser.add_argument("--threads", type=int, default=0, help="of ONNX Runtime (default: its choice)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and why, and do nothing")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON document")
    args = parser.parse_args(argv)
    chosen = args.precision or FLOAT32
    label = Path(args.segmenter).name.removesuffix(".pt")
    options = BuildOptions(
        segmenter=args.segmenter,
        policy=args.policy or (NANO if args.segmenter == NANO else NONE),
        target=target_of_this_machine() if args.target == AUTO else args.target,
        precision=chosen,
        resolution=args.resolution,
        memory_slots=args.memory_slots,
        calibration=args.calibration,
        output=args.output or Path("engines") / "-".join(filter(None, (label, str(args.resolution or ""), chosen))),
        frames=0 if args.no_verify else args.verify_frames,
        gates=chosen_gates(args.min_iou, args.max_loss),
        threads=args.threads,
        compute_capability=args.compute_capability,
    )
    return args, options


def stages_of(options: BuildOptions, *, is_quiet: bool) -> list[Stage]:
    """All stages in order.

    Raises:
        IcsegError, ValueError: the weights, the calibration frames or TensorRT are not there, or are not what they
            should be.
    """
    stages: list[Stage] = []
    built = BuildFolder(options.output)
    prepared = built.manifest(TYPED) if (options.output / TYPED / MANIFEST_NAME).is_file() else None
    if needs_source(options, prepared):
        # imported here, because torch is not needed on a device that goes on from typed graphs
        import transformers

        from export.build_segmenter import SegmenterBuild
        from export.segmenter_source import find_segmenter

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
        source = find_segmenter(options.segmenter, options.resolution)
        stages = SegmenterBuild(options, source, is_quiet).stages()
        if options.policy == NANO:
            stages.insert(0, detector_stage())
    if options.target != ORT:
        stages += PlanBuild(options, is_quiet).stages(stages)
    return stages


def policy_plan(options: BuildOptions) -> dict[str, Any] | None:
    """What would be done for a vision-language model, checked as far as it can be; None where there is none to build.

    Raises:
        IcsegError, ValueError: it is not there, or not one that Edge-LLM takes.
    """
    if options.policy in (NANO, NONE) or _goes_on_from_policy(options):
        return None
    # imported here, as it needs torch
    from export.build_policy import dry_run

    return dry_run(_policy_options(options))


def make_policy(options: BuildOptions) -> PolicyBuild | None:
    """The vision-language model in ``policy/``, if one was asked for; on the device, what is left of it.

    Raises:
        IcsegError, ValueError: as ``build_policy``.
    """
    if options.policy in (NANO, NONE):
        return None
    from export.build_policy import build_policy, finish_policy

    if _goes_on_from_policy(options):
        return finish_policy(options.output / POLICY)
    return build_policy(_policy_options(options))


def _policy_options(options: BuildOptions) -> PolicyOptions:
    from export.policy.plan import PolicyOptions

    return PolicyOptions(options.policy, options.output / POLICY, POLICY_PRECISION[options.precision])


def _goes_on_from_policy(options: BuildOptions) -> bool:
    return options.target == JETSON and is_jetson() and (options.output / POLICY).is_dir()


def build(
    options: BuildOptions, *, is_quiet: bool = True, tell: Callable[[Done], object] = lambda _done: None
) -> list[Done]:
    """Do every stage that is not done.

    Args:
        options: what was asked for.
        is_quiet: no progress bars.
        tell: called with what became of each stage.

    Raises:
        IcsegError, ValueError: a stage failed; what was finished before it stays.
    """
    ledger, done = Ledger(options.output), []
    for stage in stages_of(options, is_quiet=is_quiet):
        done.append(ledger.run(stage))
        tell(done[-1])
    return done


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry: 0 when everything was built and verified, 2 when not, 130 after Ctrl-C."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="torch")
    try:
        args, options = parse(argv)
        if args.dry_run:
            return _dry_run(options, is_json=args.json)
        is_quiet = args.json or not sys.stderr.isatty()
        policy_plan(options)  # what is wrong with it is better said now than when all else is built
        done = build(options, is_quiet=is_quiet, tell=lambda last: None if args.json else _tell(last))
        policy = make_policy(options)
    except (IcsegError, ValueError) as error:
        print(f"build_engines: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "build_engines: interrupted; finished stages are kept, the same command goes on from there", file=sys.stderr
        )
        return 130
    if args.json:
        made = {"output": str(options.output), "stages": [asdict(one) for one in done]}
        if policy is not None:
            made |= {"policy_is_built": policy.is_built, "policy_not_built_because": policy.not_built_because}
        print(json.dumps(made))
    else:
        print(_what_next(options))
        if policy is not None:
            reasons = "; ".join(policy.not_built_because)
            print(f"policy: {'built' if policy.is_built else f'prepared, not built: {reasons}'}")
    return 0


def _what_next(options: BuildOptions) -> str:
    if options.target == JETSON and not is_jetson():
        return f"prepared {options.output}; what is left to do on the device is in {options.output / TYPED / ON_DEVICE}"
    folder = options.output if options.target == ORT else options.output / PLANS
    return f"built {folder}; try: icseg demo --engines {folder}"


def _tell(done: Done) -> None:
    print(f"{done.name:14} {f'{done.seconds:8.1f} s' if done.ran else '    done before'}", file=sys.stderr)


def _dry_run(options: BuildOptions, *, is_json: bool) -> int:
    ledger = Ledger(options.output)
    plan = [(stage, ledger.reason_to_run(stage)) for stage in stages_of(options, is_quiet=True)]
    policy = policy_plan(options)
    if is_json:
        rows = [
            {"stage": stage.name, "does": stage.does, "reason": reason, "outputs": list(stage.outputs)}
            for stage, reason in plan
        ]
        print(json.dumps({"output": str(options.output), "plan": rows, "policy": policy}, default=str))
        return 0
    for stage, reason in plan:
        print(f"{stage.name:14} {'run: ' + reason if reason else 'done before'}")
        print(f"{'':14} {stage.does}")
        for name in stage.outputs:
            print(f"{'':14}   {options.output / name}")
    if policy is not None:
        print(json.dumps({"policy": policy}, indent=1, default=str))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
