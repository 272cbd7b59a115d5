"""Sizes of a policy's engines, from what the IC-Seg protocol sends: frames, keyframes, all turns in every request."""

from __future__ import annotations

from export.policy.models import Architecture
from icseg.dialogue.observations import CONTEXT_SIDE_PX, FRAMES_PER_DIALOGUE, KEYFRAME_SIDE_PX
from icseg.policy_server.entry import PolicyLimits

KV_TOKENS = 8192
"""Prompt and dialogue together stay below this in IC-Seg's own evaluation, and it is the server's default."""
REPLY_TOKENS = 1024
KEYFRAMES = 2
"""A model may change its mind once about the keyframe; its images add up in a request."""
_STEP = 64


def policy_limits(
    architecture: Architecture, *, kv_tokens: int = KV_TOKENS, reply_tokens: int = REPLY_TOKENS
) -> PolicyLimits:
    """Limits for one architecture.

    The builder's own default of 1,024 image tokens is below the 1,176 of six frames of 448x448 on Qwen3-VL; the
    keyframe's 729 come on top, and its 512 per image is below those.

    Raises:
        ValueError: the images leave no room in ``kv_tokens``.
    """
    context = architecture.visual_tokens(CONTEXT_SIDE_PX)
    keyframe = architecture.visual_tokens(KEYFRAME_SIDE_PX)
    images = FRAMES_PER_DIALOGUE * context + KEYFRAMES * keyframe
    return PolicyLimits(
        max_input_tokens=kv_tokens - reply_tokens,
        max_kv_tokens=kv_tokens,
        max_image_tokens=_round_up(images),
        max_image_tokens_per_image=_round_up(max(context, keyframe)),
        max_reply_tokens=reply_tokens,
    )


def _round_up(tokens: int) -> int:
    return -(-tokens // _STEP) * _STEP
