"""SAM 2's video model cut into four modules with static shapes and nothing that an edge engine refuses.

Each module borrows the submodules of a loaded ``Sam2VideoModel`` and repeats only the glue between them, where that
glue is data dependent (prompt padding, memory length) or hard to export (rotary pairs, interpolated embeddings).
Source: transformers' modeling_sam2_video.py, which is also what they are compared with. The differences: prompt tokens
that do not exist are masked instead of left out, and all four masks are returned instead of the chosen one.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Sam2VideoModel

from icseg.tracker.graphs import LABEL_NOT_A_POINT, LABEL_PADDING, MASKED


class ImageEncoder(nn.Module):
    """image (1, 3, S, S) -> stride-16 features and the two high-resolution maps after their 1x1 convolutions."""

    def __init__(self, model: Sam2VideoModel) -> None:
        super().__init__()
        self.vision_encoder = copy.deepcopy(model.vision_encoder)
        self.conv_s0 = model.mask_decoder.conv_s0
        self.conv_s1 = model.mask_decoder.conv_s1
        backbone = self.vision_encoder.backbone
        with torch.no_grad():
            side = model.config.image_size // backbone.config.patch_stride[0]
            position = backbone._get_pos_embed((side, side)).clone()
        # the bicubic resize depends on nothing but the resolution: a constant, not an operator
        backbone._get_pos_embed = lambda _hw: position

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised RGB to features."""
        maps = self.vision_encoder(image, return_dict=True).fpn_hidden_states
        return maps[2], self.conv_s0(maps[0]), self.conv_s1(maps[1])


class MaskDecoder(nn.Module):
    """Prompt encoder and mask decoder with a fixed number of prompt tokens."""

    def __init__(self, model: Sam2VideoModel) -> None:
        super().__init__()
        self.prompt_encoder = model.prompt_encoder
        self.decoder = model.mask_decoder
        self.pointer_projection = model.object_pointer_proj
        self.no_object_pointer = model.no_object_pointer
        self.no_memory_embedding = model.no_memory_embedding
        self.image_size = float(model.config.image_size)
        with torch.no_grad():
            position = model.get_image_wide_positional_embeddings()
        self.register_buffer("image_position", position.flatten(2).transpose(1, 2).unsqueeze(1).clone())

    def _prompt_tokens(self, coords: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(1, P, 2) pixels of the model's image, (1, P) labels -> tokens (1, 1, P, C), their key bias (1, 1, 1, P)."""
        encoder = self.prompt_encoder
        # the half pixel is the shift to the pixel's centre that SAM was trained with
        position = encoder.shared_embedding(((coords + 0.5) / self.image_size).unsqueeze(1))
        labels = labels[:, None, :, None]
        tokens = position * (labels >= 0).float()
        tokens = tokens + encoder.not_a_point_embed.weight * (labels == LABEL_NOT_A_POINT).float()
        for label in range(encoder.point_embed.weight.shape[0]):
            tokens = tokens + encoder.point_embed.weight[label] * (labels == label).float()
        return tokens, (labels == LABEL_PADDING).float().transpose(2, 3) * MASKED

    def _transformer(self, tokens: Tensor, image: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """The two-way transformer with a key bias wherever prompt tokens are keys."""
        transformer = self.decoder.transformer
        queries, keys, position = tokens, image, self.image_position
        for layer in transformer.layers:
            query = queries if layer.skip_first_layer_pe else queries + tokens
            attended, _ = layer.self_attn(query, query, queries, attention_similarity=bias)
            queries = layer.layer_norm1(attended if layer.skip_first_layer_pe else queries + attended)
            attended, _ = layer.cross_attn_token_to_image(queries + tokens, keys + position, keys)
            queries = layer.layer_norm2(queries + attended)
            queries = layer.layer_norm3(queries + layer.mlp(queries))
            attended, _ = layer.cross_attn_image_to_token(
                keys + position, queries + tokens, queries, attention_similarity=bias
            )
            keys = layer.layer_norm4(keys + attended)
        attended, _ = transformer.final_attn_token_to_image(queries + tokens, keys + position, keys)
        return transformer.layer_norm_final_attn(queries + attended), keys

    def forward(
        self,
        conditioned_features: Tensor,
        lacks_memory: Tensor,
        high_res_s0: Tensor,
        high_res_s1: Tensor,
        point_coords: Tensor,
        point_labels: Tensor,
        mask_input: Tensor,
        has_mask_input: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """All four masks with their scores and pointers, and the logit that the object is visible."""
        decoder, encoder = self.decoder, self.prompt_encoder
        _, width, height, breadth = conditioned_features.shape
        prompts, prompt_bias = self._prompt_tokens(point_coords, point_labels)
        own = torch.cat([decoder.obj_score_token.weight, decoder.iou_token.weight, decoder.mask_tokens.weight])
        own_count = own.shape[0]
        tokens = torch.cat([own[None, None], prompts], dim=2)
        bias = F.pad(prompt_bias, (own_count, 0))
        no_mask = encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
        dense = has_mask_input * encoder.mask_embed(mask_input) + (1 - has_mask_input) * no_mask

        image = conditioned_features + lacks_memory * self.no_memory_embedding.reshape(1, -1, 1, 1)
        image = (image + dense).flatten(2).transpose(1, 2).unsqueeze(1)
        tokens, image = self._transformer(tokens, image, bias)
        image = image.squeeze(1).transpose(1, 2).reshape(1, width, height, breadth)
        upscaled = decoder.activation(decoder.upscale_layer_norm(decoder.upscale_conv1(image) + high_res_s1))
        upscaled = decoder.activation(decoder.upscale_conv2(upscaled) + high_res_s0)

        mask_tokens = tokens[:, 0, 2:own_count]
        kernels = [mlp(mask_tokens[:, i]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)]
        masks = (torch.stack(kernels, dim=1) @ upscaled.flatten(2)).reshape(1, -1, 4 * height, 4 * breadth)
        score = decoder.pred_obj_score_head(tokens[:, 0, 0])
        is_visible = (score > 0).float()[:, :, None]
        pointers = is_visible * self.pointer_projection(mask_tokens) + (1 - is_visible) * self.no_object_pointer
        return masks, decoder.iou_prediction_head(tokens[:, 0, 1]), pointers, score


class MemoryEncoder(nn.Module):
    """Features and the chosen mask logits -> what later frames attend to."""

    def __init__(self, model: Sam2VideoModel) -> None:
        super().__init__()
        self.encoder = model.memory_encoder
        self.occlusion = model.occlusion_spatial_embedding_parameter
        self.image_size = int(model.config.image_size)
        self.scale = float(model.config.sigmoid_scale_for_mem_enc)
        self.bias = float(model.config.sigmoid_bias_for_mem_enc)

    def forward(self, vision_features: Tensor, mask_logits: Tensor, object_score: Tensor, binarize: Tensor) -> Tensor:
        """One memory; ``binarize`` is 1 on frames that hold a prompt, else 0."""
        size = (self.image_size, self.image_size)
        logits = F.interpolate(mask_logits, size=size, mode="bilinear", align_corners=False)
        mask = binarize * (logits > 0).float() + (1 - binarize) * torch.sigmoid(logits)
        encoder = self.encoder
        features = encoder.feature_projection(vision_features)
        features = features + encoder.mask_downsampler(mask * self.scale + self.bias)
        features = encoder.projection(encoder.memory_fuser(features))
        if self.occlusion is None:
            # the input stays in the graph, so that every export has the same signature
            return features + 0 * object_score[..., None, None]
        is_absent = 1 - (object_score > 0).float()
        return features + is_absent[..., None, None] * self.occlusion[..., None, None]
