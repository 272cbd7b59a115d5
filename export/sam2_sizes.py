"""SAM 2.1's four sizes as transformers configurations, at any resolution the graphs are made for.

Source of the numbers: the configuration files ``sam2.1_hiera_{t,s,b+,l}.yaml`` of facebookresearch/sam2.
"""

from __future__ import annotations

from dataclasses import dataclass

from transformers import Sam2VideoConfig

STRIDE = 16
"""Pixels of the input, along a side, of one cell of the features that memory and decoder work on."""


@dataclass(frozen=True, slots=True)
class Sam2Size:
    """What tells one size's encoder from another's.

    Attributes:
        width: channels of the first of four levels (Hiera calls them stages); they double with each of the others.
        blocks: how many each level has.
        global_blocks: numbers of the blocks that attend to the whole map.
        windows: side of the attention windows of each level.
        heads: attention heads of the first level; they double as the width does.
        background: side of the learned positional map.
    """

    width: int
    blocks: tuple[int, int, int, int]
    global_blocks: tuple[int, int, int]
    windows: tuple[int, int, int, int] = (8, 4, 14, 7)
    heads: int = 1
    background: int = 7


SIZES = {
    "tiny": Sam2Size(96, (1, 2, 7, 2), (5, 7, 9)),
    "small": Sam2Size(96, (1, 2, 11, 2), (7, 10, 13)),
    "base-plus": Sam2Size(112, (2, 3, 16, 3), (12, 16, 20), heads=2, background=14),
    "large": Sam2Size(144, (2, 6, 36, 4), (23, 33, 43), windows=(8, 4, 16, 8), heads=2),
}


def sam2_config(name: str, resolution: int = 1024) -> Sam2VideoConfig:
    """The configuration of one size.

    Args:
        name: a key of ``SIZES``.
        resolution: side of the square input in pixels; a multiple of 32.

    Raises:
        ValueError: an unknown size, or a resolution that is not a multiple of 32.
    """
    if name not in SIZES:
        raise ValueError(f"SAM 2.1 size: expected one of {', '.join(SIZES)}, got {name!r}")
    size = SIZES[name]
    widths = [size.width * 2**level for level in range(4)]
    config = Sam2VideoConfig(
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": size.width,
                "num_attention_heads": size.heads,
                "embed_dim_per_stage": widths,
                "num_attention_heads_per_stage": [size.heads * 2**level for level in range(4)],
                "blocks_per_stage": list(size.blocks),
                "global_attention_blocks": list(size.global_blocks),
                "window_size_per_stage": list(size.windows),
                "window_positional_embedding_background_size": [size.background] * 2,
            },
            "backbone_channel_list": widths[::-1],
        },
        max_cond_frame_num=-1,
    )
    return at_resolution(config, resolution)


def at_resolution(config: Sam2VideoConfig, resolution: int) -> Sam2VideoConfig:
    """The configuration with every number that follows from the input's side; changed in place and returned.

    Raises:
        ValueError: the resolution is not a positive multiple of 32: a level's map would not have a whole side.
    """
    if resolution <= 0 or resolution % (2 * STRIDE):
        raise ValueError(f"resolution: expected a positive multiple of {2 * STRIDE}, got {resolution}")
    side = resolution // STRIDE
    config.image_size = config.prompt_encoder_config.image_size = resolution
    config.vision_config.backbone_config.image_size = [resolution, resolution]
    config.vision_config.backbone_feature_sizes = [[side * 4] * 2, [side * 2] * 2, [side] * 2]
    config.memory_attention_rope_feat_sizes = [side, side]
    return config
