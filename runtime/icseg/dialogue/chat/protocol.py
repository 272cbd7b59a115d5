"""The IC-Seg protocol, the model's side: reply text <-> what it says, and where a reply may be cut.

Pure text: knows no model, no image and no dialogue. What an answer means in pixels is in ``grid.py``, what the model is
told back in ``observations.py``.

One reply is ``<thinking> ... </thinking>`` and then exactly one of ``<call> JSON </call>`` (a question),
``<keyframe> ID </keyframe>`` and ``<answer> JSON </answer>`` (box and point, 0..1000 on each axis).
*Source:* IC-Seg, arXiv 2605.17531, and the prompts and scorers of its public repository.
"""

from __future__ import annotations

import json
import re
from typing import Any

from icseg.dialogue.actions import Action, Answer, Ask, GiveUp, SelectKeyframe
from icseg.dialogue.chat.grid import GridAnswer
from icseg.dialogue.policy import ReplyFault
from icseg.errors import ModelOutputError

Reply = Ask | SelectKeyframe | GridAnswer | GiveUp
"""What one reply of the model says: an action, whose answer is still on the model's grid."""

STOP_STRINGS = ("</call>", "</keyframe>")
"""What a server stops at. ``</answer>`` is none: the last reply ends with the model's own end of turn."""
TOOL_NAME = "vlm_tool"
"""The one name that a ``<call>`` may have."""
NO_KEYFRAME_ID = -1
"""The frame id with which the model says that no frame shows the target."""
NO_TARGET_REASON = "I see nothing in the picture that fits."
"""What the person is told then: the protocol has no place for a reason."""

_ACTION = re.compile(r"<(call|keyframe|answer)>((?:(?!<\1>).)*?)</\1>", re.IGNORECASE | re.DOTALL)
_OPEN_ACTION = re.compile(r"<(call|keyframe|answer)>", re.IGNORECASE)
_CLOSING = re.compile(r"</(?:call|keyframe|answer)>", re.IGNORECASE)
_THINKING_OPEN = re.compile(r"<think(?:ing)?>", re.IGNORECASE)
_THINKING_CLOSE = re.compile(r"</think(?:ing)?>", re.IGNORECASE)
_FENCE = re.compile(r"^```[a-z]*\s*|\s*```$", re.IGNORECASE)
_FRAME_ID = re.compile(r"(?:frame(?:[ _]?(?:id|index))?[\"']?\s*[:=#]?\s*)?(-?[0-9]{1,9})", re.IGNORECASE)
_LOOSE_QUERY = re.compile(r"[\"']query[\"']\s*:\s*([\"'])(.*?)\1\s*(?=,\s*[\"']name[\"']|\})", re.DOTALL)
_LOOSE_NAME = re.compile(r"[\"']name[\"']\s*:\s*[\"']([^\"']*)[\"']")
_LOOSE_NUMBERS = r"[\"']?\b{key}\b[\"']?\s*[:=]\s*[\[(]([^\])]*)[\])]"
_LOOSE_NUMBER = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]*)?")
_ESCAPES = {"<": "\\u003c", ">": "\\u003e"}

# The official scorers' patterns. "." does not match a newline in _STRICT_ANSWER on purpose: theirs does not either.
_STRICT_THINKING = re.compile(r"<thinking>(.*?)</thinking>", re.DOTALL)
_STRICT_CALL = re.compile(r"<call>(.*?)</call>", re.DOTALL)
_STRICT_KEYFRAME = re.compile(r"<keyframe>\s*(\d+|-1)\s*</keyframe>", re.ASCII)
_STRICT_ANSWER = re.compile(r"<answer>(.*?)</answer>")


def parse_reply(text: str, *, strict: bool = False) -> Reply:
    """One reply of the model -> what it says.

    Lenient reading forgives form, never content: missing thinking, letter case, code fences, line breaks, single
    quotes and a closing tag that the server took away. It invents nothing, so a reply that was cut off for length
    must not come here: an unclosed ``<keyframe> 1`` could be the start of 12. ``strict`` reads as the official
    scorers do, for comparisons; it also wants the thinking block before the action.

    Keyframe -1 and a box of four zeros mean "no target" and give a ``GiveUp``.

    Raises:
        ReplyFault: no action, or one with broken JSON, wrong keys, or coordinates that are no box inside 0..1000.
    """
    try:
        return _parse_strict(text) if strict else _parse_lenient(text)
    except ModelOutputError as error:
        raise ReplyFault(str(error), text) from error
    except RecursionError as error:
        raise ReplyFault("JSON nested too deeply", text) from error


def format_action(action: Action, hw: tuple[int, int]) -> str:
    """The reply with which a model that is shown (H, W) pictures takes this action.

    The protocol has no place for an ``Answer``'s label and frame id: those two are lost.

    Raises:
        ValueError: as ``format_reply``.
    """
    return format_reply(GridAnswer.from_pixels(action, hw) if isinstance(action, Answer) else action)


def format_reply(reply: Reply) -> str:
    """The text that says this; ``parse_reply`` reads it back, strictly or not.

    The protocol has no place for an ``Ask``'s options and a ``GiveUp``'s reason: those two are lost.

    Raises:
        ValueError: the thinking holds a tag of the protocol, which would end it early.
    """
    if _THINKING_CLOSE.search(reply.thinking) or _CLOSING.search(reply.thinking):
        raise ValueError(f"thinking must not hold closing tags, got {reply.thinking!r}")
    match reply:
        case Ask(question=question):
            # Escaped angle brackets: a question about "</call>" must not end the call.
            query = "".join(_ESCAPES.get(letter, letter) for letter in json.dumps(question, ensure_ascii=False))
            body = f'<call> {{"name": "{TOOL_NAME}", "query": {query}}} </call>'
        case SelectKeyframe(frame_id=frame_id):
            body = f"<keyframe> {frame_id} </keyframe>"
        case GridAnswer(box_vlm_1000=box, point_vlm_1000=point):
            content = {"bbox_2d": [_short(value) for value in box], "point_2d": [_short(value) for value in point]}
            body = f"<answer> {json.dumps(content)} </answer>"
        case GiveUp():
            body = f"<keyframe> {NO_KEYFRAME_ID} </keyframe>"
    return f"<thinking> {reply.thinking} </thinking> {body}"


def action_end(text: str) -> int | None:
    """Where the first finished action ends, or None: everything after it may be thrown away unread.

    A closing tag inside a thinking block that is still open is talk, not an action.
    """
    opened = _THINKING_OPEN.search(text)
    start = 0
    if opened is not None:
        closed = _THINKING_CLOSE.search(text, opened.end())
        if closed is None:
            return None
        start = closed.end()
    found = _CLOSING.search(text, start)
    return found.end() if found is not None else None


def close_tag(text: str) -> str:
    """Put back the closing tag that a server removed because it was the stop string; else the text as it is.

    Only for a reply that ended by itself: after a cut for length the content may be incomplete.
    """
    _, tail = _split_thinking(text)
    if _THINKING_OPEN.search(tail):
        return text  # a tag that the model only thinks about
    opened = list(_OPEN_ACTION.finditer(tail))
    if not opened or _CLOSING.search(tail, opened[-1].end()):
        return text
    return text + f"</{opened[-1].group(1).lower()}>"


def _parse_strict(text: str) -> Reply:
    thought = _STRICT_THINKING.search(text)
    if thought is None:
        raise ModelOutputError("no <thinking> block before the action")
    thinking, tail = thought.group(1).strip(), text[thought.end() :]
    patterns = {"call": _STRICT_CALL, "keyframe": _STRICT_KEYFRAME, "answer": _STRICT_ANSWER}
    found = [
        (match.start(), name, match.group(1)) for name, pattern in patterns.items() if (match := pattern.search(tail))
    ]
    if not found:
        raise ModelOutputError(f"no action in the reply: {_excerpt(text)}")
    _, name, body = min(found)
    match name:
        case "call":
            content = _load_json(body)
            if set(content) != {"name", "query"}:
                raise ModelOutputError(f"<call> needs exactly the keys name and query, got {_excerpt(body)}")
            return _ask(content["name"], content["query"], thinking)
        case "keyframe":
            return _keyframe(body, thinking)
        case _:
            content = _load_json(body)
            if set(content) != {"bbox_2d", "point_2d"}:
                raise ModelOutputError(f"<answer> needs exactly the keys bbox_2d and point_2d, got {_excerpt(body)}")
            return _answer(content, thinking)


def _parse_lenient(text: str) -> Reply:
    thinking, tail = _split_thinking(close_tag(text))
    found = _ACTION.search(tail)
    if found is None:
        raise ModelOutputError(f"no <call>, <keyframe> or <answer> in the reply: {_excerpt(text)}")
    if not thinking and (opened := _THINKING_OPEN.search(tail[: found.start()])):
        thinking = tail[opened.end() : found.start()].strip()
    body = _FENCE.sub("", _FENCE.sub("", found.group(2).strip()).strip()).strip()
    match found.group(1).lower():
        case "call":
            return _ask(*_loose_call(body), thinking)
        case "keyframe":
            return _keyframe(body.strip(" \t\r\n\"'`[](){}."), thinking)
        case _:
            return _answer(_loose_answer(body), thinking)


def _split_thinking(text: str) -> tuple[str, str]:
    """-> the thinking, and the text after it (all of it when no thinking block was closed)."""
    closed = _THINKING_CLOSE.search(text)
    if closed is None:
        return "", text
    opened = _THINKING_OPEN.search(text, 0, closed.start())
    # Some chat templates write the opening tag themselves, so that the reply starts inside the block.
    start = opened.end() if opened is not None else 0
    return text[start : closed.start()].strip(), text[closed.end() :]


def _load_json(body: str) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError as error:
        raise ModelOutputError(f"not JSON: {_excerpt(body)}") from error
    if not isinstance(content, dict):
        raise ModelOutputError(f"expected a JSON object, got {_excerpt(body)}")
    return content


def _loose_call(body: str) -> tuple[Any, Any]:
    """Name and query of a call, also from an object with single quotes or with the query under ``arguments``."""
    try:
        content = _load_json(body)
    except ModelOutputError:
        query, name = _LOOSE_QUERY.search(body), _LOOSE_NAME.search(body)
        if query is None:
            raise
        return (name.group(1) if name is not None else TOOL_NAME), query.group(2)
    arguments = content.get("arguments")
    inner = arguments if isinstance(arguments, dict) else content
    return content.get("name", TOOL_NAME), inner.get("query")


def _loose_answer(body: str) -> dict[str, Any]:
    try:
        return _load_json(body)
    except ModelOutputError:
        lists = {key: re.findall(_LOOSE_NUMBERS.format(key=key), body) for key in ("bbox_2d", "point_2d")}
        if any(len(found) != 1 for found in lists.values()):
            raise
    content: dict[str, Any] = {}
    for key, (numbers,) in lists.items():
        parts = [_LOOSE_NUMBER.fullmatch(part.strip()) for part in numbers.strip().rstrip(",").split(",")]
        content[key] = [float(part.group()) if part is not None else None for part in parts]
    return content


def _ask(name: Any, query: Any, thinking: str) -> Ask:
    if name != TOOL_NAME:
        raise ModelOutputError(f"<call> knows only {TOOL_NAME}, got {_excerpt(repr(name))}")
    if not isinstance(query, str) or not query.strip():
        raise ModelOutputError(f"<call> needs a question as query, got {_excerpt(repr(query))}")
    return Ask(question=query.strip(), thinking=thinking)


def _keyframe(body: str, thinking: str) -> SelectKeyframe | GiveUp:
    found = _FRAME_ID.fullmatch(body)
    if found is None:
        raise ModelOutputError(f"<keyframe> needs one frame id, got {_excerpt(body)}")
    frame_id = int(found.group(1))
    if frame_id == NO_KEYFRAME_ID:
        return GiveUp(reason=NO_TARGET_REASON, thinking=thinking)
    if frame_id < 0:
        raise ModelOutputError(f"<keyframe> needs a frame id of the list, got {frame_id}")
    return SelectKeyframe(frame_id=frame_id, thinking=thinking)


def _answer(content: dict[str, Any], thinking: str) -> GridAnswer | GiveUp:
    x0, y0, x1, y1 = _numbers(content.get("bbox_2d"), "bbox_2d", 4)
    x, y = _numbers(content.get("point_2d"), "point_2d", 2)
    if (x0, y0, x1, y1) == (0, 0, 0, 0):
        return GiveUp(reason=NO_TARGET_REASON, thinking=thinking)
    answer = GridAnswer((float(x0), float(y0), float(x1), float(y1)), (float(x), float(y)), thinking)
    answer.check()
    return answer


def _numbers(value: Any, key: str, count: int) -> list[float]:
    # bool is an int to Python and true is no coordinate.
    is_numbers = isinstance(value, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    if not is_numbers or len(value) != count:
        raise ModelOutputError(f"{key} needs {count} numbers, got {_excerpt(repr(value))}")
    return list(value)


def _short(value: float) -> float:
    return int(value) if float(value).is_integer() else value


def _excerpt(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 100 else flat[:100] + " ..."
