"""The names and shapes of Meta's ``SAM2Base``, written down from its module structure.

Nothing here knows transformers' names.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

Shapes = dict[str, tuple[int, ...]]
HIERA = {
    "tiny": (96, (1, 2, 7, 2), (8, 4, 14, 7), 7),
    "small": (96, (1, 2, 11, 2), (8, 4, 14, 7), 7),
    "base-plus": (112, (2, 3, 16, 3), (8, 4, 14, 7), 14),
    "large": (144, (2, 6, 36, 4), (8, 4, 16, 8), 7),
}


def meta_shapes(size: str) -> Shapes:
    """Every tensor of a SAM 2.1 checkpoint of one size."""
    shapes: Shapes = {
        "maskmem_tpos_enc": (7, 1, 1, 64),
        "no_mem_embed": (1, 1, 256),
        "no_mem_pos_enc": (1, 1, 256),
        "no_obj_ptr": (1, 256),
        "no_obj_embed_spatial": (1, 64),
    }
    shapes |= _weights("mask_downsample", (1, 1, 4, 4))
    shapes |= _mlp("obj_ptr_proj", 256, 256, 256)
    shapes |= _weights("obj_ptr_tpos_proj", (64, 256))
    for part in (_image_encoder(size), _memory_attention(), _memory_encoder(), _prompt_encoder(), _mask_decoder()):
        shapes |= dict(part)
    return shapes


def meta_state(size: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights in Meta's names."""
    generator = torch.Generator().manual_seed(seed)
    return {name: 0.02 * torch.randn(shape, generator=generator) for name, shape in meta_shapes(size).items()}


def _weights(name: str, shape: tuple[int, ...], outputs: int | None = None) -> Shapes:
    return {f"{name}.weight": shape, f"{name}.bias": (outputs or shape[0],)}


def _norm(name: str, width: int) -> Shapes:
    return _weights(name, (width,))


def _mlp(name: str, inputs: int, hidden: int, outputs: int, layers: int = 3) -> Shapes:
    widths = [inputs] + [hidden] * (layers - 1) + [outputs]
    shapes: Shapes = {}
    for n in range(layers):
        shapes |= _weights(f"{name}.layers.{n}", (widths[n + 1], widths[n]))
    return shapes


def _attention(name: str, width: int = 256, inner: int = 256, keys: int | None = None) -> Shapes:
    shapes = _weights(f"{name}.q_proj", (inner, width))
    for part in ("k_proj", "v_proj"):
        shapes |= _weights(f"{name}.{part}", (inner, keys or width))
    return shapes | _weights(f"{name}.out_proj", (width, inner))


def _image_encoder(size: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    width, blocks, windows, background = HIERA[size]
    trunk = "image_encoder.trunk"
    shapes: Shapes = {
        f"{trunk}.pos_embed": (1, width, background, background),
        f"{trunk}.pos_embed_window": (1, width, windows[0], windows[0]),
    }
    shapes |= _weights(f"{trunk}.patch_embed.proj", (width, 3, 7, 7))
    number, now = 0, width
    for stage, count in enumerate(blocks):
        for _ in range(count):
            after, name = width * 2**stage, f"{trunk}.blocks.{number}"
            shapes |= _norm(f"{name}.norm1", now) | _norm(f"{name}.norm2", after)
            shapes |= _weights(f"{name}.attn.qkv", (3 * after, now)) | _weights(f"{name}.attn.proj", (after, after))
            shapes |= _mlp(f"{name}.mlp", after, 4 * after, after, layers=2)
            if after != now:
                shapes |= _weights(f"{name}.proj", (after, now))
            number, now = number + 1, after
    for level in range(4):
        shapes |= _weights(f"image_encoder.neck.convs.{level}.conv", (256, width * 2 ** (3 - level), 1, 1))
    yield from shapes.items()


def _memory_attention() -> Iterator[tuple[str, tuple[int, ...]]]:
    shapes = _norm("memory_attention.norm", 256)
    for n in range(4):
        name = f"memory_attention.layers.{n}"
        shapes |= _attention(f"{name}.self_attn") | _attention(f"{name}.cross_attn_image", keys=64)
        shapes |= _weights(f"{name}.linear1", (2048, 256)) | _weights(f"{name}.linear2", (256, 2048))
        for k in (1, 2, 3):
            shapes |= _norm(f"{name}.norm{k}", 256)
    yield from shapes.items()


def _memory_encoder() -> Iterator[tuple[str, tuple[int, ...]]]:
    encoder, shapes, channels = "memory_encoder.mask_downsampler.encoder", {}, 1
    for n in range(4):
        shapes |= _weights(f"{encoder}.{3 * n}", (4 * channels, channels, 3, 3))
        channels *= 4
        shapes |= _norm(f"{encoder}.{3 * n + 1}", channels)
    shapes |= _weights(f"{encoder}.12", (256, 256, 1, 1))
    shapes |= _weights("memory_encoder.pix_feat_proj", (256, 256, 1, 1))
    shapes |= _weights("memory_encoder.out_proj", (64, 256, 1, 1))
    for n in range(2):
        name = f"memory_encoder.fuser.layers.{n}"
        shapes |= {f"{name}.gamma": (256,)} | _weights(f"{name}.dwconv", (256, 1, 7, 7)) | _norm(f"{name}.norm", 256)
        shapes |= _weights(f"{name}.pwconv1", (1024, 256)) | _weights(f"{name}.pwconv2", (256, 1024))
    yield from shapes.items()


def _prompt_encoder() -> Iterator[tuple[str, tuple[int, ...]]]:
    name = "sam_prompt_encoder"
    shapes: Shapes = {f"{name}.pe_layer.positional_encoding_gaussian_matrix": (2, 128)}
    for embedding in (*(f"point_embeddings.{n}" for n in range(4)), "not_a_point_embed", "no_mask_embed"):
        shapes[f"{name}.{embedding}.weight"] = (1, 256)
    shapes |= _weights(f"{name}.mask_downscaling.0", (4, 1, 2, 2)) | _norm(f"{name}.mask_downscaling.1", 4)
    shapes |= _weights(f"{name}.mask_downscaling.3", (16, 4, 2, 2)) | _norm(f"{name}.mask_downscaling.4", 16)
    shapes |= _weights(f"{name}.mask_downscaling.6", (256, 16, 1, 1))
    yield from shapes.items()


def _mask_decoder() -> Iterator[tuple[str, tuple[int, ...]]]:
    name = "sam_mask_decoder"
    shapes: Shapes = {
        f"{name}.iou_token.weight": (1, 256),
        f"{name}.mask_tokens.weight": (4, 256),
        f"{name}.obj_score_token.weight": (1, 256),
    }
    for n in range(2):
        layer = f"{name}.transformer.layers.{n}"
        shapes |= _attention(f"{layer}.self_attn")
        for cross in ("cross_attn_token_to_image", "cross_attn_image_to_token"):
            shapes |= _attention(f"{layer}.{cross}", inner=128)
        shapes |= _mlp(f"{layer}.mlp", 256, 2048, 256, layers=2)
        for k in (1, 2, 3, 4):
            shapes |= _norm(f"{layer}.norm{k}", 256)
    shapes |= _attention(f"{name}.transformer.final_attn_token_to_image", inner=128)
    shapes |= _norm(f"{name}.transformer.norm_final_attn", 256)
    shapes |= _weights(f"{name}.output_upscaling.0", (256, 64, 2, 2), 64) | _norm(f"{name}.output_upscaling.1", 64)
    shapes |= _weights(f"{name}.output_upscaling.3", (64, 32, 2, 2), 32)
    shapes |= _weights(f"{name}.conv_s0", (32, 256, 1, 1)) | _weights(f"{name}.conv_s1", (64, 256, 1, 1))
    for n in range(4):
        shapes |= _mlp(f"{name}.output_hypernetworks_mlps.{n}", 256, 256, 32)
    shapes |= _mlp(f"{name}.iou_prediction_head", 256, 256, 4) | _mlp(f"{name}.pred_obj_score_head", 256, 256, 1)
    yield from shapes.items()
