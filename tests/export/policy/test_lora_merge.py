"""A merged adapter gives the weights that adding its products by hand gives; what cannot be merged is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen3VLForConditionalGeneration

from export.policy.lora_merge import ADAPTER_NAME, merge_lora
from export.policy.models import PolicyCheckpoint, find_policy, read_checkpoint
from icseg.errors import PlanMismatchError
from tests.export.policy.tiny_policy import ADAPTED, QUERY, make_checkpoint, write_adapter


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> PolicyCheckpoint:
    return find_policy(str(make_checkpoint(tmp_path_factory.mktemp("tiny") / "tiny-vl")))


@pytest.mark.parametrize(("rslora", "scale"), [(False, 2.0), (True, 4.0)])
def test_merged(checkpoint: PolicyCheckpoint, tmp_path: Path, rslora: bool, scale: float) -> None:
    adapter = write_adapter(tmp_path / "lora", use_rslora=rslora)
    assert merge_lora(checkpoint, tmp_path / "lora", tmp_path / "out") == 2
    before, after = load_file(checkpoint.weights[0]), load_file(tmp_path / "out" / "model.safetensors")
    assert before.keys() == after.keys()
    for name, weight in before.items():
        module = name.removesuffix(".weight")
        if module not in ADAPTED:
            assert torch.equal(after[name], weight)
            continue
        key = f"base_model.model.{module}"
        product = adapter[f"{key}.lora_B.weight"] @ adapter[f"{key}.lora_A.weight"]
        assert torch.equal(after[name], (weight.float() + scale * product).half())
    assert read_checkpoint(tmp_path / "out", "merged").fingerprint() != checkpoint.fingerprint()
    model = Qwen3VLForConditionalGeneration.from_pretrained(tmp_path / "out")
    assert torch.equal(model.get_submodule(QUERY).weight.half(), after[f"{QUERY}.weight"])


def test_names_in_files_that_differ_from_memory(checkpoint: PolicyCheckpoint, tmp_path: Path) -> None:
    """Qwen2.5-VL's files keep the names of before: model.layers, not model.language_model.layers."""
    write_adapter(tmp_path / "lora")
    old = tmp_path / "old"
    old.mkdir()
    for path in checkpoint.folder.iterdir():
        (old / path.name).write_bytes(path.read_bytes())
    tensors = load_file(old / "model.safetensors")
    renamed = {name.replace("model.language_model.", "model."): value for name, value in tensors.items()}
    save_file(renamed, old / "model.safetensors")
    assert merge_lora(read_checkpoint(old, "old"), tmp_path / "lora", tmp_path / "out") == 2
    name = f"{QUERY}.weight".replace("model.language_model.", "model.")
    assert not torch.equal(load_file(tmp_path / "out" / "model.safetensors")[name], renamed[name])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peft_type": "IA3"}, "of type LORA, got 'IA3'"),
        ({"use_dora": True}, "use_dora = True cannot be merged"),
        ({"bias": "all"}, "bias = 'all' cannot be merged"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"rank_pattern": {"q_proj": 2}}, "rank_pattern"),
        ({"r": 0}, "expected r and lora_alpha"),
    ],
)
def test_refused(checkpoint: PolicyCheckpoint, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    write_adapter(tmp_path / "lora", **changes)
    with pytest.raises(PlanMismatchError, match=message):
        merge_lora(checkpoint, tmp_path / "lora", tmp_path / "out")


def test_broken_adapters(checkpoint: PolicyCheckpoint, tmp_path: Path) -> None:
    lora = tmp_path / "lora"
    tensors = write_adapter(lora)

    def refused(changed: dict[str, torch.Tensor], message: str) -> None:
        save_file(changed, lora / ADAPTER_NAME)
        with pytest.raises(PlanMismatchError, match=message):
            merge_lora(checkpoint, lora, tmp_path / message.split()[0])

    key = f"base_model.model.{QUERY}"
    refused({**tensors, f"{key}.lora_B.weight": torch.zeros(128, 4)}, "expected .256, 256., got .128, 256.")
    refused({**tensors, f"{key}.lora_B.weight": torch.zeros(256, 3)}, "A and B do not fit")
    refused({**tensors, "odd": torch.zeros(1)}, "pairs of lora_A and lora_B, got odd")
    strange = {name.replace("layers.0", "layers.9"): value for name, value in tensors.items()}
    refused(strange, "is not in .* made for another model")
    (lora / ADAPTER_NAME).unlink()
    torch.save(tensors, lora / "adapter_model.bin")
    with pytest.raises(PlanMismatchError, match="pickled adapters are never read"):
        merge_lora(checkpoint, lora, tmp_path / "pickled")
