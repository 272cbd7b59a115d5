"""The compiled twins say what the numpy definitions say, on every shape."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from icseg.mask_ops import native, reference
from icseg.types import MaskBool

masks = st.tuples(st.integers(0, 70), st.integers(0, 70)).flatmap(lambda hw: arrays(np.bool_, hw))


@given(mask=masks)
def test_box_and_area_equal_the_reference(mask: MaskBool) -> None:
    assert native.mask_box_area(mask) == reference.mask_box_area(mask)


@pytest.mark.parametrize("hw", [(1, 1), (1, 97), (97, 1), (33, 65)])
def test_full_masks(hw: tuple[int, int]) -> None:
    assert native.mask_box_area(np.ones(hw, np.bool_)) == ((0.0, 0.0, float(hw[1]), float(hw[0])), hw[0] * hw[1])


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 1), np.bool_), np.zeros((8, 8), np.bool_)[:, ::2], [[True]]]
)
def test_anything_but_a_contiguous_bool_image_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError):
        native.mask_box_area(wrong)  # type: ignore[arg-type]
