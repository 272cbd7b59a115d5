"""Cut-outs: where they land, what they hide, and that ids stay the truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
from training.collage import FIRST_PASTED_ID, Cutout, add_movers, cut_out, hold_still, in_colour_of, paste

SIDE = 160
GREEN, RED = (0, 200, 0), (200, 0, 0)


@dataclass
class OneClip:
    """A store of one clip: a red square, thing 1, on green."""

    square: int = 40
    truths: list[dict[str, Any]] = field(default_factory=lambda: [{"things": [{"id": 1, "kind": "box"}]}])

    def __len__(self) -> int:
        return 1

    def clip(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Five equal frames."""
        images = np.full((5, SIDE, SIDE, 3), GREEN, np.uint8)
        ids = np.zeros((5, SIDE, SIDE), np.uint8)
        here = np.s_[:, 60 : 60 + self.square, 70 : 70 + self.square]
        images[here], ids[here] = RED, 1
        return images, ids


def blue(height: int, width: int) -> Cutout:
    return Cutout(np.full((height, width, 3), (0, 0, 250), np.uint8), np.ones((height, width), np.float32), 3)


def test_paste_covers_and_is_cut_off_at_the_border() -> None:
    images, ids = OneClip().clip(0)
    paste(images[0], ids[0], blue(20, 30), (0.0, 80.0), 240)
    rows, cols = np.nonzero(ids[0] == 240)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (70, 89, 0, 14)
    assert (images[0][ids[0] == 240] == (0, 0, 250)).all()
    paste(images[0], ids[0], blue(20, 30), (-50.0, 80.0), 241)
    assert 241 not in ids[0]


def test_a_cut_out_is_the_thing_and_has_the_size_that_was_asked_for() -> None:
    rng = np.random.default_rng(0)
    cutouts = [cut_out(OneClip(), rng, side_px=80.0) for _ in range(20)]
    assert all(cutout.cover.min() == 1 and cutout.kind == 5 for cutout in cutouts)
    assert all(sorted(cutout.picture[0, 0]) == [0, 0, 200] for cutout in cutouts)
    assert all(0.7 * 80 - 1 <= cutout.cover.shape[0] <= 1.7 * 80 + 1 for cutout in cutouts)


def test_only_small_things_is_an_error() -> None:
    with pytest.raises(ValueError, match="no thing of at least"):
        cut_out(OneClip(square=10), np.random.default_rng(0))


def test_movers_hide_things_and_keep_ids_and_pictures_together() -> None:
    shares = []
    for seed in range(20):
        store = OneClip()
        images, ids = store.clip(0)
        before = ids.copy()
        hidden, kinds = add_movers(images, ids, store, np.random.default_rng(seed))
        pasted = ids >= FIRST_PASTED_ID
        assert set(np.unique(ids[pasted])) <= set(kinds)
        assert (ids[~pasted] == before[~pasted]).all()
        assert set(kinds.values()) == {5}
        if 1 in hidden:
            shares.append(min((ids[t] == 1).sum() for t in range(1, 5)) / (before[0] == 1).sum())
    assert np.mean(np.array(shares) < 0.5) > 0.5, "most of what was to be hidden is hidden at some time"


def test_a_still_picture_keeps_ids_and_picture_together_while_the_camera_drifts() -> None:
    images, ids = OneClip().clip(0)
    pictures, maps = hold_still(images[0], ids[0], 7, np.random.default_rng(1))
    assert pictures.shape == (7, SIDE, SIDE, 3)
    assert maps.shape == (7, SIDE, SIDE)
    for picture, marks in zip(pictures, maps, strict=True):
        inside = picture[..., 0] > 150
        assert (inside != (marks == 1)).mean() < 0.02
    assert (maps[0] != maps[-1]).any()


def test_a_cut_out_takes_the_colour_of_what_it_hides_and_keeps_its_shading() -> None:
    images, ids = OneClip().clip(0)
    shaded = blue(20, 30)
    shaded.picture[:10] = (40, 0, 210)
    alike = in_colour_of(shaded, images[0], ids[0] == 1)
    assert alike.picture.reshape(-1, 3).mean(0) == pytest.approx(RED, abs=25)
    assert (alike.picture[:10, :, 0].astype(int) - alike.picture[10:, :, 0]).min() > 30
