"""The logits that the benchmark of the mask operations works on: real ones, and ones at either end of what is hard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from icseg.assets import nano_models
from icseg.inference.manifest import load_manifest
from icseg.inference.runner import Runner, TensorSpec
from icseg.inference.runner_onnxruntime import OnnxRuntimeRunner
from icseg.sim.clip_file import load_clip
from icseg.tracker import graphs
from icseg.tracker.loading import KIND
from icseg.tracker.tracker import Tracker
from icseg.types import Array, Logits, Prompt

SYNTHETIC_SIDE = 256
"""The side of SAM 2.1's logits for a 1024 x 1024 image."""
FIRST_FRAME = 15
"""The number of a frame of the recorded clip in which every thing is in view."""


@dataclass
class Listener:
    """A mask decoder that keeps what it says."""

    runner: Runner
    heard: list[Logits] = field(default_factory=list)

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """As the decoder has it."""
        return self.runner.inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """As the decoder has it."""
        return self.runner.outputs

    @property
    def backend(self) -> str:
        """As the decoder has it."""
        return self.runner.backend

    def run(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        """Run it."""
        outputs = self.runner.run(feeds)
        self.heard.append(outputs["mask_logits"][0, 0].copy())
        return outputs


def nano_logits(count: int, frames: int = 20) -> Logits:
    """(count, h, w): what the nano SAM 2 says while it tracks the things of the recorded clip."""
    folder = nano_models() / "segmenter"
    manifest = load_manifest(folder, kind=KIND)
    facts = graphs.SegmenterFacts.from_mapping(manifest.image_size, manifest.facts)
    runners: dict[str, Runner] = {
        name: OnnxRuntimeRunner(folder / manifest.files[name].file, threads=1) for name in graphs.GRAPH_NAMES
    }
    listener = Listener(runners[graphs.MASK_DECODER])
    tracker = Tracker({**runners, graphs.MASK_DECODER: listener}, manifest, facts)
    sims = list(load_clip())[FIRST_FRAME : FIRST_FRAME + frames]
    for thing in sorted(sims[0].things):
        box = sims[0].box_image_px(thing)
        if box is None or len(listener.heard) >= 3 * count:
            continue
        state = tracker.start(sims[0].frame, Prompt(box))
        for sim in sims[1:]:
            tracker.step(state, sim.frame)
    seen = [logits for logits in listener.heard if (logits > 0).any()]
    return np.stack([seen[index] for index in np.linspace(0, len(seen) - 1, count).astype(int)])


def synthetic_logits(count: int) -> dict[str, Logits]:
    """Kind -> (count, 256, 256): smooth ellipses, the same with a speckled edge, white noise, empty, full."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SYNTHETIC_SIDE, :SYNTHETIC_SIDE].astype(np.float32)
    smooth = []
    for _ in range(count):
        centre, radius = rng.uniform(60, 196, 2), rng.uniform(20, 60, 2)
        smooth.append(10 * (1 - np.hypot((x - centre[0]) / radius[0], (y - centre[1]) / radius[1])))
    ellipses = np.stack(smooth).astype(np.float32)
    noise = rng.normal(0, 1, ellipses.shape).astype(np.float32)
    return {
        "smooth": ellipses,
        "speckled": ellipses + 2 * noise,
        "noise": 4 * noise,
        "empty": np.full_like(ellipses, -6),
        "full": np.full_like(ellipses, 6),
    }
