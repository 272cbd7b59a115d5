"""What can be said of a frame: every text fits what it says it fits, and nothing that a person would dispute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icseg.sim.commands import STYLES, commands, draw_command
from icseg.sim.drawn import Drawn, draw_table
from icseg.sim.things import COLOURS, KINDS
from icseg.sim.user import matching_ids

TABLE = draw_table(
    [
        Drawn("mug", "red", 0.15),
        Drawn("mug", "blue", 0.45, 0.7),
        Drawn("mug", "white", 0.8, 0.9, "large"),
        Drawn("can", "red", 0.22),
    ]
)


def test_every_style_of_a_full_table() -> None:
    said = {command.text: command for command in commands(TABLE)}
    assert {command.style for command in said.values()} == set(STYLES)
    for text, ids in {
        "the mug": {1, 2, 3},
        "the red one": {1, 4},
        "the red mug": {1},
        "the small mug": {1, 2},
        "the big mug": {3},
        "the leftmost mug": {1},
        "the second mug from the left": {2},
        "the farthest mug": {2},
        "the mug next to the red can": {1},
    }.items():
        assert said[text].fitting == ids, text
        assert said[text].is_ambiguous == (len(ids) > 1)


def test_nobody_disputes_a_place() -> None:
    level = draw_table([Drawn("mug", "red", 0.4, 0.80), Drawn("mug", "blue", 0.6, 0.81)])
    texts = {command.text for command in commands(level)}
    assert "the leftmost mug" in texts
    assert not texts & {"the nearest mug", "the farthest mug"}


@pytest.mark.parametrize(("x", "is_spoken_of"), [(0.512, False), (0.53, True)])
def test_a_narrow_strip_is_not_spoken_of(x: float, is_spoken_of: bool) -> None:
    table = draw_table([Drawn("box", "blue", 0.5, 0.7, "large"), Drawn("box", "green", x, 0.7, "large")], hw=(480, 640))
    assert table.mask(1).sum() > 400  # and 69 px high
    assert ("the blue box" in {command.text for command in commands(table)}) == is_spoken_of


@pytest.mark.parametrize("x", [0.0, 0.5, 1.0])
def test_the_size_of_what_the_border_cuts_is_not_spoken_of(x: float) -> None:
    table = draw_table([Drawn("mug", "red", x, 0.8, "large"), Drawn("mug", "blue", 0.25, 0.8)])
    texts = {command.text for command in commands(table)}
    assert {"the red mug", "the blue mug"} <= texts
    assert ({"the big mug", "the small mug"} <= texts) == (x == 0.5)


def test_what_is_hardly_seen_is_not_spoken_of() -> None:
    # all but a strip of the blue mug is behind the box
    hidden = draw_table(
        [Drawn("mug", "red", 0.2), Drawn("mug", "blue", 0.7, 0.7), Drawn("box", "green", 0.725, 0.7, "large")]
    )
    assert (hidden.instance_ids == 2).sum() in range(12, 400)
    texts = {command.text for command in commands(hidden)}
    assert "the red mug" in texts
    assert not texts & {"the blue mug", "the mug", "the leftmost mug"}


@pytest.mark.parametrize("is_ambiguous", [True, False])
def test_draws_are_of_the_sort_that_was_asked_for(is_ambiguous: bool) -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_command(TABLE, rng, is_ambiguous=is_ambiguous) for _ in range(40)]
    assert all(command is not None and command.is_ambiguous == is_ambiguous for command in drawn)
    assert len({command.style for command in drawn if command is not None}) >= 3


def test_no_command_of_a_sort_is_none() -> None:
    alone = draw_table([Drawn("mug", "red", 0.5)])
    assert draw_command(alone, np.random.default_rng(0), is_ambiguous=True) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Drawn,
            st.sampled_from(KINDS),
            st.sampled_from(COLOURS),
            st.floats(0.05, 0.95),
            st.floats(0.4, 0.95),
            st.sampled_from(("small", "large")),
        ),
        max_size=7,
    )
)
def test_every_text_fits_what_it_says(things: list[Drawn]) -> None:
    frame = draw_table(things, hw=(240, 320))
    found = commands(frame)
    assert len({command.text for command in found}) == len(found)
    for command in found:
        assert command.fitting
        assert command.fitting == matching_ids(command.text, frame)
        if command.style in ("place", "ordinal", "next_to"):
            assert not command.is_ambiguous, command
