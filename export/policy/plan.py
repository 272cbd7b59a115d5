"""From options to the stages of a policy's build, their memory, and the entry that will serve it. Runs nothing."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from export.policy.calibration import write_calibration
from export.policy.edge_llm import DATASET_VARIABLE, SAMPLES, VERSION, EdgeLlm
from export.policy.limits import KV_TOKENS, REPLY_TOKENS, policy_limits
from export.policy.lora_merge import ADAPTER_NAME, CONFIG_NAME, merge_lora
from export.policy.models import PolicyCheckpoint
from export.policy.policy_stages import Stage
from icseg.errors import PlanMismatchError
from icseg.inference.manifest import sha256_of
from icseg.policy_server.entry import EDGE_LLM, LOOPBACK, PRECISIONS, PolicyEntry
from icseg.sim.clip_file import FRAMES_FILE, SHIPPED_CLIP

CHECKPOINT, ENGINES, ONNX = "checkpoint", "engines", "onnx"
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


@dataclass(frozen=True, slots=True)
class PolicyPlan:
    """The stages before the device's, and the entry."""

    checkpoint: PolicyCheckpoint
    stages: tuple[Stage, ...]
    entry: PolicyEntry

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
    output = options.output.absolute()
    source = checkpoint.fingerprint()
    stages: list[Stage] = []
    folder, key = checkpoint.folder.absolute(), source
    is_quantized = options.precision != "fp16"
    if options.lora is not None:
        adapter = options.lora
        makes = output / ("merged" if is_quantized else CHECKPOINT)
        key = f"{source} {_adapter_hash(adapter)}"
        stages.append(
            Stage(
                "merge",
                f"merge {adapter.name} into {checkpoint.name}",
                makes,
                (key,),
                work=lambda draft: _discard(merge_lora(checkpoint, adapter, draft)),
            )
        )
        folder = makes
    if is_quantized:
        stages += _quantization(options, tools, folder, key)
    elif options.lora is None:
        stages.append(
            Stage("copy", "copy the checkpoint", output / CHECKPOINT, (key,), work=lambda draft: _copy(folder, draft))
        )
    if options.with_onnx:
        made = output / ONNX
        command = tools.export(output / CHECKPOINT, made.with_name(f"{ONNX}.part"), precision=options.precision)
        onnx = ("export", "export language model and vision tower to ONNX", made, (key, options.precision, VERSION))
        stages.append(Stage(*onnx, command=tuple(command)))
    entry = PolicyEntry(
        model=checkpoint.name,
        server=EDGE_LLM,
        url=f"http://{LOOPBACK}:{options.port}/v1",
        checkpoint=CHECKPOINT,
        engine_cache=ENGINES,
        precision=options.precision,
        context_reuse=True,
        source_sha256=source if options.lora is None else hashlib.sha256(key.encode()).hexdigest(),
        limits=policy_limits(checkpoint.architecture, kv_tokens=options.kv_tokens, reply_tokens=options.reply_tokens),
        tools={"tensorrt-edgellm": VERSION},
    )
    return PolicyPlan(checkpoint, tuple(stages), entry)


def _quantization(options: PolicyOptions, tools: EdgeLlm, folder: Path, key: str) -> list[Stage]:
    output = options.output.absolute()
    calibration = output / "calibration"
    made = output / CHECKPOINT
    frames = sha256_of(SHIPPED_CLIP / FRAMES_FILE)
    command = tools.quantize(
        folder, made.with_name(f"{CHECKPOINT}.part"), method=options.precision, device=options.device
    )
    return [
        Stage(
            "calibrate",
            f"write {SAMPLES} calibration samples of our prompts and frames",
            calibration,
            (frames, str(SAMPLES)),
            work=lambda draft: _discard(write_calibration(draft, SAMPLES)),
        ),
        Stage(
            "quantize",
            f"quantize the language model to {options.precision}",
            made,
            (key, options.precision, frames, VERSION),
            command=tuple(command),
            work=lambda draft: _complete(folder, draft),
            environment={DATASET_VARIABLE: str(calibration)},
        ),
    ]


def _adapter_hash(adapter: Path) -> str:
    for name in (CONFIG_NAME, ADAPTER_NAME):
        if not (adapter / name).is_file():
            raise PlanMismatchError(f"{adapter}: {name} is missing; expected a PEFT adapter saved as safetensors")
    return " ".join(sha256_of(adapter / name) for name in (CONFIG_NAME, ADAPTER_NAME))


def _discard(_count: int) -> None:
    """A stage's work returns nothing."""


def _copy(folder: Path, draft: Path) -> None:
    draft.mkdir(parents=True)
    for path in sorted(folder.iterdir()):
        if path.suffix in (".json", ".jinja", ".txt", ".safetensors"):
            shutil.copyfile(path, draft / path.name)


def _complete(folder: Path, draft: Path) -> None:
    """Put back the small files that the quantizer does not save: tokenizer, template, preprocessor."""
    for path in sorted(folder.iterdir()):
        is_small = path.suffix in (".json", ".jinja", ".txt") and not path.name.endswith(".index.json")
        if draft.is_dir() and is_small and not (draft / path.name).exists():
            shutil.copyfile(path, draft / path.name)
