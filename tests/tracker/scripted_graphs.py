"""The four graphs as a script: a bright pixel is the object, and the memory counts frames. No model, no file."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from icseg.assets import nano_models
from icseg.errors import BackendError
from icseg.inference.manifest import Manifest, read_manifest
from icseg.inference.runner_scripted import ScriptedRunner
from icseg.mask_ops import native
from icseg.mask_ops.mask_ops import MaskOps
from icseg.tracker.graphs import (
    IMAGE_ENCODER,
    MASK_DECODER,
    MEMORY_ATTENTION,
    MEMORY_ENCODER,
    SegmenterFacts,
    graph_specs,
)
from icseg.tracker.loading import model_config
from icseg.tracker.state import TrackerConfig
from icseg.tracker.tracker import Tracker
from icseg.types import Array, Frame

SIZE = 32
NANO = model_config(read_manifest(nano_models() / "segmenter"))
"""The settings that the nano model brings with it: its gates and windows."""

FACTS = SegmenterFacts(
    image_size=SIZE,
    hidden_width=8,
    memory_width=4,
    memory_slots=7,
    pointer_slots=16,
    temporal_codes=7,
    pointer_span=16,
    prompt_tokens=6,
    multimask_for_prompts=False,
    multimask_for_tracking=False,
    multimask_min_points=0,
    multimask_max_points=1,
    stability_fallback=False,
    stability_delta=0.05,
    stability_threshold=0.98,
)


class ScriptedGraphs:
    """The mask is where the image is bright; the object is visible if anything is.

    Attributes:
        iou_score: what the decoder will say.
        fails: graph name that raises ``BackendError``.
        feeds: graph name -> the feeds of its last run.
    """

    def __init__(self, facts: SegmenterFacts = FACTS) -> None:
        self.facts = facts
        self.iou_score = 0.9
        self.fails: str | None = None
        self.feeds: dict[str, dict[str, Array]] = {}
        answers = {
            IMAGE_ENCODER: self._encode_image,
            MASK_DECODER: self._decode,
            MEMORY_ATTENTION: lambda feeds: {"conditioned_features": feeds["vision_features"]},
            MEMORY_ENCODER: self._encode_memory,
        }
        self.runners = {
            name: ScriptedRunner(spec.inputs, spec.outputs, self._recorded(name, answers[name]), name)
            for name, spec in graph_specs(facts).items()
        }

    def _recorded(self, name: str, answer):  # type: ignore[no-untyped-def]
        def run(feeds: Mapping[str, Array]) -> Mapping[str, Array]:
            self.feeds[name] = {key: value.copy() for key, value in feeds.items()}
            # what was kept of an earlier run without a copy is NaN by now
            assert all(np.isfinite(value).all() for value in feeds.values()), f"{name}: a feed that is not finite"
            if self.fails == name:
                raise BackendError(f"{name}: scripted failure")
            return answer(feeds)

        return run

    def _encode_image(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        outputs = {
            name: np.zeros(spec.shape, np.float32)
            for name, spec in graph_specs(self.facts)[IMAGE_ENCODER].outputs.items()
        }
        side = self.facts.logits_side
        outputs["high_res_s0"][0, 0] = feeds["image"][0, 0].reshape(side, 4, side, 4).mean(axis=(1, 3))
        return outputs

    def _decode(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        logits = np.repeat(feeds["high_res_s0"][:, :1], 4, axis=1)
        return {
            "mask_logits": logits,
            "iou_scores": np.full((1, 4), self.iou_score, np.float32),
            "object_pointers": np.ones((1, 4, self.facts.hidden_width), np.float32),
            "object_score": np.full((1, 1), 1.0 if logits.max() > 0 else -1.0, np.float32),
        }

    def _encode_memory(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        side = self.facts.feature_side
        return {"memory_features": np.ones((1, self.facts.memory_width, side, side), np.float32)}

    def tracker(self, config: TrackerConfig = NANO, mask_ops: MaskOps = native) -> Tracker:
        manifest = Manifest(
            kind="segmenter",
            name="scripted",
            built_by="nothing",
            files={},
            image_size=self.facts.image_size,
            image_mean=(0.5, 0.5, 0.5),
            image_std=(1.0, 1.0, 1.0),
            precision="float32",
            source_sha256="0" * 64,
            calibration_sha256="",
            tools={},
            facts=self.facts.as_mapping(),
        )
        return Tracker(self.runners, manifest, self.facts, config, mask_ops)


def make_frame(index: int, *, is_visible: bool = True, hw: tuple[int, int] = (48, 64)) -> Frame:
    """A bright block on black, or only black."""
    image = np.zeros((*hw, 3), np.uint8)
    if is_visible:
        image[hw[0] // 4 : hw[0] // 2, hw[1] // 4 : hw[1] // 2] = 255
    return Frame(image, stamp_ns=(index + 1) * 1000, index=index)
