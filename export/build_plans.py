"""The stages from graphs to TensorRT plans: graphs in the types that a plan computes in, then plans, then verification.

Typed graphs are made anywhere; plans only where their GPU is. So a build for a Jetson ends, on another machine, with
the typed graphs and the commands for the device, and the same command goes on from there on the device, where neither
torch nor the weights are needed.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
from tqdm import tqdm

from export.build_folder import CALIBRATION, DETECTOR, GRAPHS, PLANS, SEGMENTER, TYPED, BuildFolder
from export.build_options import JETSON, ORT, TRT, TRT_RTX, BuildOptions
from export.build_plan import build_plan
from export.graph.half_graph import read_graph, to_half
from export.graph.half_policy import half_policy
from export.plan_options import PlanOptions
from export.source_code import code_fingerprint
from export.stages import Stage, StageError
from export.verify import verification_inputs, verify_folder
from export.verify_report import REPORT, write_report
from icseg.errors import BackendError, ConfigError
from icseg.inference.cuda_stream import CudaStream
from icseg.inference.manifest import (
    FLOAT16,
    FLOAT32,
    INT8,
    MANIFEST_NAME,
    TENSORRT,
    TENSORRT_RTX,
    Manifest,
    sha256_of,
    write_manifest,
)
from icseg.inference.tensorrt_module import find_tensorrt, load_tensorrt
from icseg.tracker.graphs import GRAPH_NAMES

ENGINE_OF = {TRT: TENSORRT, TRT_RTX: TENSORRT_RTX, JETSON: TENSORRT}
ON_DEVICE = "ON_DEVICE.md"
DETECTORS_POLICY = "nano"
DETECTOR_FILES = (MANIFEST_NAME, f"{DETECTOR}.onnx")


@dataclass(frozen=True, slots=True)
class PlanBuild:
    """The stages of one set of plans.

    Args:
        options: what was asked for; its target is one that takes plans.
        is_quiet: no progress bars.
    """

    options: BuildOptions
    is_quiet: bool = True

    @property
    def built(self) -> BuildFolder:
        """Where it goes."""
        return BuildFolder(self.options.output)

    @property
    def is_on_device(self) -> bool:
        """Plans can be built on this machine: a Jetson's only on an ARM machine with TensorRT."""
        return self.options.target != JETSON or is_jetson()

    def stages(self, after: Sequence[Stage]) -> list[Stage]:
        """In order, to follow others; none of the others where the typed graphs come from another machine.

        Raises:
            BackendError: the TensorRT that the target needs is not there.
            PlanMismatchError: there are no typed graphs to go on from.
        """
        typed = self._typed_stage(after) if after else None
        stages = [typed] if typed is not None else []
        if not self.is_on_device:
            return stages
        engine = ENGINE_OF[self.options.target]
        inputs = {
            "typed graphs": typed.fingerprint() if typed is not None else self._typed_manifest_hash(),
            "engine": f"{engine} {load_tensorrt(engine).__version__}",
            "builder": code_fingerprint("build_plan*.py", "plan_*.py"),
        }
        plans = [f"{PLANS}/{SEGMENTER}/{name}.plan" for name in GRAPH_NAMES]
        outputs = [*plans, *(f"{plan}.log" for plan in plans), f"{PLANS}/{SEGMENTER}/{MANIFEST_NAME}"]
        # on a device that goes on from typed graphs the folder says whether there is one
        if (after and self.options.policy == DETECTORS_POLICY) or (self.built.root / DETECTOR).is_dir():
            outputs += [f"{PLANS}/{DETECTOR}/{name}" for name in DETECTOR_FILES]
        stages.append(Stage("plans", "build a plan from each graph", inputs, outputs, self._plans))
        # plans for a GPU that was named may not be for the one of this machine
        if self.options.frames and self.options.compute_capability is None:
            inputs = {"plans": stages[-1].fingerprint(), **verification_inputs(self.options)}
            outputs = [f"{PLANS}/{REPORT}.{suffix}" for suffix in ("md", "json", "png")]
            stages.append(
                Stage("verify-plans", "compare the plans with FP32 over long streams", inputs, outputs, self._verify)
            )
        return stages

    def _typed_stage(self, after: Sequence[Stage]) -> Stage:
        inputs = {
            "after": after[-1].fingerprint(),
            "precision": self.options.precision,
            "converter": code_fingerprint("graph/half_*.py", "build_plans.py"),
        }
        names = [*(f"{name}.onnx" for name in GRAPH_NAMES), MANIFEST_NAME]
        if self.options.target == JETSON:
            names.append(ON_DEVICE)
        outputs = [f"{TYPED}/{name}" for name in names]
        return Stage("typed", "write graphs in the types that plans compute in", inputs, outputs, self._type)

    def _typed_manifest_hash(self) -> str:
        self.built.manifest(TYPED)
        return sha256_of(self.built.root / TYPED / MANIFEST_NAME)

    def _type(self, work: Path) -> None:
        manifest, out = self.built.manifest(SEGMENTER), work / TYPED
        out.mkdir()
        files = {}
        for name in GRAPH_NAMES:
            entry = manifest.files[name]
            path = out / f"{name}.onnx"
            precision = entry.precision
            if self.options.precision == INT8:
                # what is not INT8 is FP32 for the CPU, and FP16 for a GPU
                half = to_half(read_graph(self.built.root / SEGMENTER / entry.file), half_policy(name))
                onnx.save(half.model, path)
                precision = INT8 if precision == INT8 else FLOAT16
            else:
                shutil.copyfile(self.built.root / SEGMENTER / entry.file, path)
            files[name] = replace(entry, file=path.name, sha256=sha256_of(path), precision=precision)
        write_manifest(out, replace(manifest, files=files))
        if self.options.target == JETSON:
            (out / ON_DEVICE).write_text(self._commands(), encoding="utf-8")

    def _commands(self) -> str:
        folder = self.options.output.name
        return "\n".join(
            [
                "# What is left to do on the device",
                "",
                f"Everything that can be made off the device is in this folder. Copy `{folder}/` as it is and run",
                "there, in a checkout of icseg of the same version, with JetPack's TensorRT visible to Python:",
                "",
                "```",
                "pip install -e '.[sim]' onnx matplotlib cuda-bindings",
                f"python export/build_engines.py --target {JETSON} --{_flag(self.options.precision)} --output {folder}",
                f"icseg demo --engines {folder}/{PLANS}",
                "```",
                "",
                "The second command builds a plan from each graph in `typed/`, writes them with their manifest into",
                f"`{PLANS}/`, and verifies them against the FP32 graphs in `{GRAPHS}/`, on the inputs in",
                f"`{CALIBRATION}/` and over long streams (`--no-verify` leaves that out). Not measured on hardware.",
                "",
            ]
        )

    def _plans(self, work: Path) -> None:
        manifest = self.built.manifest(TYPED)
        out = work / PLANS / SEGMENTER
        out.mkdir(parents=True)
        files = {}
        for name in tqdm(GRAPH_NAMES, desc="plans", unit="plan", disable=self.is_quiet):
            entry = manifest.files[name]
            plan = out / f"{name}.plan"
            facts = build_plan(
                self.built.root / TYPED / entry.file,
                plan,
                PlanOptions(entry.precision, ENGINE_OF[self.options.target], self.options.compute_capability),
            )
            files[name] = replace(
                entry,
                file=plan.name,
                sha256=facts.sha256,
                engine=facts.engine,
                engine_version=facts.engine_version,
                compute_capability=facts.compute_capability,
            )
        write_manifest(out, replace(manifest, files=files))
        if (self.built.root / DETECTOR).is_dir():
            # beside the plans, so that the folder of the plans is one that the runtime takes
            (work / PLANS / DETECTOR).mkdir()
            for name in DETECTOR_FILES:
                shutil.copyfile(self.built.root / DETECTOR / name, work / PLANS / DETECTOR / name)

    def _verify(self, work: Path) -> None:
        options = self.options
        try:
            result = verify_folder(
                self.built,
                part=PLANS,
                source=None,
                frames=options.frames,
                gates=options.gates,
                threads=options.threads,
                is_quiet=self.is_quiet,
            )
        except BackendError as error:
            raise StageError(f"the plans were built, but cannot run here to be verified: {error}") from error
        out = self.built.root / PLANS if result.failures else work / PLANS
        out.mkdir(parents=True, exist_ok=True)
        write_report(out, result, options.gates)
        if result.failures:
            raise StageError(f"verification failed, see {out / REPORT}.md:\n  " + "\n  ".join(result.failures))


def is_jetson() -> bool:
    """An ARM machine: plans for a Jetson are built where they run."""
    return platform.machine() == "aarch64"


def target_of_this_machine() -> str:
    """TensorRT where it is there with a GPU, else ONNX Runtime."""
    try:
        CudaStream()
        engine, _ = find_tensorrt()
    except BackendError:
        return ORT
    return next(target for target, one in ENGINE_OF.items() if one == engine)


def _flag(precision: str) -> str:
    return {FLOAT32: "fp32", FLOAT16: "fp16", INT8: "int8"}[precision]


def needs_source(options: BuildOptions, manifest: Manifest | None) -> bool:
    """The weights are needed; not on a device that goes on from typed graphs.

    Raises:
        ConfigError: on the device, and the typed graphs are of another precision.
    """
    if options.target != JETSON or not is_jetson() or manifest is None:
        return True
    if manifest.precision != options.precision:
        raise ConfigError(
            f"{options.output}: prepared for {manifest.precision}, asked for {options.precision}: use the command in "
            f"{TYPED}/{ON_DEVICE}"
        )
    return False
