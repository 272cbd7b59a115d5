"""Closer looks: what they add, what they correct, and what they must not take for a thing of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from icseg.detector.close_looks import CloseLooksConfig, detect_closely
from icseg.detector.detector import Detection
from icseg.types import Box, ImageU8

HW = (480, 640)
LOOKS = CloseLooksConfig()


def thing(box: Box, kind: str = "mug", colour: str = "red", score: float = 0.9, sure: float = 1.0) -> Detection:
    other = "can" if kind == "mug" else "mug"
    return Detection(
        box, score, {kind: sure, other: 1 - sure}, {colour: 1.0, "white" if colour == "red" else "red": 0.0}
    )


@dataclass
class Sight:
    """A detector that knows where it looks, because every pixel holds its own place; and sees by how close it is.

    Attributes:
        whole: what it says of the whole image.
        close: what it says of any part, in pixels of the whole image; cut off at the part's border.
        count: how often it looked.
    """

    whole: list[Detection]
    close: list[Detection]
    count: int = 0

    def detect(self, image: ImageU8) -> list[Detection]:
        self.count += 1
        if image.shape[:2] == HW:
            return list(self.whole)
        left, top = 4 * int(image[0, 0, 0]), 4 * int(image[0, 0, 1])
        seen = []
        for one in self.close:
            x0, y0, x1, y1 = one.box_image_px
            box = max(x0 - left, 0), max(y0 - top, 0), min(x1 - left, image.shape[1]), min(y1 - top, image.shape[0])
            if box[2] - box[0] > 4 and box[3] - box[1] > 4:
                seen.append(replace(one, box_image_px=box))
        return seen


IMAGE = np.zeros((*HW, 3), np.uint8)
IMAGE[..., 0] = np.arange(640)[None, :] // 4
IMAGE[..., 1] = np.arange(480)[:, None] // 4


def look(whole: list[Detection], close: list[Detection]) -> tuple[list[Detection], int]:
    sight = Sight(whole, close)
    return detect_closely(sight.detect, IMAGE, LOOKS), sight.count


def test_what_only_a_closer_look_shows_is_added_once() -> None:
    small = thing((300, 200, 330, 230))
    found, count = look([], [small])
    assert [one.box_image_px for one in found] == [pytest.approx(small.box_image_px, abs=4)]
    assert count == 6
    assert look([], [replace(small, score=0.4)])[0] == []


def test_looks_at_one_thing_are_averaged() -> None:
    box = (100.0, 100.0, 140.0, 140.0)
    unsure = thing(box, score=0.3, sure=0.4)
    found, count = look([unsure], [thing(box, score=0.9, sure=1.0)])
    # the image, its parts, and the thing by itself count alike
    assert [one.score for one in found] == [pytest.approx((0.3 + 0.9 + 0.9) / 3)]
    assert found[0].kind_probs["mug"] == pytest.approx((0.4 + 1.0 + 1.0) / 3)
    assert sum(found[0].kind_probs.values()) == pytest.approx(1)
    assert found[0].box_image_px == pytest.approx(box, abs=4)
    assert count == 7


def test_what_is_sure_gets_no_look_of_its_own() -> None:
    sure = thing((100.0, 100.0, 140.0, 140.0), score=0.99)
    assert look([sure], [])[1] == 6
    assert look([replace(sure, score=0.9)], [])[1] == 7


def test_what_no_closer_look_shows_stays_as_it_was() -> None:
    large = thing((10, 10, 600, 470), score=0.99)
    assert look([large], [])[0] == [large]


def test_a_piece_of_a_large_thing_is_no_thing() -> None:
    large = thing((100, 100, 500, 400), score=0.99)
    part = thing((150, 150, 250, 250), kind="can")
    assert [one.box_image_px for one in look([large], [part])[0]] == [large.box_image_px]
    assert len(look([large], [replace(part, colour_probs={"red": 0.0, "white": 1.0})])[0]) == 2


def test_a_box_cut_off_by_a_part_is_not_read() -> None:
    # the parts end at x = 256, 384 and y = 192, 288 and so on: none but the whole shows this one uncut
    long = thing((50, 200, 600, 230), score=0.97)
    found, _ = look([long], [long])
    assert [one.box_image_px for one in found] == [long.box_image_px]
    assert look([], [long])[0] == []


def test_of_two_alike_that_lie_in_each_other_the_weaker_goes() -> None:
    one, other = thing((100, 100, 200, 140), score=0.98), thing((130, 100, 210, 140), score=0.96)
    assert look([one, other], [])[0] == [one]
    # behind each other, and not in each other
    beside = replace(other, box_image_px=(134.0, 100.0, 214.0, 140.0))
    assert look([one, beside], [])[0] == [one, beside]
    white = replace(other, colour_probs={"red": 0.0, "white": 1.0})
    assert look([one, white], [])[0] == [one, white]
