"""Checkpoints of a policy: what is found, what is refused, and that our messages fit the limits we build for."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from export.policy.limits import policy_limits
from export.policy.models import ARCHITECTURES, find_policy
from icseg.dialogue.actions import Answer, Ask, SelectKeyframe
from icseg.dialogue.chat.messages import ImageEncoder, dialogue_messages
from icseg.dialogue.chat.policy import load_prompt
from icseg.dialogue.dialogue import Dialogue, Observation, Turn
from icseg.dialogue.observations import CONTEXT_SIDE_PX, KEYFRAME_SIDE_PX
from icseg.errors import ConfigError, PlanMismatchError
from tests.conftest import make_frame
from tests.export.policy.tiny_policy import make_checkpoint, make_model, make_tokenizer


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("tiny") / "tiny-vl")


@pytest.fixture
def folder(shared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(shared, tmp_path / "tiny-vl"))


def test_found(folder: Path) -> None:
    found = find_policy(str(folder))
    assert (found.name, found.architecture.name, found.size) == ("tiny-vl", "Qwen3-VL", "custom")
    assert found.weight_bytes == found.largest_bytes == (folder / "model.safetensors").stat().st_size
    before = found.fingerprint()
    make_model(make_tokenizer(), seed=1).save_pretrained(folder)
    assert find_policy(str(folder)).fingerprint() != before


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("config.json", '{"model_type": "llama"}', "expected a model of type qwen3_vl or qwen2_5_vl, got 'llama'"),
        ("config.json", "{", "not readable as JSON"),
        ("config.json", "[]", "expected a JSON object"),
        ("config.json", None, r"config\.json is missing"),
        ("preprocessor_config.json", None, r"preprocessor_config\.json is missing"),
        ("chat_template.jinja", None, "no chat template"),
        ("model.safetensors", None, "pickled weights are never read"),
        ("model.safetensors", "truncated", "not a whole safetensors file"),
        ("modeling_evil.py", "print()", r"code of its own \(modeling_evil\.py\)"),
        ("tokenizer_config.json", '{"auto_map": {}}', r"code of its own \(auto_map\)"),
        ("model.safetensors.index.json", '{"weight_map": {"a": "b.safetensors"}}', "b.safetensors is missing"),
    ],
)
def test_refused(folder: Path, file: str, text: str | None, message: str) -> None:
    if text is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(text)
    with pytest.raises(PlanMismatchError, match=message):
        find_policy(str(folder))


def test_nothing_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match="To fetch a hub id: hf download nobody/nothing"):
        find_policy("nobody/nothing")


@pytest.mark.parametrize("side", [CONTEXT_SIDE_PX, KEYFRAME_SIDE_PX])
@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_visual_tokens_are_the_preprocessors(kind: str, side: int) -> None:
    architecture = ARCHITECTURES[kind]
    processor = Qwen2VLImageProcessorPil(patch_size=architecture.patch_px, merge_size=architecture.merge)
    grid = processor(np.zeros((side, side, 3), np.uint8), return_tensors="pt")["image_grid_thw"]
    assert math.prod(grid[0].tolist()) // architecture.merge**2 == architecture.visual_tokens(side)


def longest_dialogue() -> Dialogue:
    """Five questions, the keyframe and one change of mind, each with more thinking than a policy is asked for."""
    words = "one of several things that fit, they differ in colour, and the question divides them evenly. " * 3
    dialogue = Dialogue("the mug", {index: make_frame(index) for index in range(0, 30, 5)})
    for _ in range(5):
        dialogue.turns.append(
            Turn(Ask("Is the target red or blue?", thinking=words), observation=Observation("answer"))
        )
    for frame_id in (5, 10):
        keyframe = Observation("keyframe", frame_id=frame_id)
        dialogue.turns.append(Turn(SelectKeyframe(frame_id, thinking=words), observation=keyframe))
    dialogue.turns.append(Turn(Answer((1, 1, 9, 9), (5, 5), thinking=words)))
    return dialogue


@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_the_longest_dialogue_fits_the_limits(kind: str) -> None:
    architecture = ARCHITECTURES[kind]
    limits = policy_limits(architecture)
    messages = dialogue_messages(longest_dialogue(), load_prompt("search"), ImageEncoder())
    tokenizer = make_tokenizer()
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    assert text.count("<|vision_start|><|image_pad|><|vision_end|>") == 8
    images = 6 * architecture.visual_tokens(CONTEXT_SIDE_PX) + 2 * architecture.visual_tokens(KEYFRAME_SIDE_PX)
    # The tiny vocabulary needs more tokens for a text than a real one, so this bounds it from above.
    total = len(tokenizer(text)["input_ids"]) - 8 + images
    assert images <= limits.max_image_tokens < limits.max_input_tokens
    assert total <= limits.max_input_tokens
    assert architecture.visual_tokens(KEYFRAME_SIDE_PX) <= limits.max_image_tokens_per_image
    assert 6 * architecture.visual_tokens(CONTEXT_SIDE_PX) > 1024, "the builder's default would do after all"


def test_six_frames_go_through_the_model() -> None:
    """Image tokens in the text and features of the pictures are equally many, or the model itself raises."""
    tokenizer = make_tokenizer()
    dialogue = Dialogue("the mug", {index: make_frame(index) for index in range(6)})
    messages = dialogue_messages(dialogue, load_prompt("search"), ImageEncoder())
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    text = text.replace("<|image_pad|>", "<|image_pad|>" * 196)
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    processor = Qwen2VLImageProcessorPil(patch_size=16)
    pictures = [np.full((CONTEXT_SIDE_PX, CONTEXT_SIDE_PX, 3), 40 * n, np.uint8) for n in range(6)]
    pixels = processor(pictures, return_tensors="pt")
    model = make_model(tokenizer).float()
    marks = (ids == model.config.image_token_id).int()
    with torch.no_grad():
        logits = model(
            input_ids=ids,
            pixel_values=pixels["pixel_values"],
            image_grid_thw=pixels["image_grid_thw"],
            mm_token_type_ids=marks,
            logits_to_keep=1,
        ).logits
    assert int(marks.sum()) == 1176
    assert logits.shape == (1, 1, 1024)
    assert torch.isfinite(logits).all()
