"""SAM 2.1 checkpoints in Meta's own layout (``sam2.1_hiera_*.pt``) as transformers' ``Sam2VideoModel``.

The two hold the same tensors under other names; the four embeddings of prompt points are one table here. Names are
those of ``SAM2Base`` in facebookresearch/sam2. A ``.pt`` is read with torch's restricted loader: tensors only, no code.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import Sam2VideoModel

from export.sam2_sizes import SIZES, sam2_config
from icseg.errors import PlanMismatchError

_POINT_EMBEDDINGS = "prompt_encoder.point_embed"
_THREE_LAYERS = r"(output_hypernetworks_mlps\.\d+|iou_prediction_head|pred_obj_score_head|object_pointer_proj)"
"""Modules, in transformers' names, that are three Linear layers: numbered there, and named here by their place."""
_RULES = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"^image_encoder\.trunk\.", "vision_encoder.backbone."),
        (r"^image_encoder\.neck\.convs\.(\d+)\.conv\.", r"vision_encoder.neck.convs.\1."),
        (r"^sam_prompt_encoder\.", "prompt_encoder."),
        (r"^sam_mask_decoder\.", "mask_decoder."),
        (r"^obj_ptr_proj\.", "object_pointer_proj."),
        (r"^obj_ptr_tpos_proj\.", "temporal_positional_encoding_projection_layer."),
        (r"^maskmem_tpos_enc$", "memory_temporal_positional_encoding"),
        (r"^no_mem_embed$", "no_memory_embedding"),
        (r"^no_mem_pos_enc$", "no_memory_positional_encoding"),
        (r"^no_obj_ptr$", "no_object_pointer"),
        (r"^no_obj_embed_spatial$", "occlusion_spatial_embedding_parameter"),
        (r"\.patch_embed\.proj\.", ".patch_embed.projection."),
        (r"\.pe_layer\.positional_encoding_gaussian_matrix$", ".shared_embedding.positional_embedding"),
        (r"\.point_embeddings\.", ".point_embed."),
        (r"\.mask_downscaling\.0\.", ".mask_embed.conv1."),
        (r"\.mask_downscaling\.1\.", ".mask_embed.layer_norm1."),
        (r"\.mask_downscaling\.3\.", ".mask_embed.conv2."),
        (r"\.mask_downscaling\.4\.", ".mask_embed.layer_norm2."),
        (r"\.mask_downscaling\.6\.", ".mask_embed.conv3."),
        (r"\.output_upscaling\.0\.", ".upscale_conv1."),
        (r"\.output_upscaling\.1\.", ".upscale_layer_norm."),
        (r"\.output_upscaling\.3\.", ".upscale_conv2."),
        (r"^memory_encoder\.pix_feat_proj\.", "memory_encoder.feature_projection."),
        (r"^memory_encoder\.out_proj\.", "memory_encoder.projection."),
        (r"^memory_encoder\.fuser\.", "memory_encoder.memory_fuser."),
        (r"\.mask_downsampler\.encoder\.12\.", ".mask_downsampler.final_conv."),
        (r"\.dwconv\.", ".depthwise_conv."),
        (r"\.pwconv(\d)\.", r".pointwise_conv\1."),
        (r"\.gamma$", ".scale"),
        (r"\.out_proj\.", ".o_proj."),
        (r"\.norm(\d?)\.", r".layer_norm\1."),
        (r"\.norm_final_attn\.", ".layer_norm_final_attn."),
        (r"\.mlp\.layers\.0\.", ".mlp.proj_in."),
        (r"\.mlp\.layers\.1\.", ".mlp.proj_out."),
        (_THREE_LAYERS + r"\.layers\.0\.", r"\1.proj_in."),
        (_THREE_LAYERS + r"\.layers\.1\.", r"\1.layers.0."),
        (_THREE_LAYERS + r"\.layers\.2\.", r"\1.proj_out."),
    )
)
"""Parts of Meta's names -> what stands there in transformers'; all of them are applied, in this order."""
_DOWNSAMPLER = re.compile(r"\.mask_downsampler\.encoder\.(\d+)\.")
"""Convolution, norm and activation in turns, one group a halving; the last convolution stands alone."""


def renamed(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same tensors under transformers' names.

    Args:
        state: Meta's name -> tensor.
    """
    result = {_renamed(name): tensor for name, tensor in state.items()}
    points = sorted(name for name in result if name.startswith(f"{_POINT_EMBEDDINGS}."))
    if points:
        result[f"{_POINT_EMBEDDINGS}.weight"] = torch.cat([result.pop(name) for name in points])
    shared = "prompt_encoder.shared_embedding.positional_embedding"
    if shared in result:
        # one matrix in two places: prompts and pixels live in the same coordinates
        result["shared_image_embedding.positional_embedding"] = result[shared]
    return result


def _renamed(name: str) -> str:
    for pattern, replacement in _RULES:
        name = pattern.sub(replacement, name)
    return _DOWNSAMPLER.sub(_downsampler_name, name)


def _downsampler_name(match: re.Match[str]) -> str:
    group, part = divmod(int(match[1]), 3)
    return f".mask_downsampler.layers.{group}.{('conv', 'layer_norm')[part]}."


def size_of(state: Mapping[str, torch.Tensor]) -> str:
    """Which of ``SIZES`` a checkpoint in Meta's names is, from its encoder's width and depth.

    Raises:
        PlanMismatchError: it is none of them.
    """
    first = state.get("image_encoder.trunk.patch_embed.proj.weight")
    if first is None:
        raise PlanMismatchError(
            f"not a SAM 2 checkpoint: expected image_encoder.trunk.* among its tensors, got {sorted(state)[:3]}"
        )
    numbers = [int(match[1]) for name in state if (match := re.match(r"image_encoder\.trunk\.blocks\.(\d+)\.", name))]
    width, depth = int(first.shape[0]), max(numbers, default=-1) + 1
    for name, size in SIZES.items():
        if (width, depth) == (size.width, sum(size.blocks)):
            return name
    known = ", ".join(f"{name} {size.width} x {sum(size.blocks)}" for name, size in SIZES.items())
    raise PlanMismatchError(f"SAM 2 checkpoint: expected an encoder of {known}; got width {width}, {depth} blocks")


def load_meta_checkpoint(path: Path, resolution: int = 1024) -> Sam2VideoModel:
    """Read a checkpoint of any of the four sizes.

    Args:
        path: the ``.pt`` file.
        resolution: side of the input the model is to run at.

    Returns:
        The model in evaluation mode, float32.

    Raises:
        PlanMismatchError: the file is not a whole SAM 2.1 checkpoint; says what is missing.
        ValueError: as ``sam2_config``.
    """
    state = _read(path)
    if "no_obj_embed_spatial" not in state and "image_encoder.trunk.patch_embed.proj.weight" in state:
        raise PlanMismatchError(f"{path.name}: expected SAM 2.1, got SAM 2.0; use one of sam2.1_hiera_*.pt")
    try:
        config = sam2_config(size_of(state), resolution)
    except PlanMismatchError as error:
        raise PlanMismatchError(f"{path.name}: {error}") from None
    model = Sam2VideoModel(config)
    given, expected = renamed(state), model.state_dict()
    faults = [f"missing {name}" for name in expected if name not in given]
    faults += [f"unknown {name}" for name in given if name not in expected]
    faults += [
        f"{name} is {tuple(tensor.shape)}, expected {tuple(expected[name].shape)}"
        for name, tensor in given.items()
        if name in expected and tensor.shape != expected[name].shape
    ]
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise PlanMismatchError(f"{path.name}: not a SAM 2.1 checkpoint: {'; '.join(faults[:3])}{more}")
    model.load_state_dict({name: tensor.float() for name, tensor in given.items()})
    return model.eval()


def _read(path: Path) -> dict[str, torch.Tensor]:
    if not path.is_file():
        raise PlanMismatchError(f"{path}: no such checkpoint")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).split(". ")[0] or type(error).__name__
        raise PlanMismatchError(f"{path.name}: cannot be read, truncated or no checkpoint: {reason}") from error
    state = content.get("model") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise PlanMismatchError(f"{path.name}: expected Meta's layout, a dict 'model' of tensors; got something else")
    return state
