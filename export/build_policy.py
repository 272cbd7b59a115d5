"""Build the policy's vision-language model for TensorRT Edge-LLM: merge, quantize, export; on the device, engines too.

    python -m export.build_policy Qwen/Qwen3-VL-2B-Instruct --output engines/qwen3-vl-2b/policy
    python -m export.build_policy --finish engines/qwen3-vl-2b/policy       (on the Jetson, after copying the folder)

Finished stages are not done again. ``--dry-run`` prints every command and starts nothing. See docs/policy.md.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from export.policy.edge_llm import EdgeLlm, find_edge_llm, planned_edge_llm
from export.policy.memory import MemoryNeed, available_memory, check_needs, memory_needs
from export.policy.models import find_policy, read_checkpoint
from export.policy.plan import CHECKPOINT, LOGS, PolicyOptions, PolicyPlan, plan_policy
from export.policy.platform_check import Platform, detect_platform
from export.program import Program, show_progress
from export.stages import Ledger, Stage
from icseg.errors import ConfigError, IcsegError
from icseg.policy_server.entry import PolicyEntry, load_entry, write_entry
from icseg.policy_server.process import ServerProcess, terminate_as_interrupt

BUILT_NAME = "built.json"
BUILD_STAGE = "build"


@dataclass(slots=True)
class PolicyBuild:
    """What was made.

    Attributes:
        output: the policy's folder.
        entry: what ``policy.json`` says.
        seconds: stage -> how long it took; 0 when it was done already.
        is_built: the engines are there and the server loaded them.
        not_built_because: the reasons when they are not.
    """

    output: Path
    entry: PolicyEntry
    seconds: dict[str, float] = field(default_factory=dict)
    is_built: bool = False
    not_built_because: list[str] = field(default_factory=list)


def build_policy(options: PolicyOptions) -> PolicyBuild:
    """Prepare a policy, and build its engines where this machine can.

    Raises:
        ConfigError: nothing under the model's name, Edge-LLM missing or of another version, too little memory, or
            ``build`` is ``yes`` on a platform that cannot.
        PlanMismatchError: the checkpoint or the adapter cannot be used.
        BackendError: a stage's program failed; the text has the end of its log.
        StageError: a stage failed otherwise, such as on a full disk.
    """
    tools = find_edge_llm(options.tools)
    tools.check_version()
    plan = plan_policy(options, find_policy(options.model), tools)
    platform = detect_platform(tools.folder / "python")
    if options.build == "yes":
        platform.check()
    needs = stage_needs(options, plan, platform)
    for need in needs:
        _say(f"needs {need}")
    if not options.ignore_memory:
        check_needs(needs)
    for warning in plan.warnings():
        _say(f"warning: {warning}")
    output = options.output
    output.mkdir(parents=True, exist_ok=True)
    result = PolicyBuild(output, plan.entry)
    ledger = Ledger(output)
    for stage in plan.stages:
        _run(stage, ledger, result)
    read_checkpoint(output / CHECKPOINT, plan.checkpoint.name)
    write_entry(output, plan.entry)
    result.not_built_because = ["it was not asked for"] if options.build == "no" else platform.problems()
    if not result.not_built_because:
        engines = _engine_stage(plan.entry, plan.checkpoint_fingerprint(), output, tools, options.ready_timeout_s)
        _run(engines, ledger, result)
        result.is_built = True
    return result


def finish_policy(folder: Path, *, tools: Path | None = None, ready_timeout_s: float = 7200.0) -> PolicyBuild:
    """Build the engines of a prepared folder on the device that will serve it; errors as ``build_policy``."""
    entry = load_entry(folder)
    found = find_edge_llm(tools)
    found.check_version()
    read_checkpoint(folder / entry.checkpoint, entry.model)
    detect_platform(found.folder / "python").check()
    ledger, result = Ledger(folder), PolicyBuild(folder, entry)
    _run(_engine_stage(entry, ledger.maker_of(f"{CHECKPOINT}/"), folder, found, ready_timeout_s), ledger, result)
    result.is_built = True
    return result


def stage_needs(options: PolicyOptions, plan: PolicyPlan, platform: Platform) -> list[MemoryNeed]:
    """Memory and disk of the stages that are still to do."""
    ledger = Ledger(options.output)
    names = [stage.name for stage in plan.stages if not ledger.is_done(stage)]
    if options.build != "no" and not platform.problems():
        names.append(BUILD_STAGE)
    free = available_memory(options.output, platform)
    return memory_needs(plan.checkpoint, names, options.precision, options.device, free)


def _run(stage: Stage, ledger: Ledger, result: PolicyBuild) -> None:
    _say(f"{stage.name}: {stage.does}")
    done = ledger.run(stage)
    result.seconds[stage.name] = done.seconds if done.ran else 0.0
    _say(f"{stage.name}: {f'{done.seconds:.1f} s' if done.ran else 'done already'}")


def _engine_stage(entry: PolicyEntry, checkpoint: str, folder: Path, tools: EdgeLlm, timeout_s: float) -> Stage:
    """Start the server once: it builds on its first start and keeps the engines, and it proves that they load."""
    output = folder.absolute()

    def run(work: Path) -> None:
        log = output / LOGS / f"{BUILD_STAGE}.log"
        with ServerProcess(entry.serve_command(output, tools.server), log, port=entry.port) as server:
            seconds = server.wait_until_ready(timeout_s, show_wait if sys.stderr.isatty() else None)
        (work / BUILT_NAME).write_text(json.dumps({"ready_s": round(seconds, 3)}) + "\n")

    def show_wait(seconds: float, line: str) -> None:
        show_progress(BUILD_STAGE, seconds, line)

    inputs = {
        "checkpoint": checkpoint,
        "entry": json.dumps(asdict(entry), sort_keys=True),
        "folder": str(output),
    }
    return Stage(BUILD_STAGE, "build the engines and load them once", inputs, [BUILT_NAME], run)


def dry_run(options: PolicyOptions) -> dict[str, Any]:
    """Every stage with its command and the reason why it would run, and what it needs; starts nothing of it."""
    tools = planned_edge_llm(options.tools)
    plan = plan_policy(options, find_policy(options.model), tools)
    platform = detect_platform(tools.folder / "python")
    output = options.output.absolute()
    engines = _engine_stage(plan.entry, plan.checkpoint_fingerprint(), output, tools, options.ready_timeout_s)
    programs = {**plan.programs, BUILD_STAGE: Program(plan.entry.serve_command(output, tools.server))}
    ledger, stages = Ledger(options.output), []
    for stage in (*plan.stages, engines):
        program = programs.get(stage.name, Program(()))
        stages.append(
            {
                "stage": stage.name,
                "does": stage.does,
                "reason": ledger.reason_to_run(stage),
                "command": list(program.command),
                "environment": dict(program.environment),
            }
        )
    return {
        "model": f"{plan.checkpoint.architecture.name} {plan.checkpoint.size}",
        "stages": stages,
        "needs": [str(need) for need in stage_needs(options, plan, platform)],
        "cannot_build_here": platform.problems(),
        "warnings": plan.warnings(),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry; 0 = done, 2 = the text says what is wrong."""
    args = _parser().parse_args(argv)
    try:
        with terminate_as_interrupt():
            _run_command_line(args)
    except (IcsegError, ValueError) as error:
        print(f"build_policy: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("build_policy: interrupted; run it again to go on", file=sys.stderr)
        return 130
    return 0


def _run_command_line(args: argparse.Namespace) -> None:
    if (args.finish is None) == (args.model is None):
        raise ConfigError("expected either a model with --output, or --finish FOLDER")
    if args.finish is not None:
        _report(finish_policy(args.finish, tools=args.tools, ready_timeout_s=args.ready_timeout), args.json)
        return
    if args.output is None:
        raise ConfigError("expected --output FOLDER")
    options = _options(args)
    if args.dry_run:
        _print_plan(dry_run(options), args.json)
    else:
        _report(build_policy(options), args.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="folder, or hub id in the local cache")
    parser.add_argument("--output", type=Path, help="the policy's folder, e.g. engines/NAME/policy")
    parser.add_argument(
        "--finish", type=Path, metavar="FOLDER", help="on the device: build engines of a prepared folder"
    )
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument("--int8", dest="precision", action="store_const", const="int8_sq", help="SmoothQuant W8A8")
    precision.add_argument("--fp16", dest="precision", action="store_const", const="fp16", help="do not quantize")
    parser.set_defaults(precision="int4_awq")
    parser.add_argument("--lora", type=Path, help="PEFT adapter (safetensors) to merge first")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="where quantization runs")
    parser.add_argument("--no-onnx", action="store_true", help="no ONNX: the server does not need it")
    parser.add_argument(
        "--kv-tokens", type=int, default=8192, help="prompt, dialogue and reply together (default 8192)"
    )
    parser.add_argument("--reply-tokens", type=int, default=1024, help="of one reply (default 1024)")
    parser.add_argument("--port", type=int, default=8000, help="where the server will listen on 127.0.0.1")
    parser.add_argument("--tools", type=Path, help="folder of Edge-LLM's programs (default: .venv-edge-llm/bin, PATH)")
    parser.add_argument("--build", choices=("auto", "yes", "no"), default="auto", help="engines for this machine")
    parser.add_argument("--ignore-memory", action="store_true", help="start although memory is short")
    parser.add_argument("--ready-timeout", type=float, default=7200.0, metavar="S", help="for building the engines")
    parser.add_argument("--dry-run", action="store_true", help="print the commands and needs, start nothing")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON document")
    return parser


def _options(args: argparse.Namespace) -> PolicyOptions:
    names = ("model", "output", "precision", "lora", "device", "kv_tokens", "reply_tokens", "port", "tools", "build")
    values = {name: getattr(args, name) for name in names}
    options = PolicyOptions(**values, with_onnx=not args.no_onnx, ready_timeout_s=args.ready_timeout)
    return replace(options, ignore_memory=args.ignore_memory)


def _print_plan(plan: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(plan))
        return
    print(plan["model"])
    for number, stage in enumerate(plan["stages"], 1):
        print(f"{number}. {stage['stage']}: {stage['does']}")
        print(f"   {'run: ' + stage['reason'] if stage['reason'] else 'done already'}")
        if stage["command"]:
            settings = [f"{name}={value}" for name, value in stage["environment"].items()]
            print(f"   {shlex.join([*settings, *stage['command']])}")
    for label in ("needs", "cannot_build_here", "warnings"):
        for line in plan[label]:
            print(f"{label.replace('_', ' ')}: {line}")


def _report(result: PolicyBuild, as_json: bool) -> None:
    if as_json:
        values = {**asdict(result), "output": str(result.output)}
        print(json.dumps(values))
        return
    if result.is_built:
        print(f"built; serve it with: icseg serve-policy {result.output}")
        return
    print(f"prepared in {result.output}; not built here: {'; '.join(result.not_built_because)}")
    print(f"copy it to the device and run there: python -m export.build_policy --finish {result.output.name}")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
