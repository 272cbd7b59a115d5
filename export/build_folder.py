"""What lies where in a folder that ``build_engines.py`` makes, and the runners for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from icseg.inference.manifest import Manifest, load_manifest
from icseg.inference.runner import Runner
from icseg.inference.runner_onnxruntime import OnnxRuntimeRunner
from icseg.mask_ops.mask_ops import choose_mask_ops
from icseg.tracker.graphs import GRAPH_NAMES, SegmenterFacts
from icseg.tracker.loading import KIND, model_config
from icseg.tracker.state import TrackerConfig
from icseg.tracker.tracker import Tracker

GRAPHS, CALIBRATION, SEGMENTER, DETECTOR = "graphs", "calibration", "segmenter", "detector"
TYPED, PLANS = "typed", "tensorrt"


@dataclass(frozen=True, slots=True)
class BuildFolder:
    """The folder given as ``--output``; the runtime takes it as ``--engines``.

    ``graphs/`` holds the FP32 graphs that everything is made from and compared with, ``calibration/`` recorded inputs
    of each, ``segmenter/`` and ``detector/`` what the runtime loads, and the folder itself the report. A build for
    TensorRT has ``typed/`` too, the graphs in the types that plans compute in, and ``tensorrt/``: segmenter, detector
    and report again, with plans.
    """

    root: Path

    @property
    def image_size(self) -> int:
        """Side of the segmenter's input in pixels.

        Raises:
            PlanMismatchError: there is no segmenter, or it is not what its manifest says.
        """
        return self.manifest().image_size

    def manifest(self, part: str = SEGMENTER) -> Manifest:
        """The manifest of a part that holds a segmenter: ``segmenter``, ``graphs`` or ``typed``.

        Raises:
            PlanMismatchError: as ``load_manifest``.
        """
        return load_manifest(self.root / part, kind=KIND)

    def samples(self, graph: str) -> Path:
        """Recorded inputs of a graph."""
        return self.root / CALIBRATION / f"{graph}.npz"

    def fp32_runners(self, threads: int = 0) -> dict[str, Runner]:
        """Runners of the FP32 graphs by name, on ONNX Runtime's CPU provider.

        Raises:
            PlanMismatchError: a graph is missing or not what the manifest says.
            BackendError: one cannot be loaded.
        """
        manifest = self.manifest(GRAPHS)
        return {
            name: OnnxRuntimeRunner(self.root / GRAPHS / manifest.files[name].file, threads=threads)
            for name in GRAPH_NAMES
        }


def tracker_maker(manifest: Manifest, config: TrackerConfig | None = None) -> Callable[[Mapping[str, Runner]], Tracker]:
    """Trackers of one model on any runners.

    Args:
        manifest: of the model.
        config: how they remember; None: as the model's settings have it.

    Raises:
        PlanMismatchError: the manifest has facts or settings that this version of icseg does not know.
    """
    facts = SegmenterFacts.from_mapping(manifest.image_size, manifest.facts)
    chosen = model_config(manifest) if config is None else config
    return lambda runners: Tracker(runners, manifest, facts, chosen, choose_mask_ops("native"))
