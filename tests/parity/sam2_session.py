"""Transformers' streaming session with random weights, and a clip to track in: the reference of the parity tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import Sam2VideoConfig, Sam2VideoModel

from export.sam2_sizes import sam2_config
from icseg.inference.manifest import Manifest
from icseg.mask_ops.image_input import normalise_image
from icseg.tracker.inputs import prompt_tokens
from icseg.types import Frame, MaskBool, Prompt
from training.nano_config import nano_segmenter_config

FRAME_HW = (240, 426)
"""Neither square nor a multiple of anything, so that x and y cannot be confused."""


class PerObjectMemory(Sam2VideoModel):
    """Encodes each object's memory by itself."""

    def _batch_encode_memories(self, **arguments: Any) -> None:
        lists = {name: value for name, value in arguments.items() if isinstance(value, list)}
        for values in zip(*lists.values(), strict=True):
            single = {name: [value] for name, value in zip(lists, values, strict=True)}
            super()._batch_encode_memories(**{**arguments, **single})


def tiny_config(image_size: int = 128) -> Sam2VideoConfig:
    """SAM 2.1 tiny at a reduced resolution."""
    return sam2_config("tiny", image_size)


def small_config() -> Sam2VideoConfig:
    """The nano model's, with which random weights give masks that are neither empty nor full."""
    config = nano_segmenter_config()
    config.vision_config.fpn_top_down_levels = [2, 3]
    return config


def build_reference(config: Sam2VideoConfig | None = None) -> Sam2VideoModel:
    """Random weights, large enough that masks depend on prompt and memory; ``compare_stream`` checks that they do.

    Not the training's initialisation: the tolerances were measured with these weights.
    """
    torch.manual_seed(5)
    model = PerObjectMemory(config or small_config())
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Linear):
                torch.nn.init.xavier_uniform_(module.weight)
                torch.nn.init.zeros_(module.bias)
            elif isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                module.reset_parameters()
            elif isinstance(module, torch.nn.Embedding):
                torch.nn.init.normal_(module.weight, std=0.5)
        model.prompt_encoder.no_mask_embed.weight.zero_()
        for layer in model.memory_encoder.memory_fuser.layers:
            layer.scale.fill_(0.1)
        for embedding in (
            model.no_memory_embedding,
            model.no_object_pointer,
            model.memory_temporal_positional_encoding,
            model.occlusion_spatial_embedding_parameter,
        ):
            torch.nn.init.normal_(embedding, std=0.1)
        # random models hold two different matrices here; a checkpoint makes them one
        model.shared_image_embedding.positional_embedding.copy_(
            model.prompt_encoder.shared_embedding.positional_embedding
        )
    return model.eval()


def make_clip(count: int) -> list[Frame]:
    """Three discs that move over a textured ground."""
    ground = np.random.default_rng(3).integers(60, 120, (*FRAME_HW, 3), dtype=np.uint8)
    y, x = np.mgrid[: FRAME_HW[0], : FRAME_HW[1]]
    frames = []
    for index in range(count):
        image = ground.copy()
        for number, color in enumerate(((220, 40, 40), (40, 200, 60), (60, 80, 230))):
            center_x = FRAME_HW[1] * (0.25 + 0.25 * number) + 40 * np.cos(index / 12 + number)
            center_y = FRAME_HW[0] * 0.5 + 50 * np.sin(index / 17 + 2 * number)
            image[(x - center_x) ** 2 + (y - center_y) ** 2 < (18 + 6 * number) ** 2] = color
        frames.append(Frame(image, stamp_ns=(index + 1) * 33_000_000, index=index))
    return frames


def reference_masks(
    model: Sam2VideoModel, session: Any, manifest: Manifest, frame: Frame, prompt: tuple[int, Prompt] | None
) -> tuple[dict[int, MaskBool], dict[int, float]]:
    """One frame through transformers' session: masks at the frame's size and object scores, by object id."""
    if prompt is not None:
        object_id, geometry = prompt
        tokens = prompt_tokens(geometry, frame.hw, manifest.image_size, 11)
        is_given = tokens["point_labels"][0] >= 0
        place = session.obj_id_to_idx(object_id)
        inputs = {
            "point_coords": torch.from_numpy(tokens["point_coords"][:, None, is_given]),
            "point_labels": torch.from_numpy(tokens["point_labels"][:, None, is_given]),
        }
        session.add_point_inputs(place, frame.index, inputs)
        session.obj_with_new_inputs = [object_id]
    image = normalise_image(frame.image, manifest.image_size, manifest.image_mean, manifest.image_std)
    output = model(inference_session=session, frame=torch.from_numpy(image[0]))
    logits = torch.nn.functional.interpolate(output.pred_masks, frame.hw, mode="bilinear", align_corners=False)
    masks = {known: (logits[i, 0] > 0).numpy() for i, known in enumerate(output.object_ids)}
    scores = {known: float(output.object_score_logits[i]) for i, known in enumerate(output.object_ids)}
    return masks, scores
