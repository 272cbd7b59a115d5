"""The reply grammar: round trips, what lenient reading forgives, what it refuses, and that nothing else escapes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icseg.dialogue.actions import Answer, Ask, GiveUp, SelectKeyframe
from icseg.dialogue.chat.grid import GridAnswer
from icseg.dialogue.chat.protocol import (
    NO_TARGET_REASON,
    STOP_STRINGS,
    Reply,
    action_end,
    close_tag,
    format_action,
    format_reply,
    parse_reply,
)
from icseg.dialogue.observations import sample_frame_indices, unknown_frame_text
from icseg.dialogue.policy import ReplyFault

ASK = '<thinking> Two mugs. </thinking> <call> {"name": "vlm_tool", "query": "Is it red?"} </call>'
KEYFRAME = "<thinking> Largest in 12. </thinking> <keyframe> 12 </keyframe>"
ANSWER = '<thinking> There. </thinking> <answer> {"bbox_2d": [1, 2, 30, 40], "point_2d": [5, 6]} </answer>'
EXAMPLES = {
    ASK: Ask("Is it red?", thinking="Two mugs."),
    KEYFRAME: SelectKeyframe(12, thinking="Largest in 12."),
    ANSWER: GridAnswer((1, 2, 30, 40), (5, 6), thinking="There."),
    "<thinking> Nothing. </thinking> <keyframe> -1 </keyframe>": GiveUp(NO_TARGET_REASON, "Nothing."),
    '<thinking></thinking><answer>{"bbox_2d": [0,0,0,0], "point_2d": [0,0]}</answer>': GiveUp(NO_TARGET_REASON),
}

words = st.text(max_size=60).map(str.strip)
thoughts = words.filter(lambda text: "<" not in text)
grid = st.one_of(st.integers(0, 1000), st.floats(0, 1000))
spans = st.tuples(grid, grid).map(sorted).filter(lambda pair: pair[0] < pair[1])
boxes = st.tuples(spans, spans).map(lambda xy: (float(xy[0][0]), float(xy[1][0]), float(xy[0][1]), float(xy[1][1])))
replies = st.one_of(
    st.builds(Ask, question=words.filter(bool), thinking=thoughts),
    st.builds(SelectKeyframe, frame_id=st.integers(0, 10**8), thinking=thoughts),
    st.builds(GridAnswer, boxes, st.tuples(grid, grid).map(lambda xy: (float(xy[0]), float(xy[1]))), thoughts),
    st.builds(GiveUp, st.just(NO_TARGET_REASON), thoughts),
)
TAGS = ["<thinking>", "</thinking>", "<call>", "</call>", "<keyframe>", "</keyframe>", "<answer>", "</answer>"]
PARTS = [
    *TAGS,
    '{"name": "vlm_tool", "query": "x"}',
    '{"bbox_2d": [1, 2, 3, 4],',
    '"point_2d": [5, 6]}',
    "NaN",
    "1e999",
]
PARTS += ["12", "-1", "{", "}", "[", "]", "'", '"', "```json", "\n", "\\", "true", "[" * 3000, "9" * 5000]
soups = st.lists(st.one_of(st.sampled_from(PARTS), st.text(max_size=5)), max_size=12).map("".join)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("text", EXAMPLES)
def test_reads_the_form_of_the_prompt(text: str, strict: bool) -> None:
    assert parse_reply(text, strict=strict) == EXAMPLES[text]


@pytest.mark.parametrize("strict", [True, False])
@given(reply=replies)
def test_every_reply_comes_back_from_its_own_text(reply: Reply, strict: bool) -> None:
    text = format_reply(reply)
    assert parse_reply(text, strict=strict) == reply
    assert action_end(text) == len(text)


@given(reply=replies)
def test_a_closing_tag_that_the_server_removed_is_put_back(reply: Reply) -> None:
    text = format_reply(reply)
    for stop in STOP_STRINGS:
        if text.endswith(stop):
            assert close_tag(text.removesuffix(stop)) == text
            assert parse_reply(text.removesuffix(stop)) == reply
    assert close_tag(text) == text


@pytest.mark.parametrize("strict", [True, False])
@settings(max_examples=300)
@given(text=st.one_of(soups, st.text()))
def test_any_text_gives_an_action_or_a_fault_with_that_text(text: str, strict: bool) -> None:
    reply, fault = None, None
    try:
        reply = parse_reply(text, strict=strict)
    except ReplyFault as error:
        fault = error
    if fault is not None:
        assert fault.reply_text == text
    else:
        assert isinstance(reply, Ask | SelectKeyframe | GridAnswer | GiveUp)


@given(text=soups)
def test_helpers_take_any_text(text: str) -> None:
    end = action_end(text)
    assert end is None or text[:end].endswith(">")
    assert close_tag(text).startswith(text)


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("<keyframe>12</keyframe>", SelectKeyframe(12)),
        ("<KeyFrame> frame 00012 </KEYFRAME>", SelectKeyframe(12)),
        ("<keyframe> {\"frame_id\": 12} </keyframe>", SelectKeyframe(12)),
        ("<keyframe>\n```\n12\n```\n</keyframe>", SelectKeyframe(12)),
        ("It is <keyframe> 12", SelectKeyframe(12)),
        ("so, 3 it is </think> <keyframe>3</keyframe>", SelectKeyframe(3, "so, 3 it is")),
        ("<thinking> not closed <keyframe> 3 </keyframe>", SelectKeyframe(3, "not closed")),
        ('```json\n<call>\n{"name":\n"vlm_tool", "query":\n"Red?"}\n</call>\n```', Ask("Red?")),
        ('<call> {"query": "Red?"} </call>', Ask("Red?")),
        ('<call> {"name": "vlm_tool", "arguments": {"query": "Red?"}} </call>', Ask("Red?")),
        ("<call> {'name': 'vlm_tool', 'query': 'Is it the man's cup?'} </call>", Ask("Is it the man's cup?")),
        ('<call> {"name": "vlm_tool", "query": "Red?"}', Ask("Red?")),
        ('<answer>\n{"bbox_2d": [1.5, 2,\n 30, 40], "point_2d": [5, 6], "label": "mug"}\n</answer>',
         GridAnswer((1.5, 2, 30, 40), (5, 6))),
        ("<answer>```json\n{'bbox_2d': [1, 2, 30, 40,], 'point_2d': (5, 6)}```</answer>",
         GridAnswer((1, 2, 30, 40), (5, 6))),
        ('<answer>[{"bbox_2d": [1, 2, 30, 40], "point_2d": [5, 6]}]</answer>', GridAnswer((1, 2, 30, 40), (5, 6))),
        ('<answer>{"bbox_2d": [0, 0, 1000, 1000], "point_2d": [0, 9]}</answer>',
         GridAnswer((0, 0, 1000, 1000), (0, 9))),
    ],
)  # fmt: skip
def test_lenient_reading_forgives_form_and_strict_does_not(text: str, reply: Reply) -> None:
    assert parse_reply(text) == reply
    with pytest.raises(ReplyFault):
        parse_reply(text, strict=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no <call>, <keyframe> or <answer>"),
        ("I think it is the red mug.", "no <call>, <keyframe> or <answer>"),
        ("<select> 12 </select>", "no <call>, <keyframe> or <answer>"),
        ("<thinking> <keyframe> 1 </keyframe> </thinking> done", "no <call>, <keyframe> or <answer>"),
        ("<thinking> maybe <keyframe> 12", "no <call>, <keyframe> or <answer>"),
        ("<keyframe> 1 or 2 </keyframe>", "one frame id"),
        ("<keyframe> -2 </keyframe>", "frame id of the list"),
        ("<keyframe> - 1 </keyframe>", "one frame id"),
        ("<keyframe> 12.5 </keyframe>", "one frame id"),
        ("<keyframe> </keyframe>", "one frame id"),
        ('<call> {"name": "vlm_tool", "query": "Is it r', "not JSON"),
        ('<call> {"name": "zoom_tool", "query": "Red?"} </call>', "knows only vlm_tool"),
        ('<call> {"name": "vlm_tool", "query": " "} </call>', "needs a question"),
        ('<call> {"name": "vlm_tool", "query": 3} </call>', "needs a question"),
        ("<call> Red? </call>", "not JSON"),
        ('<answer> {"bbox_2d": [1, 2, 30, 40]} </answer>', "point_2d needs 2 numbers"),
        ('<answer> {"bbox_2d": [1, 2, 30], "point_2d": [5, 6]} </answer>', "bbox_2d needs 4 numbers"),
        ('<answer> {"bbox_2d": [1, 2, 30, true], "point_2d": [5, 6]} </answer>', "bbox_2d needs 4 numbers"),
        ('<answer> {"bbox_2d": [1, 2, 30, 1001], "point_2d": [5, 6]} </answer>', "must be 0..1000"),
        ('<answer> {"bbox_2d": [1, 2, 30, 40], "point_2d": [-1, 6]} </answer>', "must be 0..1000"),
        ('<answer> {"bbox_2d": [1, 2, NaN, 40], "point_2d": [5, 6]} </answer>', "must be 0..1000"),
        ('<answer> {"bbox_2d": [30, 2, 1, 40], "point_2d": [5, 6]} </answer>', "x1 < x2"),
        ('<answer> {"bbox_2d": [1, 2, 1, 40], "point_2d": [5, 6]} </answer>', "x1 < x2"),
        ("<answer> {'bbox_2d': [1, two, 3, 4], 'point_2d': [5, 6]} </answer>", "bbox_2d needs 4 numbers"),
    ],
)
def test_content_is_never_made_up(text: str, reason: str) -> None:
    with pytest.raises(ReplyFault, match=reason):
        parse_reply(text)


def test_strict_wants_the_answer_on_one_line_and_no_other_keys() -> None:
    with pytest.raises(ReplyFault, match="no action"):
        parse_reply(ANSWER.replace(", [", ",\n[").replace('{"bbox', '{\n"bbox'), strict=True)
    with pytest.raises(ReplyFault, match="exactly the keys"):
        parse_reply(ANSWER.replace("{", '{"label": "mug", '), strict=True)


def test_the_first_action_counts() -> None:
    assert parse_reply(f"{KEYFRAME} {ASK}") == EXAMPLES[KEYFRAME]
    assert action_end(f"{KEYFRAME} {ASK}") == len(KEYFRAME)


def test_an_action_that_the_model_only_thinks_about_does_not_count() -> None:
    text = "<thinking> a <keyframe> 1 </keyframe>? </thinking> <keyframe> 2 </keyframe>"
    assert parse_reply(text) == SelectKeyframe(2, "a <keyframe> 1 </keyframe>?")
    assert action_end(text) == len(text)


def test_a_tag_inside_open_thinking_ends_nothing() -> None:
    assert action_end("<thinking> I write <answer> x </answer> later") is None
    assert action_end("<thinking> </thinking> <answer> x </answer>...") == len(
        "<thinking> </thinking> <answer> x </answer>"
    )


def test_thinking_that_would_break_the_reply_is_refused() -> None:
    with pytest.raises(ValueError, match="closing tags"):
        format_reply(SelectKeyframe(1, thinking="done </thinking>"))


def test_an_action_is_written_as_the_model_that_sees_the_picture_would() -> None:
    answer = Answer((64.0, 120.0, 192.0, 360.0), (128.0, 240.0), "There.", label="mug", frame_id=12)
    text = format_action(answer, (480, 640))
    assert text == (
        '<thinking> There. </thinking> <answer> {"bbox_2d": [100, 250, 300, 750], "point_2d": [200, 500]} </answer>'
    )
    assert parse_reply(text, strict=True) == GridAnswer((100, 250, 300, 750), (200, 500), "There.")
    assert format_action(SelectKeyframe(1, "so"), (480, 640)) == "<thinking> so </thinking> <keyframe> 1 </keyframe>"


@pytest.mark.parametrize(
    ("total", "indices"),
    [(1, [0]), (6, [0, 1, 2, 3, 4, 5]), (7, [0, 1, 2, 3, 4, 6]), (100, [0, 19, 39, 59, 79, 99])],
)
def test_frames_are_spaced_evenly_and_truncated(total: int, indices: list[int]) -> None:
    assert sample_frame_indices(total) == indices


@given(total=st.integers(1, 5000), count=st.integers(1, 12))
def test_sampled_frames_are_distinct_and_in_order(total: int, count: int) -> None:
    indices = sample_frame_indices(total, count)
    assert len(indices) == min(total, count)
    assert indices == sorted(set(indices))
    assert indices[0] == 0
    assert indices[-1] == total - 1 or count == 1


def test_sampling_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        sample_frame_indices(0)


def test_the_unknown_frame_text_lists_the_frames() -> None:
    assert unknown_frame_text([0, 12, 24]) == "Frame index not in [0, 12, 24]."
