"""A random Qwen3-VL of a few million parameters with a tokenizer of its own: the real layout, none of the size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from export.policy.lora_merge import ADAPTER_NAME, CONFIG_NAME
from icseg.dialogue.chat.policy import load_prompt

VOCABULARY = 1024
QUERY = "model.language_model.layers.0.self_attn.q_proj"
DOWN = "model.language_model.layers.1.mlp.down_proj"
ADAPTED = {QUERY: (256, 256), DOWN: (256, 512)}
"""The layers that ``write_adapter`` changes, with the shape of their weights."""
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
# The shape of Qwen3-VL's own template, without tools.
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type == 'text' %}{{ part.text }}"
    "{% else %}<|vision_start|><|image_pad|><|vision_end|>{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE, trained on the system prompts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([load_prompt("search"), load_prompt("direct")] * 3, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    fast.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    fast.chat_template = TEMPLATE
    return fast


def make_model(tokenizer: PreTrainedTokenizerFast, seed: int = 0) -> Qwen3VLForConditionalGeneration:
    """Two layers of text and two of vision, float16."""
    torch.manual_seed(seed)
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": VOCABULARY,
            "hidden_size": 256,
            "intermediate_size": 512,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 64,
            "max_position_embeddings": 16384,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 5_000_000.0,
                "mrope_section": [12, 10, 10],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 128,
            "intermediate_size": 256,
            "num_heads": 2,
            "out_hidden_size": 256,
            "deepstack_visual_indexes": [0, 1],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    return Qwen3VLForConditionalGeneration(config).eval().half()


def make_checkpoint(folder: Path, seed: int = 0) -> Path:
    """Save model, tokenizer, template and preprocessor as Qwen3-VL's folders have them."""
    tokenizer = make_tokenizer()
    make_model(tokenizer, seed).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    preprocessor = {
        "image_processor_type": "Qwen2VLImageProcessorFast",
        "processor_class": "Qwen3VLProcessor",
        "patch_size": 16,
        "merge_size": 2,
        "temporal_patch_size": 2,
        "size": {"shortest_edge": 65536, "longest_edge": 16777216},
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


def write_adapter(folder: Path, **changes: Any) -> dict[str, torch.Tensor]:
    """Save a LoRA adapter of rank 4 for two layers, with ``changes`` to its config; returns its tensors."""
    generator = torch.Generator().manual_seed(3)
    tensors = {}
    for name, (rows, columns) in ADAPTED.items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = torch.randn(4, columns, generator=generator)
        tensors[f"base_model.model.{name}.lora_B.weight"] = torch.randn(rows, 4, generator=generator)
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / ADAPTER_NAME)
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_dora": False, "bias": "none", **changes}
    (folder / CONFIG_NAME).write_text(json.dumps(config))
    return tensors
