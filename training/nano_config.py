"""The nano segmenter: SAM 2's video model in a small configuration, and an initialisation that learns from scratch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from transformers import Sam2VideoConfig, Sam2VideoModel

HIDDEN = 128
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class NanoSize:
    """What costs time in a nano segmenter; the defaults are those of the model that ships.

    Attributes:
        image: side of the square input in pixels, a multiple of 64.
        width: channels of the encoder's first stage; they double with each of the three others.

    Raises:
        ValueError: the image's side is not a multiple of 64, or the width is not one of 8.
    """

    image: int = 320
    width: int = 32

    def __post_init__(self) -> None:
        if self.image % 64 or self.image <= 0:
            raise ValueError(f"nano size: image: expected a multiple of 64, got {self.image}")
        if self.width % 8 or self.width <= 0:
            raise ValueError(f"nano size: width: expected a multiple of 8, got {self.width}")


SHIPPED = NanoSize()
IMAGE_SIZE = SHIPPED.image


def nano_segmenter_config(size: NanoSize = SHIPPED) -> Sam2VideoConfig:
    """Configuration of about 3.5 M parameters at 320x320 with 80x80 mask logits.

    Window sizes divide the maps of their stages (80, 40, 20, 10), so that no attention window is padded. Memory is 64
    wide because the library fixes the width of the memory attention's keys. One mask for one prompt: the ambiguity
    between part and whole that SAM's three masks stand for is asked about, not guessed, and is not in the data.
    """
    stride = 16
    side = size.image // stride
    widths = [size.width * 2**stage for stage in range(4)]
    return Sam2VideoConfig(
        image_size=size.image,
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "image_size": [size.image, size.image],
                "hidden_size": size.width,
                "num_attention_heads": 1,
                "embed_dim_per_stage": widths,
                "blocks_per_stage": [1, 2, 4, 1],
                "num_attention_heads_per_stage": [1, 2, 4, 8],
                "window_size_per_stage": [8, 4, side // 2, side // 4],
                "global_attention_blocks": [4, 6],
                "window_positional_embedding_background_size": [5, 5],
            },
            "backbone_channel_list": widths[::-1],
            "backbone_feature_sizes": [[side * 4, side * 4], [side * 2, side * 2], [side, side]],
            "fpn_hidden_size": HIDDEN,
            # the library's default leaves the high-resolution maps without context: they saw edges, and not of what
            "fpn_top_down_levels": [0, 1, 2, 3],
        },
        prompt_encoder_config={"hidden_size": HIDDEN, "image_size": size.image, "patch_size": stride},
        mask_decoder_config={
            "hidden_size": HIDDEN,
            "mlp_dim": 512,
            "num_attention_heads": 4,
            "iou_head_hidden_dim": HIDDEN,
            "dynamic_multimask_via_stability": False,
        },
        memory_attention_hidden_size=HIDDEN,
        memory_attention_num_layers=2,
        memory_attention_feed_forward_hidden_size=512,
        memory_attention_dropout=0.0,
        memory_attention_rope_dropout=0.0,
        memory_attention_rope_feat_sizes=[side, side],
        memory_encoder_hidden_size=HIDDEN,
        memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=HIDDEN,
        memory_fuser_embed_dim=HIDDEN,
        memory_fuser_intermediate_dim=256,
        max_cond_frame_num=-1,
        multimask_output_in_sam=False,
        multimask_output_for_tracking=False,
    )


def _attend_to_the_same_place(transformer: nn.Module) -> None:
    """Let prompts and pixels attend to each other where their positions agree, from the first step.

    With one projection for queries and keys the score of two positional codes is their similarity.
    """
    blocks = [transformer.final_attn_token_to_image]
    for layer in transformer.layers:
        blocks += [layer.cross_attn_token_to_image, layer.cross_attn_image_to_token]
    for block in blocks:
        block.k_proj.weight.copy_(block.q_proj.weight)


def _remember_the_same_place(attention: nn.Module) -> None:
    """Let a pixel look first at what was remembered of its own place, and otherwise stay what it is.

    A constant in queries and keys, turned by the rotary encoding, scores highest where both positions agree.
    """
    for layer in attention.layers:
        layer.self_attn.o_proj.weight.mul_(0.1)
        layer.linear2.weight.mul_(0.1)
        layer.cross_attn_image.q_proj.bias.fill_(1.5)
        layer.cross_attn_image.k_proj.bias.fill_(1.5)


def build_nano_segmenter(seed: int = 0, size: NanoSize = SHIPPED) -> Sam2VideoModel:
    """A nano segmenter with random weights that can be trained.

    The library initialises for fine-tuning. From scratch four things stop it from learning, none of them with an
    error: two copies of the positional matrix that only a checkpoint makes equal; weights of std 0.02, so small at
    this width that attention stays uniform; cross-attention that has to discover what "the same place" is before a
    prompt means anything, for which it segments every thing at once; and a memory fuser scaled by zero.
    """
    torch.manual_seed(seed)
    model = Sam2VideoModel(nano_segmenter_config(size))
    model.set_attn_implementation("eager")  # windows of 64 tokens: measured quicker than the fused kernel on the CPU
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.reset_parameters()
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.5)
        model.prompt_encoder.no_mask_embed.weight.zero_()
        _attend_to_the_same_place(model.mask_decoder.transformer)
        _remember_the_same_place(model.memory_attention)
        for layer in model.memory_encoder.memory_fuser.layers:
            layer.scale.fill_(0.1)
        for embedding in (
            model.no_memory_embedding,
            model.no_object_pointer,
            model.memory_temporal_positional_encoding,
            model.occlusion_spatial_embedding_parameter,
        ):
            nn.init.normal_(embedding, std=0.1)
        # one matrix in two places: prompts and pixels must live in the same coordinates
        model.shared_image_embedding.positional_embedding.copy_(
            model.prompt_encoder.shared_embedding.positional_embedding
        )
    return model


@torch.no_grad()
def begin_memory(model: Sam2VideoModel, vision: torch.Tensor) -> None:
    """Set the scale of what memory attention gives to that of the features the decoder was trained on.

    Its last layer normalises; the decoder of the image stage knows features as the encoder gives them.

    Args:
        vision: (F, C, h, w) encoder features of some frames.
    """
    model.memory_attention.layer_norm.weight.fill_(float(vision.std(dim=1).mean()))
    model.memory_attention.layer_norm.bias.copy_(vision.mean((0, 2, 3)) + model.no_memory_embedding.view(-1))
