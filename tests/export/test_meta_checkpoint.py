"""Meta's checkpoints and transformers' weights are the same tensors, for every size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import Sam2VideoModel

from export.meta_checkpoint import load_meta_checkpoint, renamed, size_of
from export.sam2_sizes import SIZES, sam2_config
from icseg.errors import PlanMismatchError
from tests.export.meta_layout import HIERA, meta_shapes, meta_state

GOLDEN = {
    "image_encoder.trunk.blocks.1.norm1.weight": "vision_encoder.backbone.blocks.1.layer_norm1.weight",
    "image_encoder.trunk.blocks.1.mlp.layers.1.bias": "vision_encoder.backbone.blocks.1.mlp.proj_out.bias",
    "image_encoder.neck.convs.2.conv.weight": "vision_encoder.neck.convs.2.weight",
    "memory_attention.layers.3.self_attn.out_proj.bias": "memory_attention.layers.3.self_attn.o_proj.bias",
    "memory_attention.norm.weight": "memory_attention.layer_norm.weight",
    "memory_encoder.mask_downsampler.encoder.7.weight": "memory_encoder.mask_downsampler.layers.2.layer_norm.weight",
    "memory_encoder.out_proj.weight": "memory_encoder.projection.weight",
    "memory_encoder.fuser.layers.1.gamma": "memory_encoder.memory_fuser.layers.1.scale",
    "obj_ptr_proj.layers.1.weight": "object_pointer_proj.layers.0.weight",
    "obj_ptr_tpos_proj.weight": "temporal_positional_encoding_projection_layer.weight",
    "sam_mask_decoder.iou_prediction_head.layers.2.bias": "mask_decoder.iou_prediction_head.proj_out.bias",
    "sam_mask_decoder.pred_obj_score_head.layers.0.weight": "mask_decoder.pred_obj_score_head.proj_in.weight",
    "sam_mask_decoder.transformer.norm_final_attn.bias": "mask_decoder.transformer.layer_norm_final_attn.bias",
    "sam_prompt_encoder.mask_downscaling.4.bias": "prompt_encoder.mask_embed.layer_norm2.bias",
}


@pytest.mark.parametrize("size", list(SIZES))
def test_names_and_shapes_are_those_of_the_model(size: str) -> None:
    with torch.device("meta"):
        state = {name: torch.empty(shape) for name, shape in meta_shapes(size).items()}
        expected = Sam2VideoModel(sam2_config(size)).state_dict()
        given = renamed(state)
    assert {name: tensor.shape for name, tensor in given.items()} == {n: t.shape for n, t in expected.items()}
    assert size_of(state) == size


def test_every_tensor_goes_where_it_belongs() -> None:
    state = meta_state("tiny")
    given = renamed(state)
    for meta, ours in GOLDEN.items():
        assert given[ours] is state[meta]
    for n in range(4):
        row = state[f"sam_prompt_encoder.point_embeddings.{n}.weight"]
        assert torch.equal(given["prompt_encoder.point_embed.weight"][n : n + 1], row)
    # nothing is left out and nothing is there twice, but for the matrix that prompts and pixels share
    matrix = state["sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"]
    assert given["shared_image_embedding.positional_embedding"] is matrix
    assert sum(t.numel() for t in given.values()) == sum(t.numel() for t in state.values()) + matrix.numel()


def test_a_checkpoint_loads_at_another_resolution(tmp_path: Path) -> None:
    state = meta_state("tiny")
    torch.save({"model": state}, tmp_path / "sam2.1_hiera_tiny.pt")
    model = load_meta_checkpoint(tmp_path / "sam2.1_hiera_tiny.pt", resolution=512)
    loaded = model.state_dict()
    assert all(torch.equal(loaded[ours], state[meta]) for meta, ours in GOLDEN.items())
    assert not model.training
    with torch.no_grad():
        maps = model.vision_encoder(torch.zeros(1, 3, 512, 512), return_dict=True).fpn_hidden_states
    assert [tuple(level.shape[-2:]) for level in maps] == [(128, 128), (64, 64), (32, 32)]


def spoilt(tmp_path: Path, **changes: object) -> Path:
    """A checkpoint with tensors replaced, or left out where the change is None; nothing large is in it."""
    state: dict[str, object] = {
        name: torch.zeros(1).expand(shape) if len(shape) else torch.zeros(())
        for name, shape in meta_shapes("tiny").items()
    }
    for name, value in changes.items():
        name = name.replace("__", ".")
        if value is None:
            del state[name]
        else:
            state[name] = value
    path = tmp_path / "spoilt.pt"
    torch.save({"model": state}, path)
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"memory_attention__norm__weight": None}, "missing memory_attention.layer_norm.weight"),
        ({"maskmem_tpos_enc": torch.zeros(6, 1, 1, 64)}, r"is \(6, 1, 1, 64\), expected \(7, 1, 1, 64\)"),
        ({"no_obj_embed_spatial": None}, "expected SAM 2.1, got SAM 2.0"),
        ({"image_encoder__trunk__patch_embed__proj__weight": torch.zeros(64, 3, 7, 7)}, "got width 64, 12 blocks"),
        ({"something__new": torch.zeros(1)}, "unknown something.new"),
        ({"no_mem_embed": 3}, "expected Meta's layout"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(PlanMismatchError, match=message):
        load_meta_checkpoint(spoilt(tmp_path, **changes))


def test_not_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(PlanMismatchError, match="no such checkpoint"):
        load_meta_checkpoint(tmp_path / "none.pt")
    whole = spoilt(tmp_path)
    (tmp_path / "cut.pt").write_bytes(whole.read_bytes()[:1000])
    (tmp_path / "text.pt").write_text("hello")
    for name in ("cut.pt", "text.pt"):
        with pytest.raises(PlanMismatchError, match=f"{name}: cannot be read, truncated or no checkpoint"):
            load_meta_checkpoint(tmp_path / name)
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(PlanMismatchError, match="expected Meta's layout"):
        load_meta_checkpoint(tmp_path / "list.pt")


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    torch.save({"model": Trap()}, tmp_path / "trap.pt")
    with pytest.raises(PlanMismatchError, match="cannot be read"):
        load_meta_checkpoint(tmp_path / "trap.pt")
    assert not (tmp_path / "sprung").exists()


def test_unknown_sizes_and_resolutions() -> None:
    assert set(HIERA) == set(SIZES)
    with pytest.raises(ValueError, match="expected one of tiny, small, base-plus, large, got 'huge'"):
        sam2_config("huge")
    with pytest.raises(ValueError, match="multiple of 32, got 500"):
        sam2_config("tiny", 500)
