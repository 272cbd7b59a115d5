"""The stages from weights to the segmenter that the runtime loads: graphs, calibration, INT8, folder, verification."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import onnx
from tqdm import tqdm

from export.build_folder import CALIBRATION, GRAPHS, SEGMENTER, BuildFolder, tracker_maker
from export.build_options import ORT, BuildOptions
from export.calibration import (
    FRAMES,
    SCENES,
    SIMULATED,
    fingerprint_of,
    folder_clips,
    frame_files,
    load_samples,
    record,
    save_samples,
    simulated_clips,
)
from export.graph.calibrator import choose
from export.graph.cpu_graph import spell_for_cpu
from export.graph.graph_file import halve_exact_weights, tool_versions, widen_weights
from export.graph.half_graph import read_graph, to_half
from export.graph.half_policy import half_policy
from export.graph.histogram import METHODS
from export.graph.quantize import CPU_OPERATORS, KEPT, layers_to_quantize
from export.sam2_to_onnx import export_segmenter
from export.segmenter_source import SegmenterSource
from export.source_code import code_fingerprint
from export.stages import Stage, StageError
from export.verify import verification_inputs, verify_folder
from export.verify_report import REPORT, write_report
from icseg.inference.manifest import FLOAT16, FLOAT32, INT8, MANIFEST_NAME, sha256_of, write_manifest
from icseg.tracker.graphs import GRAPH_NAMES

QUANTIZED, CHOICES = "quantized", "calibrators.json"
BUILT_BY = "export/build_engines.py"


@dataclass(frozen=True, slots=True)
class SegmenterBuild:
    """The stages of one segmenter.

    Args:
        options: what was asked for.
        source: the weights.
        is_quiet: no progress bars.
    """

    options: BuildOptions
    source: SegmenterSource
    is_quiet: bool = True

    @property
    def built(self) -> BuildFolder:
        """Where it goes."""
        return BuildFolder(self.options.output)

    @property
    def is_for_cpu(self) -> bool:
        """ONNX Runtime's CPU provider runs what is built. FP16 is for others: it has no kernels for most of it."""
        return self.options.target == ORT and self.options.precision != FLOAT16

    def stages(self) -> list[Stage]:
        """In order. A stage that follows another has the other's fingerprint among its inputs."""
        options, tools = self.options, json.dumps(tool_versions(), sort_keys=True)
        graph_files = [f"{name}.onnx" for name in GRAPH_NAMES]
        inputs = {
            "weights": self.source.fingerprint,
            "resolution": str(options.resolution),
            "memory slots": str(options.memory_slots),
            "settings": json.dumps(self.source.settings, sort_keys=True),
            "tools": tools,
            "exporter": code_fingerprint("sam2_*.py", "graph/graph_file.py", "graph/layers.py"),
        }
        outputs = [f"{GRAPHS}/{f}" for f in (*graph_files, MANIFEST_NAME)]
        graphs = Stage("graphs", "export the FP32 graphs from the weights", inputs, outputs, self._graphs)
        stages = [graphs]
        if options.precision == INT8 or options.frames:
            inputs = {
                "graphs": graphs.fingerprint(),
                "frames": fingerprint_of(options.calibration),
                "recorder": code_fingerprint("calibration.py"),
            }
            outputs = [f"{CALIBRATION}/{name}.npz" for name in GRAPH_NAMES]
            stages.append(Stage("calibration", "record what the graphs are fed with", inputs, outputs, self._calibrate))
        if options.precision == INT8:
            inputs = {
                "calibration": stages[-1].fingerprint(),
                "quantizer": code_fingerprint("graph/quantize.py", "graph/calibrator.py", "graph/histogram.py"),
                "for a CPU": str(self.is_for_cpu),
            }
            outputs = [*(f"{QUANTIZED}/{name}.onnx" for name in self._quantized()), f"{QUANTIZED}/{CHOICES}"]
            stages.append(Stage("quantize", "make layers INT8", inputs, outputs, self._quantize))
        inputs = {
            "precision": options.precision,
            "after": stages[-1].fingerprint(),
            "assembler": code_fingerprint(
                "build_segmenter.py", "graph/half_*.py", "graph/cpu_*.py", "graph/graph_rewriter.py"
            ),
            "for a CPU": str(self.is_for_cpu),
        }
        outputs = [f"{SEGMENTER}/{f}" for f in (*graph_files, MANIFEST_NAME)]
        stages.append(Stage("segmenter", "put together what the runtime loads", inputs, outputs, self._assemble))
        if options.frames:
            inputs = {"segmenter": stages[-1].fingerprint(), **verification_inputs(options)}
            outputs = [f"{REPORT}.{suffix}" for suffix in ("md", "json", "png")]
            stages.append(Stage("verify", "compare with FP32 over long streams", inputs, outputs, self._verify))
        return stages

    def _quantized(self) -> list[str]:
        """Graphs of which some layers become INT8: those that are not kept whole."""
        return [name for name in GRAPH_NAMES if all(kept.pattern != "*" for kept in KEPT[name])]

    def _graphs(self, work: Path) -> None:
        with tqdm(total=len(GRAPH_NAMES), desc="graphs", unit="graph", disable=self.is_quiet) as bar:
            export_segmenter(
                self.source.load(),
                work / GRAPHS,
                name=self.source.name,
                source_sha256=self.source.fingerprint,
                settings=self.source.settings,
                memory_slots=self.options.memory_slots,
                progress=bar.update,
            )

    def _calibrate(self, work: Path) -> None:
        built, calibration = self.built, self.options.calibration
        runners = built.fp32_runners(self.options.threads)
        make_tracker = tracker_maker(built.manifest(GRAPHS))
        folder = None if calibration == SIMULATED else Path(calibration)
        total = SCENES * FRAMES if folder is None else len(frame_files(folder))
        with tqdm(total=total, desc="calibration", unit="frame", disable=self.is_quiet) as bar:
            clips = (
                simulated_clips(bar.update)
                if folder is None
                else folder_clips(folder, make_tracker(runners), bar.update)
            )
            samples = record(runners, make_tracker, clips)
        (work / CALIBRATION).mkdir()
        for name in GRAPH_NAMES:
            save_samples(work / CALIBRATION / f"{name}.npz", samples[name])

    def _quantize(self, work: Path) -> None:
        built, choices = self.built, {}
        (work / QUANTIZED).mkdir()
        names = self._quantized()
        with tqdm(total=len(names) * (len(METHODS) + 1), desc="quantize", disable=self.is_quiet) as bar:
            for name in names:
                model = onnx.load(built.root / GRAPHS / f"{name}.onnx")
                widen_weights(model)
                layers = layers_to_quantize(name, model.graph, for_cpu=self.is_for_cpu)
                samples = load_samples(built.samples(name))
                choice = choose(model, layers, samples, threads=self.options.threads, progress=bar.update)
                halve_exact_weights(choice.model)
                onnx.save(choice.model, work / QUANTIZED / f"{name}.onnx")
                choices[name] = {
                    "calibrator": choice.method,
                    "relative_l2_error": {method: round(error, 6) for method, error in choice.errors.items()},
                    "int8_layers": len(layers),
                    "samples": len(samples),
                }
        kept = {name: {one.pattern: one.reason for one in KEPT[name]} for name in GRAPH_NAMES}
        policy = {"kept in floating point": kept} | ({"INT8 on a CPU": CPU_OPERATORS} if self.is_for_cpu else {})
        text = json.dumps({"graphs": choices} | policy, indent=1)
        (work / QUANTIZED / CHOICES).write_text(text + "\n", encoding="utf-8")

    def _assemble(self, work: Path) -> None:
        built = self.built
        manifest, out = built.manifest(GRAPHS), work / SEGMENTER
        out.mkdir()
        is_int8 = self.options.precision == INT8
        quantized = self._quantized() if is_int8 else []
        files = {}
        for name, file in manifest.files.items():
            folder = QUANTIZED if name in quantized else GRAPHS
            if self.options.precision == FLOAT16:
                half = to_half(read_graph(built.root / folder / file.file), half_policy(name))
                onnx.save(half.model, out / file.file)
            elif self.is_for_cpu:
                onnx.save(spell_for_cpu(onnx.load(built.root / folder / file.file)), out / file.file)
            else:
                shutil.copyfile(built.root / folder / file.file, out / file.file)
            precision = INT8 if name in quantized else FLOAT16 if self.options.precision == FLOAT16 else FLOAT32
            files[name] = replace(file, sha256=sha256_of(out / file.file), precision=precision)
        write_manifest(
            out,
            replace(
                manifest,
                files=files,
                built_by=BUILT_BY,
                precision=self.options.precision,
                calibration_sha256=fingerprint_of(self.options.calibration) if is_int8 else "",
            ),
        )

    def _verify(self, work: Path) -> None:
        options = self.options
        result = verify_folder(
            self.built,
            source=self.source,
            frames=options.frames,
            gates=options.gates,
            threads=options.threads,
            is_quiet=self.is_quiet,
        )
        # a report of a failure is kept too, outside of the stage, which then has made nothing
        write_report(self.built.root if result.failures else work, result, options.gates)
        if result.failures:
            raise StageError(
                f"verification failed, see {self.built.root / REPORT}.md:\n  " + "\n  ".join(result.failures)
            )
