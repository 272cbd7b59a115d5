"""Memory attention over a bank of fixed size: slots that hold nothing are masked, so that shapes never change.

Source: Sam2VideoMemoryAttention and the methods of Sam2VideoModel that gather memories for it. Ours differs in four
ways, all exact: memories and pointers have a fixed count and an additive mask; rotary cosines and sines are constants,
with the rows of the query and key projections reordered so that the two numbers of a rotated pair lie in two halves;
keys are rotated slot by slot against one table instead of a repeated one; and memories, which are narrower than the
values made of them (64 of 256 in SAM 2.1), are mixed first and projected after: 37 % of the attention's products saved.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from transformers import Sam2VideoModel


def _split_pairs(projection: nn.Linear, heads: int) -> nn.Linear:
    """Reorder output rows (0, 1, 2, 3 ...) of each head to (0, 2 ..., 1, 3 ...): a dot product does not notice."""
    reordered = copy.deepcopy(projection)
    order = torch.arange(projection.out_features).reshape(heads, -1, 2).transpose(1, 2).reshape(-1)
    reordered.weight.data = projection.weight.data[order]
    reordered.bias.data = projection.bias.data[order]
    return reordered


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate pairs (x[i], x[i + d/2]) of the last axis; cos and sin are (..., d/2)."""
    half = cos.shape[-1]
    real, imaginary = x[..., :half], x[..., half:]
    return torch.cat([real * cos - imaginary * sin, imaginary * cos + real * sin], dim=-1)


class MaskedRopeAttention(nn.Module):
    """Attention of (1, L, C) queries over keys (1, slots * L + extra, Ck); the extra keys are not rotated."""

    def __init__(self, attention: nn.Module, cos: Tensor, sin: Tensor) -> None:
        super().__init__()
        self.heads, self.head_width = attention.num_attention_heads, attention.head_dim
        # rows of the softmax sum to 1, so that a linear map with its bias commutes with the mixing
        self.projects_late = self.heads == 1 and attention.v_proj.in_features < self.head_width
        self.scaling = float(attention.scaling)
        self.q_proj = _split_pairs(attention.q_proj, self.heads)
        self.k_proj = _split_pairs(attention.k_proj, self.heads)
        self.v_proj, self.o_proj = attention.v_proj, attention.o_proj
        self.register_buffer("cos", cos)
        self.register_buffer("sin", sin)

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[1], self.heads, self.head_width).transpose(0, 1)

    def _rotate_keys(self, key: Tensor, extra: int) -> Tensor:
        length, count = self.cos.shape[0], key.shape[1] - extra
        slots = key[:, :count].reshape(self.heads, count // length, length, self.head_width)
        rotated = _rotate(slots, self.cos, self.sin).reshape(self.heads, count, self.head_width)
        return torch.cat([rotated, key[:, count:]], dim=1) if extra else rotated

    def forward(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, extra: int) -> Tensor:
        """``bias`` is (keys,), added to every score of its key."""
        q = _rotate(self._heads(self.q_proj(query)), self.cos, self.sin)
        k = self._rotate_keys(self._heads(self.k_proj(key)), extra)
        scores = (q * self.scaling) @ k.transpose(1, 2)
        if bias is not None:
            scores = scores + bias
        weights = torch.softmax(scores, dim=-1)
        if self.projects_late:
            return self.o_proj(self.v_proj(weights @ value))
        attended = weights @ self._heads(self.v_proj(value))
        return self.o_proj(attended.transpose(0, 1).reshape(1, query.shape[1], -1))


class MemoryAttention(nn.Module):
    """Features of the current frame, conditioned on what the bank remembers of one object."""

    def __init__(self, model: Sam2VideoModel) -> None:
        super().__init__()
        attention, config = model.memory_attention, model.config
        self.layers, self.layer_norm = attention.layers, attention.layer_norm
        self.pointer_span = config.max_object_pointers_in_encoder
        self.pointer_position = model.temporal_positional_encoding_projection_layer
        self.has_pointer_position = bool(config.enable_temporal_pos_encoding_for_object_pointers)
        width, memory_width = model.hidden_dim, model.mem_dim
        self.pieces = width // memory_width
        side = model.backbone_feature_sizes[-1]
        with torch.no_grad():
            cos, sin = attention.rotary_emb(attention.layer_norm.weight, attention.position_ids)
            # the source repeats each angle for both members of a pair
            cos, sin = cos.reshape(-1, cos.shape[-1])[:, ::2].clone(), sin.reshape(-1, sin.shape[-1])[:, ::2].clone()
            neck = model.vision_encoder.neck.position_encoding
            vision = neck(torch.Size((1, width, *side)), "cpu", torch.float32).flatten(2).transpose(1, 2)
            memory = model.memory_encoder.position_encoding(torch.Size((1, memory_width, *side)), "cpu", torch.float32)
            exponent = torch.arange(width // 2, dtype=torch.float32) // 2 * 2 / (width // 2)
        self.register_buffer("vision_position", 0.1 * vision)
        self.register_buffer("memory_position", memory.flatten(2).transpose(1, 2).clone())
        self.register_buffer("temporal_code", model.memory_temporal_positional_encoding.detach()[:, 0].clone())
        self.register_buffer("pointer_wavelength", 10000.0**exponent)
        self.self_attention = nn.ModuleList([MaskedRopeAttention(x.self_attn, cos, sin) for x in self.layers])
        self.cross_attention = nn.ModuleList([MaskedRopeAttention(x.cross_attn_image, cos, sin) for x in self.layers])

    def _pointer_tokens(self, pointers: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C) pointers -> (1, N * C/Cm, Cm) tokens and their positions, from how many frames ago they are."""
        count, memory_width = pointers.shape[0], self.memory_position.shape[-1]
        tokens = pointers.reshape(1, count * self.pieces, memory_width)
        if not self.has_pointer_position:
            return tokens, torch.zeros_like(tokens)
        angle = (offsets / (self.pointer_span - 1))[:, None] / self.pointer_wavelength
        position = self.pointer_position(torch.cat([angle.sin(), angle.cos()], dim=-1))
        position = position[:, None].expand(count, self.pieces, memory_width).reshape(tokens.shape)
        return tokens, position

    def forward(
        self,
        vision_features: Tensor,
        memory_features: Tensor,
        memory_temporal_index: Tensor,
        memory_mask: Tensor,
        object_pointers: Tensor,
        pointer_offsets: Tensor,
        pointer_mask: Tensor,
    ) -> Tensor:
        """(1, C, h, w) in and out."""
        slots, memory_width, height, width = memory_features.shape
        length = height * width
        memory = memory_features.flatten(2).transpose(1, 2)
        temporal = torch.index_select(self.temporal_code, 0, memory_temporal_index)
        position = (self.memory_position + temporal).reshape(1, slots * length, memory_width)
        pointers, pointer_position = self._pointer_tokens(object_pointers, pointer_offsets)
        extra = pointers.shape[1]
        values = torch.cat([memory.reshape(1, slots * length, memory_width), pointers], dim=1)
        keys = values + torch.cat([position, pointer_position], dim=1)
        bias = torch.cat(
            [
                memory_mask[:, None].expand(slots, length).reshape(-1),
                pointer_mask[:, None].expand(extra // self.pieces, self.pieces).reshape(-1),
            ]
        )

        hidden = vision_features.flatten(2).transpose(1, 2) + self.vision_position
        for layer, attend_self, attend_memory in zip(
            self.layers, self.self_attention, self.cross_attention, strict=True
        ):
            query = layer.layer_norm1(hidden)
            hidden = hidden + attend_self(query, query, query, None, 0)
            hidden = hidden + attend_memory(layer.layer_norm2(hidden), keys, values, bias, extra)
            hidden = hidden + layer.linear2(layer.activation(layer.linear1(layer.layer_norm3(hidden))))
        return self.layer_norm(hidden).transpose(1, 2).reshape(vision_features.shape)
