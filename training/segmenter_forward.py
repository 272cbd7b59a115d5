"""The tracker's algorithm in PyTorch with gradients, over a batch of things: what the runtime does, for training.

It calls the library's modules and not its video session: the session replaces the logits of things that it scores as
absent, which kills the gradient of an untrained network, and it loops over things one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from transformers import Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import get_1d_sine_pe

from training.precision import half


@dataclass(slots=True)
class Features:
    """Encoder outputs of F frames: vision (F, C, h, w), high0 (F, C/8, 4h, 4w), high1 (F, C/4, 2h, 2w)."""

    vision: torch.Tensor
    high0: torch.Tensor
    high1: torch.Tensor

    def select(self, frames: torch.Tensor) -> Features:
        """The rows of some frames (a row may be taken several times: one per thing)."""
        # index_select: its gradient is several times cheaper on the CPU than that of indexing
        return Features(*(part.index_select(0, frames) for part in (self.vision, self.high0, self.high1)))


@dataclass(slots=True)
class Decoded:
    """One decoder pass over N things.

    Attributes:
        logits: (N, 4h, 4w).
        iou, score: (N,).
        pointer: (N, C).
        conditioned: (N, C, h, w) features that it was made from.
    """

    logits: torch.Tensor
    iou: torch.Tensor
    score: torch.Tensor
    pointer: torch.Tensor
    conditioned: torch.Tensor


def encode(model: Sam2VideoModel, pixels: torch.Tensor) -> Features:
    """(F, 3, S, S) -> features, float32."""
    with half():
        maps = model.vision_encoder(pixels, return_dict=True).fpn_hidden_states
    high0, high1, vision = (feature_map.float() for feature_map in maps)
    return Features(vision, model.mask_decoder.conv_s0(high0), model.mask_decoder.conv_s1(high1))


def decode(
    model: Sam2VideoModel,
    features: Features,
    conditioned: torch.Tensor,
    coords: torch.Tensor,
    labels: torch.Tensor,
    masks: torch.Tensor | None = None,
) -> Decoded:
    """Decode N things, each with its own conditioned features, P prompt points and perhaps (4h, 4w) prompt logits."""
    sparse, dense = model.prompt_encoder(
        input_points=coords[:, None],
        input_labels=labels[:, None],
        input_boxes=None,
        input_masks=None if masks is None else masks[:, None],
    )
    position = model.get_image_wide_positional_embeddings().expand(len(conditioned), -1, -1, -1)
    with half():
        outputs = model.mask_decoder(
            image_embeddings=conditioned,
            image_positional_embeddings=position,
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
            high_resolution_features=[features.high0, features.high1],
        )
    masks, iou, tokens, score = (output.float() for output in outputs)
    score = score[:, 0, 0]
    pointer = model.object_pointer_proj(tokens[:, 0, 0])
    is_there = (score > 0).float()[:, None]
    pointer = is_there * pointer + (1 - is_there) * model.no_object_pointer
    return Decoded(masks[:, 0, 0], iou[:, 0, 0], score, pointer, conditioned)


def no_prompt(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The empty prompt of a tracked frame: one point labelled "not a point"."""
    return torch.zeros(count, 1, 2), -torch.ones(count, 1, dtype=torch.long)


def encode_memory(
    model: Sam2VideoModel,
    vision: torch.Tensor,
    decoded: Decoded,
    binarize: bool,
    spoilt: torch.Tensor | None = None,
) -> torch.Tensor:
    """(N, C, h, w) features and N masks -> (h*w, N, 64) memories, as the video model writes them.

    Args:
        spoilt: (N, 4h, 4w) logits to remember instead of the decoded ones; those of absent things stay absent.
    """
    side = model.config.image_size
    absent = decoded.score <= 0
    if spoilt is not None:
        decoded = replace(decoded, logits=spoilt)
    logits = torch.where(absent[:, None, None], torch.full_like(decoded.logits, -1024.0), decoded.logits)
    large = F.interpolate(logits[:, None], size=(side, side), mode="bilinear", align_corners=False)
    shown = (large > 0).float() if binarize else large.sigmoid()
    scaled = shown * model.config.sigmoid_scale_for_mem_enc + model.config.sigmoid_bias_for_mem_enc
    with half():
        memory, _ = model.memory_encoder(vision, scaled)
    not_there = absent.float()[:, None, None, None]
    memory = memory.float() + not_there * model.occlusion_spatial_embedding_parameter[..., None, None]
    return memory.flatten(2).permute(2, 0, 1)


def attend(
    model: Sam2VideoModel,
    vision: torch.Tensor,
    memories: list[tuple[int, torch.Tensor]],
    pointers: list[tuple[float, torch.Tensor]],
) -> torch.Tensor:
    """Condition N things' features on their memories.

    Args:
        vision: (N, C, h, w).
        memories: (offset, (h*w, N, 64)); offset 0 = the conditioning frame, 1..6 = how many writes ago.
        pointers: (age in frames, (N, C)).

    Returns:
        (N, C, h, w).
    """
    count, channels, height, width = vision.shape
    place = model.memory_encoder.position_encoding((1, 64, height, width), vision.device, vision.dtype)
    place = place.flatten(2).permute(2, 0, 1)
    keys = [memory for _, memory in memories]
    times = [
        (place + model.memory_temporal_positional_encoding[offset - 1]).expand(-1, count, -1) for offset, _ in memories
    ]
    ages = torch.tensor([age for age, _ in pointers]) / (model.config.max_object_pointers_in_encoder - 1)
    age_codes = model.temporal_positional_encoding_projection_layer(get_1d_sine_pe(ages, dim=channels))
    parts = channels // model.mem_dim
    tokens = torch.stack([pointer for _, pointer in pointers]).reshape(-1, count, parts, model.mem_dim)
    keys.append(tokens.permute(0, 2, 1, 3).flatten(0, 1))
    times.append(age_codes.repeat_interleave(parts, 0)[:, None].expand(-1, count, -1))
    flat = vision.flatten(2).permute(2, 0, 1)
    sine = model.vision_encoder.neck.position_encoding(vision.shape, vision.device, vision.dtype)
    with half():
        out = model.memory_attention(
            current_vision_features=flat,
            current_vision_position_embeddings=sine.flatten(2).permute(2, 0, 1),
            memory=torch.cat(keys),
            memory_posision_embeddings=torch.cat(times),
            num_object_pointer_tokens=len(pointers) * parts,
        ).float()
    # the library lays a batch of things out as (1, N, h*w, C)
    return out.squeeze(0).permute(0, 2, 1).reshape(count, channels, height, width)


def random_offsets(count: int, rng: np.random.Generator) -> list[int]:
    """Offsets 1..6 for ``count`` memories, newest first: clips are short, the runtime's memory is not."""
    return sorted(int(value) for value in rng.choice(np.arange(1, 7), size=count, replace=False))
