"""Wrong memories and rough masks: what is spoilt, what never is."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from training.clips import ClipBatch, rough_masks  # noqa: E402
from training.mistakes import SURE_LOGIT, draw_mistakes  # noqa: E402

SIDE, FRAMES = 80, 6


def two_squares() -> ClipBatch:
    """Two squares in every frame; the first is followed, four times."""
    ids = torch.zeros(1, FRAMES, SIDE, SIDE, dtype=torch.uint8)
    ids[:, :, 10:30, 10:30], ids[:, :, 40:60, 44:64] = 1, 2
    masks = (ids == 1).float()[:, None].expand(-1, 40, -1, -1, -1)
    return ClipBatch(torch.zeros(1, FRAMES, 3, SIDE, SIDE), masks, ids, [{1: 1, 2: 2}])


def test_wrong_memories_hold_the_other_thing_but_never_in_the_prompted_frame() -> None:
    mistakes = draw_mistakes(two_squares(), 20, np.random.default_rng(0))
    is_wrong = mistakes.others.any((2, 3))
    assert mistakes.others.shape == (40, FRAMES, 20, 20)
    assert not is_wrong[:, 0].any()
    assert 8 <= int(is_wrong.any(1).sum()) <= 24
    other = torch.zeros(20, 20, dtype=torch.bool)
    other[10:15, 11:16] = True
    assert (mistakes.others[is_wrong] == other).all()


def test_spoilt_logits_add_or_exchange() -> None:
    mistakes = draw_mistakes(two_squares(), 20, np.random.default_rng(0))
    frame = FRAMES - 1
    logits = torch.full((40, 20, 20), -1.0)
    logits[:, 3:7, 3:7] = 2.0
    spoilt = mistakes.spoil(logits, frame)
    is_wrong = mistakes.others[:, frame].any((1, 2))
    assert torch.equal(spoilt[~is_wrong], logits[~is_wrong])
    added, exchanged = is_wrong & ~mistakes.is_switched, is_wrong & mistakes.is_switched
    assert added.any()
    assert exchanged.any()
    assert (spoilt[added, 4, 4] == 2.0).all()
    assert (spoilt[exchanged, 4, 4] == -SURE_LOGIT).all()
    assert (spoilt[is_wrong, 12, 12] == SURE_LOGIT).all()


def test_rough_masks_lie_about_where_the_mask_is() -> None:
    masks = two_squares().masks[0, :1, 0]
    rng = np.random.default_rng(0)
    small = torch.nn.functional.interpolate(masks[:, None], size=(20, 20), mode="area")[:, 0] > 0.5
    for _ in range(20):
        rough = rough_masks(masks, 20, rng) > 0
        overlap = float((rough & small).sum() / (rough | small).sum())
        assert 0.2 < overlap <= 1.0
