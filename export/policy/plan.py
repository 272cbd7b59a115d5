"""From options to the stages of a policy's build, their memory, and the entry that will serve it. Runs nothing."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from export.policy.calibration import write_calibration
from export.policy.edge_llm import DATASET_VARIABLE, SAMPLES, VERSION, EdgeLlm
from export.policy.limits import KV_TOKENS, REPLY_TOKENS, policy_limits
from export.policy.lora_merge import ADAPTER_NAME, CONFIG_NAME, merge_lora
from export.policy.models import PolicyCheckpoint
from export.program import Program
from export.source_code import code_fingerprint
from export.stages import Stage, work_folder
from icseg.dialogue.chat.policy import load_prompt
from icseg.errors import PlanMismatchError
from icseg.inference.manifest import sha256_of
from icseg.policy_server.entry import EDGE_LLM, LOOPBACK, PRECISIONS, PolicyEntry
from icseg.sim.clip_file import FRAMES_FILE, SHIPPED_CLIP

CHECKPOINT, ENGINES, ONNX = "checkpoint", "engines", "onnx"
MERGED, CALIBRATION, LOGS = "merged", "calibration", "logs"
EXPORT_STAGE, QUANTIZE_STAGE = "export", "quantize"
DEVICES = ("cuda", "cpu")


@dataclass(frozen=True, slots=True)
class PolicyOptions:
    """What to build.

    Args:
        model: folder, or hub id in the local cache.
        output: folder that is made.
        precision: ``int4_awq``, ``int8_sq`` or ``fp16``.
        lora: folder of a PEFT adapter that is merged first.
        device: where quantization runs.
        with_onnx: also export ONNX, for Edge-LLM's C++ programs; the server reads the checkpoint.
        kv_tokens, reply_tokens: see ``PolicyLimits``; less saves memory.
        port: where the server will listen.
        tools: folder of Edge-LLM's programs.
        build: ``auto`` builds engines where the platform can, ``yes`` insists, ``no`` prepares only.
        ignore_memory: start although memory is short.
        ready_timeout_s: for building and loading the engines.

    Raises:
        ValueError: a value is unknown or out of range.
    """

    model: str
    output: Path
    precision: str = "int4_awq"
    lora: Path | None = None
    device: str = "cuda"
    with_onnx: bool = True
    kv_tokens: int = KV_TOKENS
    reply_tokens: int = REPLY_TOKENS
    port: int = 8000
    tools: Path | None = None
    build: str = "auto"
    ignore_memory: bool = False
    ready_timeout_s: float = 7200.0

    def __post_init__(self) -> None:
        for name, allowed in (("precision", PRECISIONS), ("device", DEVICES), ("build", ("auto", "yes", "no"))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: expected one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if not 0 < self.ready_timeout_s <= 86_400:
            raise ValueError(f"ready_timeout_s: expected 0..86400, got {self.ready_timeout_s!r}")

    def log(self, stage: str) -> Path:
        """Where the output of a stage's program is kept."""
        return self.output.absolute() / LOGS / f"{stage}.log"


@dataclass(frozen=True, slots=True)
class PolicyPlan:
    """The stages before the device's, and the entry.

    Attributes:
        checkpoint: what everything is made from.
        stages: in order. A stage that follows another has the other's fingerprint among its inputs.
        programs: stage -> the program that it runs, of those that run one.
        entry: what ``policy.json`` will say.
    """

    checkpoint: PolicyCheckpoint
    stages: tuple[Stage, ...]
    programs: Mapping[str, Program]
    entry: PolicyEntry

    def checkpoint_fingerprint(self) -> str:
        """Changes when the checkpoint that is served, and that engines are built from, has to be made again."""
        return next(stage.fingerprint() for stage in self.stages if f"{CHECKPOINT}/" in stage.outputs)

    def warnings(self) -> list[str]:
        """What the user should know before it starts."""
        if self.checkpoint.architecture.coordinates == "pixels":
            return [
                f"{self.checkpoint.architecture.name} gives boxes in pixels unless it was trained for our protocol "
                "(0..1000): take a fine-tune, or Qwen3-VL"
            ]
        return []


def plan_policy(options: PolicyOptions, checkpoint: PolicyCheckpoint, tools: EdgeLlm) -> PolicyPlan:
    """The stages for a checkpoint.

    Raises:
        ValueError: the limits contradict each other.
        PlanMismatchError: the adapter's folder is not one.
    """
    output, source = options.output.absolute(), checkpoint.fingerprint()
    adapter = "" if options.lora is None else _adapter_hash(options.lora)
    is_quantized = options.precision != "fp16"
    folder, stages, programs = checkpoint.folder.absolute(), [], dict[str, Program]()
    if options.lora is not None:
        merged = MERGED if is_quantized else CHECKPOINT
        stages.append(_merge_stage(checkpoint, options.lora, merged, {"weights": source, "adapter": adapter}))
        folder = output / merged
    elif not is_quantized:
        stages.append(_copy_stage(folder, source))
    if is_quantized:
        weights = stages[-1].fingerprint() if stages else source
        programs[QUANTIZE_STAGE] = _quantizer(options, tools, folder)
        stages.append(_calibration_stage())
        stages.append(_quantize_stage(options, programs[QUANTIZE_STAGE], folder, weights, stages[-1].fingerprint()))
    if options.with_onnx:
        made = work_folder(output, EXPORT_STAGE) / ONNX
        programs[EXPORT_STAGE] = Program(tools.export(output / CHECKPOINT, made, precision=options.precision))
        stages.append(_export_stage(options, programs[EXPORT_STAGE], stages[-1].fingerprint()))
    entry = PolicyEntry(
        model=checkpoint.name,
        server=EDGE_LLM,
        url=f"http://{LOOPBACK}:{options.port}/v1",
        checkpoint=CHECKPOINT,
        engine_cache=ENGINES,
        precision=options.precision,
        context_reuse=True,
        source_sha256=hashlib.sha256(f"{source} {adapter}".encode()).hexdigest() if adapter else source,
        limits=policy_limits(checkpoint.architecture, kv_tokens=options.kv_tokens, reply_tokens=options.reply_tokens),
        tools={"tensorrt-edgellm": VERSION},
    )
    return PolicyPlan(checkpoint, tuple(stages), programs, entry)


def _merge_stage(checkpoint: PolicyCheckpoint, adapter: Path, output: str, inputs: dict[str, str]) -> Stage:
    def run(work: Path) -> None:
        merge_lora(checkpoint, adapter, work / output)

    inputs = {**inputs, "merger": code_fingerprint("policy/lora_merge.py")}
    return Stage("merge", f"merge {adapter.name} into {checkpoint.name}", inputs, [f"{output}/"], run)


def _copy_stage(folder: Path, source: str) -> Stage:
    def run(work: Path) -> None:
        (work / CHECKPOINT).mkdir()
        for path in sorted(folder.iterdir()):
            if path.suffix in (".json", ".jinja", ".txt", ".safetensors"):
                shutil.copyfile(path, work / CHECKPOINT / path.name)

    return Stage("copy", "copy the checkpoint", {"weights": source}, [f"{CHECKPOINT}/"], run)


def _calibration_stage() -> Stage:
    def run(work: Path) -> None:
        write_calibration(work / CALIBRATION, SAMPLES)

    inputs = {
        "frames": sha256_of(SHIPPED_CLIP / FRAMES_FILE),
        "samples": str(SAMPLES),
        "prompt": hashlib.sha256(load_prompt("search").encode()).hexdigest(),
        "writer": code_fingerprint("policy/calibration.py"),
    }
    does = f"write {SAMPLES} calibration samples of our prompts and frames"
    return Stage("calibrate", does, inputs, [f"{CALIBRATION}/"], run)


def _quantizer(options: PolicyOptions, tools: EdgeLlm, folder: Path) -> Program:
    output = options.output.absolute()
    made = work_folder(output, QUANTIZE_STAGE) / CHECKPOINT
    command = tools.quantize(folder, made, method=options.precision, device=options.device)
    return Program(command, {DATASET_VARIABLE: str(output / CALIBRATION)})


def _quantize_stage(options: PolicyOptions, quantizer: Program, folder: Path, weights: str, calibration: str) -> Stage:
    def run(work: Path) -> None:
        quantizer.run(QUANTIZE_STAGE, options.log(QUANTIZE_STAGE))
        _complete(folder, work / CHECKPOINT)

    inputs = {
        "weights": weights,
        "calibration": calibration,
        "precision": options.precision,
        "tensorrt-edgellm": VERSION,
    }
    does = f"quantize the language model to {options.precision}"
    return Stage(QUANTIZE_STAGE, does, inputs, [f"{CHECKPOINT}/"], run)


def _export_stage(options: PolicyOptions, exporter: Program, checkpoint: str) -> Stage:
    def run(_work: Path) -> None:
        exporter.run(EXPORT_STAGE, options.log(EXPORT_STAGE))

    inputs = {"checkpoint": checkpoint, "precision": options.precision, "tensorrt-edgellm": VERSION}
    return Stage(EXPORT_STAGE, "export language model and vision tower to ONNX", inputs, [f"{ONNX}/"], run)


def _adapter_hash(adapter: Path) -> str:
    for name in (CONFIG_NAME, ADAPTER_NAME):
        if not (adapter / name).is_file():
            raise PlanMismatchError(f"{adapter}: {name} is missing; expected a PEFT adapter saved as safetensors")
    return " ".join(sha256_of(adapter / name) for name in (CONFIG_NAME, ADAPTER_NAME))


def _complete(folder: Path, draft: Path) -> None:
    """Put back the small files that the quantizer does not save: tokenizer, template, preprocessor."""
    for path in sorted(folder.iterdir()):
        is_small = path.suffix in (".json", ".jinja", ".txt") and not path.name.endswith(".index.json")
        if draft.is_dir() and is_small and not (draft / path.name).exists():
            shutil.copyfile(path, draft / path.name)
