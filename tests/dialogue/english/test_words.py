"""Free words are read as what they say, and what is not known is never taken for its neighbour."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icseg.dialogue.english.answer import Reply, parse_answer
from icseg.dialogue.english.command import MAX_TEXT, counting_direction, parse_command
from icseg.dialogue.english.words import (
    FILLERS,
    KIND_SYNONYMS,
    SIZE_WORDS,
    Description,
    Rank,
    Relation,
    Vocabulary,
    join_words,
    ordinal_word,
)

KINDS = ("mug", "bowl", "bottle", "can", "box", "ball", "plate", "spoon")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "black")
VOCABULARY = Vocabulary(KINDS, COLOURS)
LEFT, RIGHT = Rank("x", 0, is_loose=True), Rank("x", -1, is_loose=True)


def described(**fields: object) -> Description:
    for name in ("kinds", "colours"):
        if isinstance(value := fields.get(name), str):
            fields[name] = frozenset(value.split())
    return Description(**fields)  # type: ignore[arg-type]


MUG = described(kinds="mug")

COMMANDS = [
    ("the mug", MUG),
    ("the mugs", MUG),
    ("Segment the MUG!", MUG),
    ("segment the red mug on the left", described(kinds="mug", colours="red", ranks=(LEFT,))),
    ("pick up the bigger blue bowl", described(kinds="bowl", colours="blue", size="biggest")),
    ("the second can from the right", described(kinds="can", ranks=(Rank("x", -2),))),
    ("the second last can", described(kinds="can", ranks=(Rank(None, -2),))),
    ("the leftmost mug", described(kinds="mug", ranks=(Rank("x", 0),))),
    ("the mug in the middle", described(kinds="mug", ranks=(Rank("x", None),))),
    ("the nearest mug", described(kinds="mug", ranks=(Rank("y", 0),))),
    ("the mug closest to me", described(kinds="mug", ranks=(Rank("y", 0),))),
    ("the farthest box", described(kinds="box", ranks=(Rank("y", -1),))),
    ("the mug next to the bowl", described(kinds="mug", relation=Relation("near", described(kinds="bowl")))),
    (
        "the mug to the left of the red bowl",
        described(kinds="mug", relation=Relation("left", described(kinds="bowl", colours="red"))),
    ),
    ("the ball in front of the can", described(kinds="ball", relation=Relation("front", described(kinds="can")))),
    ("the ball behind the can", described(kinds="ball", relation=Relation("behind", described(kinds="can")))),
    ("the mug nearest the box", described(kinds="mug", relation=Relation("near", described(kinds="box")))),
    ("track the ball please", described(kinds="ball")),
    ("find a cup", MUG),
    ("the dish", described(kinds="plate bowl")),
    ("the spheres", described(kinds="ball")),
    ("the boxes", described(kinds="box")),
    ("the tin can", described(kinds="can")),
    ("can you pick up the can", described(kinds="can")),
    ("pick up the mug and put it in the box", MUG),
    ("the mug on the table", MUG),
    ("the mug or the bowl", described(kinds="mug bowl")),
    ("the red thing", described(colours="red", is_generic=True)),
    ("the orange", described(colours="orange")),
    ("it", described(is_generic=True)),
    ("the mug that is on the left", described(kinds="mug", ranks=(LEFT,))),
    ("the shiny mug", described(kinds="mug", unknown_modifiers=("shiny",))),
    ("the mug with a handle", described(kinds="mug", unknown_modifiers=("with a handle",))),
    ("pick the mug up carefully", described(kinds="mug", unknown_modifiers=("carefully",))),
    ("robot, the mug", MUG),
    ("jarvis, the mug", described(kinds="mug", unknown_modifiers=("jarvis",))),
    ("the stapler", described(unknown_noun="stapler")),
    ("the red stapler", described(colours="red", unknown_noun="stapler")),
    ("the can opener", described(unknown_noun="opener")),
    ("the pink mug", described(kinds="mug", unknown_colours=("pink",))),
    ("", Description()),
    ("please", Description()),
]


@pytest.mark.parametrize(("words", "expected"), COMMANDS)
def test_command_says(words: str, expected: Description) -> None:
    said = parse_command(words, VOCABULARY)
    assert said.wanted == expected
    assert said.unwanted == ()


def test_negation_is_kept_apart() -> None:
    said = parse_command("the mug, not the red one", VOCABULARY)
    assert said.wanted == MUG
    assert said.unwanted == (described(colours="red", is_generic=True),)
    assert parse_command("anything but the mug", VOCABULARY).unwanted == (MUG,)


def test_later_words_correct_earlier_ones() -> None:
    assert parse_command("the red one, no, the blue one", VOCABULARY).wanted.colours == {"blue"}


ANSWERS = [
    ("blue", Reply("described", described(colours="blue"))),
    ("the one on the left", Reply("described", described(ranks=(LEFT,), is_generic=True))),
    ("no, the bigger one", Reply("described", described(size="biggest", is_generic=True))),
    ("no the bigger one", Reply("described", described(size="biggest", is_generic=True))),
    ("second from the right", Reply("described", described(ranks=(Rank("x", -2),)))),
    ("the last one", Reply("described", described(ranks=(Rank(None, -1),), is_generic=True))),
    ("2", Reply("described", described(ranks=(Rank(None, 1),)))),
    ("number two", Reply("described", described(ranks=(Rank(None, 1),)))),
    ("the 3rd", Reply("described", described(ranks=(Rank(None, 2),)))),
    ("middle", Reply("described", described(ranks=(Rank("x", None),)))),
    ("the small blue one", Reply("described", described(size="small", colours="blue", is_generic=True))),
    ("the mug on the left", Reply("described", described(kinds="mug", ranks=(LEFT,)))),
    ("yes, the red one", Reply("described", described(colours="red", is_generic=True))),
    ("the red one would be nice", Reply("described", described(
        colours="red", is_generic=True, unknown_modifiers=("nice",)))),
    ("not the red one", Reply("described", Description(), (described(colours="red", is_generic=True),))),
    ("neither", Reply("neither")),
    ("no", Reply("neither")),
    ("none of them", Reply("neither")),
    ("neither, the green one", Reply("neither", described(colours="green", is_generic=True))),
    ("I can't tell", Reply("cannot_tell")),
    ("I can’t tell.", Reply("cannot_tell")),
    ("don't know", Reply("cannot_tell")),
    ("either", Reply("cannot_tell")),
    ("any", Reply("delegated")),
    ("whichever", Reply("delegated")),
    ("it doesn't matter", Reply("delegated")),
    ("Never mind.", Reply("cancelled")),
    ("cancel", Reply("cancelled")),
    ("yes", Reply("unclear")),
    ("both", Reply("unclear")),
    ("the stapler", Reply("unclear", described(unknown_noun="stapler"))),
]  # fmt: skip


@pytest.mark.parametrize(("words", "expected"), ANSWERS)
def test_answer_says(words: str, expected: Reply) -> None:
    assert parse_answer(words, VOCABULARY) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("counting from the left", ("x", False)),
        ("from left to right", ("x", False)),
        ("from the right", ("x", True)),
        ("counting from the front", ("y", False)),
        ("on the left", None),
    ],
)
def test_direction_of_a_count(words: str, expected: tuple[str, bool] | None) -> None:
    assert counting_direction(words) == expected


def test_only_the_detectors_names_are_known() -> None:
    small = Vocabulary(("coffee mug", "plate"), ("grey",))
    assert parse_command("the grey coffee mugs", small).wanted == described(
        kinds=frozenset({"coffee mug"}), colours="grey"
    )
    assert parse_command("the dish", small).wanted == described(kinds="plate")
    assert parse_command("the red plate", small).wanted.unknown_colours == ("red",)
    assert parse_command("the bowl", small).wanted.unknown_noun == "bowl"


def test_tables_agree() -> None:
    assert not FILLERS & KIND_SYNONYMS.keys()
    assert not FILLERS & SIZE_WORDS.keys()
    assert all(set(kinds) <= set(KINDS) for kinds in KIND_SYNONYMS.values())


@given(st.sampled_from(KINDS), st.sampled_from(COLOURS), st.integers(0, 29), st.sampled_from(["left", "right"]))
@settings(deadline=None)
def test_every_ordinal_is_read_back(kind: str, colour: str, index: int, side: str) -> None:
    said = parse_command(f"the {ordinal_word(index)} {colour} {kind} from the {side}", VOCABULARY).wanted
    expected = Rank("x", index if side == "left" else -1 - index)
    assert said == described(kinds=kind, colours=colour, ranks=(expected,))


@given(st.text(max_size=2 * MAX_TEXT))
@settings(max_examples=80, deadline=None)
def test_any_text_is_read_without_an_error(text: str) -> None:
    parse_command(text, VOCABULARY)
    parse_answer(text, VOCABULARY)


WORDS = sorted(FILLERS | set(SIZE_WORDS) | set(KINDS) | set(COLOURS) | {"left", "second", "behind", "not", "near", ","})


@given(st.lists(st.sampled_from(WORDS) | st.text(string.ascii_lowercase, min_size=1, max_size=6), max_size=30))
@settings(max_examples=80, deadline=None)
def test_kinds_and_colours_are_never_invented(words: list[str]) -> None:
    said = parse_command(" ".join(words), VOCABULARY)
    for part in (said.wanted, *said.unwanted):
        assert part.colours <= {VOCABULARY.colour_of(word) for word in words}
        known = {kind for word in words for kind in VOCABULARY.kinds_of(word)}
        assert part.kinds <= known


def test_lists_are_joined_as_they_are_said() -> None:
    assert join_words(["a"]) == "a"
    assert join_words(["a", "b"]) == "a or b"
    assert join_words(["a", "b", "c"]) == "a, b, or c"


@pytest.mark.parametrize(("index", "word"), [(0, "first"), (11, "twelfth"), (12, "13th"), (20, "21st"), (110, "111th")])
def test_ordinal_words(index: int, word: str) -> None:
    assert ordinal_word(index) == word
