"""The chat policy against a real HTTP server on loopback: recorded dialogues, and every way to misbehave."""

from __future__ import annotations

import base64
import json
import time
from collections import OrderedDict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from loopback_server import (
    LoopbackServer,
    Step,
    answer,
    cut_off,
    document,
    drop,
    endless,
    event,
    recorded_bodies,
    recording,
    replay,
    silent,
    stall,
    stream_of,
)

from icseg.dialogue.actions import Ask, SelectKeyframe
from icseg.dialogue.agent import Agent, Target
from icseg.dialogue.chat.config import ChatConfig
from icseg.dialogue.chat.messages import ImageEncoder, resize_square
from icseg.dialogue.chat.policy import ChatPolicy, load_prompt
from icseg.dialogue.chat.servers import SERVERS
from icseg.dialogue.dialogue import Dialogue, Observation, Turn
from icseg.dialogue.policy import PolicyOutput, ReplyFault
from icseg.errors import BackendError, Cancelled, ConfigError, ModelOutputError
from icseg.types import Frame

KEYFRAME = "<thinking> Größte in 12. </thinking> <keyframe> 12 </keyframe>"
PATIENCE_S = 5.0
"""How long a misbehaving server holds out, far above every limit set here."""
QUICK_S = 1.5
"""What counts as at once on a busy machine."""


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    server = LoopbackServer()
    yield server
    server.stop()


def make_frame(seed: int, hw: tuple[int, int] = (60, 100)) -> Frame:
    image = np.random.default_rng(seed).integers(0, 256, (*hw, 3), np.uint8)
    return Frame(image, stamp_ns=seed, index=seed)


def make_dialogue(command: str = "the mug") -> Dialogue:
    return Dialogue(command, {id_: make_frame(id_) for id_ in (0, 12, 24)})


def make_policy(loopback: LoopbackServer, /, **settings: Any) -> ChatPolicy:
    quick = {"first_token_timeout_s": 2.0, "idle_timeout_s": 2.0, "total_timeout_s": 4.0, "retry_backoff_s": 0.01}
    return ChatPolicy(ChatConfig(url=loopback.url, **{**quick, **settings}))


def run(loopback: LoopbackServer, /, *steps: Step, **settings: Any) -> PolicyOutput:
    loopback.steps.extend(steps)
    return make_policy(loopback, **settings).next_action(make_dialogue())


@pytest.mark.parametrize("name", ["mug_llama_cpp", "mug_vllm", "mug_edge_llm"])
def test_a_recorded_dialogue_ends_in_a_target(server: LoopbackServer, name: str) -> None:
    recorded = recording(name)
    server.steps.extend(replay(body) for body in recorded_bodies(recorded))
    agent = Agent(make_policy(server, server=recorded["server"]))
    dialogue = make_dialogue(recorded["command"])
    asked = agent.advance(dialogue)
    assert isinstance(asked, Ask)
    assert asked.question == "Is the target blue or white?"
    assert "white with é" in asked.thinking
    agent.reply(dialogue, recorded["answers"][0])
    target = agent.advance(dialogue)
    assert isinstance(target, Target)
    assert target.keyframe is dialogue.frames[24]
    assert target.box_image_px == pytest.approx((10, 15, 30, 45))
    # Whether the server keeps the stop string or not, the words in the history are the same.
    assert dialogue.turns[0].reply_text.endswith('blue or white?"} </call>')
    assert dialogue.turns[1].reply_text.endswith("<keyframe> 24 </keyframe>")


def test_every_request_begins_with_the_bytes_of_the_one_before(server: LoopbackServer) -> None:
    recorded = recording("mug_vllm")
    server.steps.extend(replay(body) for body in recorded_bodies(recorded))
    agent, dialogue = Agent(make_policy(server, server="vllm")), make_dialogue()
    agent.advance(dialogue)
    agent.reply(dialogue, "the blue one")
    agent.advance(dialogue)
    messages = [body["messages"] for body in server.bodies]
    assert [len(turn) for turn in messages] == [2, 4, 6]
    for earlier, later in pairwise(messages):
        assert json.dumps(later).startswith(json.dumps(earlier)[:-1])
    assert messages[2][3]["content"] == "<information>the blue one</information>\n\n"


def test_messages_hold_the_frames_by_id_then_the_command(server: LoopbackServer) -> None:
    server.steps.append(replay(stream_of(KEYFRAME)))
    dialogue = make_dialogue()
    dialogue.turns = [
        Turn(None, "red mug", fault="no action", observation=Observation("error", "Invalid reply.")),
        Turn(SelectKeyframe(24), KEYFRAME, observation=Observation("keyframe", frame_id=24)),
    ]
    make_policy(server).next_action(dialogue)
    system, opening, fault, error, keyframe, shown = server.bodies[0]["messages"]
    assert system == {"role": "system", "content": load_prompt("search")}
    texts = [part["text"] for part in opening["content"] if part["type"] == "text"]
    assert texts == ["frame 0 ", "\nframe 12 ", "\nframe 24 ", "\n\nthe mug"]
    assert [image.shape for image in images(opening)] == [(448, 448, 3)] * 3
    assert (fault["content"], error["content"]) == ("red mug", "Invalid reply.")
    assert (keyframe["role"], keyframe["content"]) == ("assistant", KEYFRAME)
    assert shown["content"][0]["text"] == "Here is the high-res version of your selected frame: "
    assert [image.shape for image in images(shown)] == [(864, 864, 3)]
    assert [message["role"] for message in server.bodies[0]["messages"][1:]] == ["user", "assistant"] * 2 + ["user"]


def images(message: dict[str, Any]) -> list[np.ndarray[Any, Any]]:
    urls = [part["image_url"]["url"] for part in message["content"] if part["type"] == "image_url"]
    data = [np.frombuffer(base64.b64decode(url.split(",", 1)[1]), np.uint8) for url in urls]
    return [np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))[..., ::-1] for code in data]


def test_png_keeps_the_pixels_and_their_channel_order() -> None:
    frame = make_frame(1, hw=(448, 448))
    url = ImageEncoder("png").data_url(frame, 448)
    assert url.startswith("data:image/png;base64,")
    part = {"type": "image_url", "image_url": {"url": url}}
    np.testing.assert_array_equal(images({"content": [part]})[0], frame.image)


def test_an_image_is_encoded_once_and_never_mistaken_for_another() -> None:
    encoder = ImageEncoder()
    frame = make_frame(1)
    first = encoder.data_url(frame, 448)
    assert encoder.data_url(frame, 448) is first
    twin = Frame(make_frame(2).image, stamp_ns=frame.stamp_ns, index=frame.index)
    assert encoder.data_url(twin, 448) != first
    for seed in range(10, 60):
        encoder.data_url(make_frame(seed, hw=(4, 4)), 8)
    again = encoder.data_url(frame, 448)
    assert again == first
    assert again is not first


class _Shared(OrderedDict[Any, Any]):
    """Another thread drops everything after each look-up."""

    def get(self, key: Any, default: Any = None) -> Any:
        found = super().get(key, default)
        self.clear()
        return found

    def pop(self, key: Any, default: Any = None) -> Any:
        found = super().pop(key, default)
        self.clear()
        return found


def test_an_image_that_another_dialogue_drops_meanwhile_is_given_all_the_same() -> None:
    encoder, frame = ImageEncoder(), make_frame(1)
    encoder._cache = _Shared()
    assert encoder.data_url(frame, 8) == encoder.data_url(frame, 8)


@pytest.mark.parametrize("hw", [(1, 1), (1, 700), (1080, 1920), (447, 449)])
def test_any_frame_size_becomes_square(hw: tuple[int, int]) -> None:
    image = np.full((*hw, 3), (10, 20, 30), np.uint8)
    assert (resize_square(image, 448) == np.array([10, 20, 30], np.uint8)).all()
    assert resize_square(image, 448).shape == (448, 448, 3)


COMMON = {"model", "messages", "stream", "temperature", "max_tokens", "stop", "seed", "stream_options"}
FIELDS = {
    "openai": COMMON,
    "edge-llm": COMMON | {"enable_thinking", "reuse_context"},
    "trtllm-serve": COMMON | {"include_stop_str_in_output"},
    "llama.cpp": COMMON | {"cache_prompt", "chat_template_kwargs"},
    "vllm": COMMON | {"include_stop_str_in_output", "chat_template_kwargs"},
    "sglang": COMMON | {"no_stop_trim", "chat_template_kwargs"},
    "ollama": COMMON,
}


@pytest.mark.parametrize("name", SERVERS)
def test_each_server_gets_only_fields_that_it_knows(server: LoopbackServer, name: str) -> None:
    run(server, replay(stream_of(KEYFRAME)), server=name, model="policy", seed=7, max_tokens=99)
    body = server.bodies[0]
    assert set(body) == FIELDS[name]
    assert (body["temperature"], body["seed"], body["max_tokens"], body["model"]) == (0, 7, 99, "policy")
    assert body["stop"] == ["</call>", "</keyframe>"]
    assert body["stream"] is True
    assert server.paths == ["/v1/chat/completions"]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("vllm", {"repetition_penalty": 1.1, "presence_penalty": 1.0}),
        ("llama.cpp", {"repeat_penalty": 1.1, "presence_penalty": 1.0}),
    ],
)
def test_penalties_go_by_each_servers_name(server: LoopbackServer, name: str, fields: dict[str, float]) -> None:
    run(server, replay(stream_of(KEYFRAME)), server=name, repetition_penalty=1.1, presence_penalty=1.0)
    assert {key: server.bodies[0][key] for key in fields} == fields


@pytest.mark.parametrize("setting", ["repetition_penalty", "presence_penalty"])
def test_a_penalty_that_the_server_would_drop_is_a_config_error(setting: str) -> None:
    settings: dict[str, Any] = {"server": "edge-llm", setting: 1.5}
    with pytest.raises(ConfigError, match=rf"chat\.{setting}: edge-llm has none"):
        ChatConfig(**settings)


def test_a_stream_cut_into_single_bytes_is_read_whole(server: LoopbackServer) -> None:
    data = b": keep-alive\r\n\r\n" + stream_of(KEYFRAME).replace(b"\n", b"\r\n")
    output = run(server, replay(data, cut_every=1))
    assert output.action == SelectKeyframe(12, "Größte in 12.")
    assert output.reply_text == KEYFRAME


def test_a_server_that_ignores_stream_is_understood(server: LoopbackServer) -> None:
    output = run(server, answer(200, document(KEYFRAME)))
    assert output.action == SelectKeyframe(12, "Größte in 12.")


def test_the_connection_is_dropped_at_the_closing_tag(server: LoopbackServer) -> None:
    text = '<answer> {"bbox_2d": [1, 2, 3, 4], "point_2d": [2, 3]} </answer>'
    started = time.monotonic()
    output = run(server, endless(event(text + " And now"), event(" more")))
    assert output.reply_text == text
    assert server.hung_up.wait(PATIENCE_S)
    assert time.monotonic() - started < QUICK_S


def test_timings_are_measured_in_the_client(server: LoopbackServer) -> None:
    pause_s = 0.03
    output = run(server, replay(stream_of(KEYFRAME, size=12), cut_every=90, pause_s=pause_s))
    timings = output.timings_ms
    assert set(timings) == {"encode_images", "first_token", "total"}
    assert set(output.rates_per_s) == {"tokens"}
    assert 0 < timings["first_token"] < timings["total"]
    assert timings["total"] > 3 * pause_s * 1000
    assert 1 < output.rates_per_s["tokens"] < 1 / pause_s * 2


def test_a_rambling_model_is_cut_off_and_its_words_are_kept(server: LoopbackServer) -> None:
    with pytest.raises(ReplyFault, match="no action within 500 characters") as caught:
        run(server, endless(event("<thinking> Hm."), event(" On the other hand.")), max_reply_chars=500)
    assert caught.value.reply_text.startswith("<thinking> Hm. On the other hand.")
    assert caught.value.timings_ms["first_token"] > 0
    assert server.hung_up.wait(PATIENCE_S)


def test_a_reply_cut_at_its_token_limit_is_not_completed(server: LoopbackServer) -> None:
    with pytest.raises(ReplyFault, match="limit of"):
        run(server, replay(stream_of("<keyframe> 1", finish_reason="length")))


@pytest.mark.parametrize("text", ["The mug is on the left.", "<select> 12 </select>", ""])
def test_wrong_tags_are_the_models_fault_not_the_servers(server: LoopbackServer, text: str) -> None:
    with pytest.raises(ModelOutputError) as caught:
        run(server, replay(stream_of(text)))
    assert isinstance(caught.value, ReplyFault)
    assert caught.value.reply_text == text
    assert len(server.bodies) == 1


def test_after_an_empty_reply_user_and_assistant_still_take_turns(server: LoopbackServer) -> None:
    server.steps.extend([replay(stream_of("")), replay(stream_of("<keyframe> -1 </keyframe>"))])
    Agent(make_policy(server)).advance(make_dialogue())
    roles = [message["role"] for message in server.bodies[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]
    assert server.bodies[1]["messages"][2]["content"].strip()


@pytest.mark.parametrize("failure", [answer(500, b"oops", "text/plain"), answer(503, b"{}"), answer(429, b"{}"), drop])
def test_failures_before_the_first_token_are_tried_again(server: LoopbackServer, failure: Step) -> None:
    output = run(server, failure, failure, replay(stream_of(KEYFRAME)), max_retries=2)
    assert isinstance(output.action, SelectKeyframe)
    assert len(server.bodies) == 3
    assert server.raw_bodies[0] == server.raw_bodies[2]


def test_retries_end(server: LoopbackServer) -> None:
    failure = answer(503, b'{"error": {"message": "Loading model"}}')
    with pytest.raises(BackendError, match=r"HTTP 503, 'Loading model' \(2 tries\)\. Is the server running\?"):
        run(server, failure, failure, failure, max_retries=1)
    assert len(server.bodies) == 2


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, b'{"error": {"message": "too many images"}}', "too many images.*chat.server"),
        (401, b'{"error": "no key"}', "no key.*chat.api_key_env"),
        (404, b"<h1>Not Found</h1>", "Not Found.*path of chat.url"),
        (422, b'{"detail": "extra field"}', "extra field.*chat.server"),
        (302, b"", "HTTP 302"),
    ],
)
def test_a_refused_request_is_not_tried_again(server: LoopbackServer, status: int, body: bytes, reason: str) -> None:
    with pytest.raises(BackendError, match=reason) as caught:
        run(server, answer(status, body))
    assert server.url in str(caught.value)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>hello</html>", "not the chat API"),
        (b"{not json", "not JSON"),
        (b"data: {not json\n\n", "not JSON"),
        (b"data: [1]\n\n", "expected a JSON object"),
        (b'data: {"answer": 1}\n\n', "object with choices"),
        (b'data: {"choices": [{"text": "hi"}]}\n\n', "choice with delta"),
        (b'data: {"error": {"message": "out of memory"}}\n\n', "out of memory"),
        (b'{"choices": [7]}', "choice with message"),
        (b"x" * (1 << 20) + b"xx", "without an end of line"),
    ],
    ids=lambda value: value[:24] if isinstance(value, bytes) else value,
)
def test_what_is_not_the_chat_api_is_said_to_be_so(server: LoopbackServer, body: bytes, reason: str) -> None:
    with pytest.raises(BackendError, match=reason):
        run(server, answer(200, body))
    assert len(server.bodies) == 1


def test_a_reply_that_breaks_off_is_not_asked_for_again(server: LoopbackServer) -> None:
    with pytest.raises(BackendError, match=r"broke off after \d+ characters"):
        run(server, cut_off(event("<thinking> so")), replay(stream_of(KEYFRAME)))
    assert len(server.bodies) == 1


def test_a_reply_that_breaks_off_after_its_action_is_used(server: LoopbackServer) -> None:
    assert isinstance(run(server, cut_off(event(KEYFRAME))).action, SelectKeyframe)


@pytest.mark.parametrize(
    ("step", "settings", "reason"),
    [
        (silent(PATIENCE_S), {"first_token_timeout_s": 0.2}, "first_token_timeout_s = 0.2"),
        (endless(b": hi\n\n", b": hi\n\n"), {"first_token_timeout_s": 0.2}, "first_token_timeout_s = 0.2"),
        (stall(event("<thinking>"), PATIENCE_S), {"idle_timeout_s": 0.2}, "idle_timeout_s = 0.2"),
        (endless(b"", event("x")), {"total_timeout_s": 0.3, "max_reply_chars": 10**6}, "total_timeout_s = 0.3"),
    ],
    ids=["silent", "only keep-alives", "stalled", "too slow"],
)
def test_each_deadline_ends_the_wait(server: LoopbackServer, step: Step, settings: Any, reason: str) -> None:
    started = time.monotonic()
    with pytest.raises(BackendError, match=reason):
        run(server, step, **settings)
    assert time.monotonic() - started < QUICK_S
    assert len(server.bodies) == 1


def test_a_whole_reply_is_not_lost_to_a_server_that_keeps_the_line_open(server: LoopbackServer) -> None:
    step = stall(event("<keyframe> 12 ") + event(None, "stop"), PATIENCE_S)
    assert run(server, step, idle_timeout_s=0.2).action == SelectKeyframe(12)


def test_nothing_listening_says_what_to_start(server: LoopbackServer) -> None:
    server.stop()
    with pytest.raises(BackendError, match=r"2 tries\)\. Is the server running\? llama-server") as caught:
        run(server, max_retries=1, server="llama.cpp")
    assert server.url in str(caught.value)


@pytest.mark.parametrize(
    "step", [silent(PATIENCE_S), stall(event("<thinking>"), PATIENCE_S)], ids=["waiting", "reading"]
)
def test_cancelling_is_noticed_at_once(server: LoopbackServer, step: Step) -> None:
    server.steps.append(step)
    dialogue = make_dialogue()
    cancel_at = time.monotonic() + 0.2
    dialogue.is_cancelled = lambda: time.monotonic() > cancel_at
    with pytest.raises(Cancelled):
        make_policy(server).next_action(dialogue)
    assert time.monotonic() - cancel_at < QUICK_S


def test_cancelling_is_noticed_between_tries(server: LoopbackServer) -> None:
    server.steps.extend([drop, replay(stream_of(KEYFRAME))])
    dialogue = make_dialogue()
    cancel_at = time.monotonic() + 0.3
    dialogue.is_cancelled = lambda: time.monotonic() > cancel_at
    with pytest.raises(Cancelled):
        make_policy(server, retry_backoff_s=3.0).next_action(dialogue)
    assert time.monotonic() - cancel_at < QUICK_S
    assert len(server.bodies) == 1


def test_the_key_comes_from_the_environment_and_stays_out_of_errors(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ICSEG_TEST_KEY", "s3cret\n")
    with pytest.raises(BackendError) as caught:
        run(server, answer(401, b"{}"), api_key_env="ICSEG_TEST_KEY")
    assert server.headers[0]["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in str(caught.value)
    for bad in ("", "s3c\nret"):
        monkeypatch.setenv("ICSEG_TEST_KEY", bad)
        with pytest.raises(ConfigError, match="ICSEG_TEST_KEY") as refused:
            make_policy(server, api_key_env="ICSEG_TEST_KEY")
        assert "ret" not in str(refused.value)


def test_without_a_key_no_authorization_is_sent(server: LoopbackServer) -> None:
    run(server, replay(stream_of(KEYFRAME)))
    assert "Authorization" not in server.headers[0]


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("url", "127.0.0.1:8000", "chat.url: expected an address"),
        ("url", "ftp://host/v1", "chat.url"),
        ("url", "http://host:99999/v1", "chat.url"),
        ("url", 3, "chat.url"),
        ("server", "gpt", "chat.server: expected one of openai, edge-llm"),
        ("model", "", "chat.model"),
        ("prompt", "polite", "chat.prompt: expected one of search, direct, got 'polite'"),
        ("image_format", "webp", "chat.image_format"),
        ("max_tokens", 0, r"chat.max_tokens: expected an integer 1..32768, got 0"),
        ("max_retries", 1.5, "chat.max_retries: expected an integer"),
        ("idle_timeout_s", float("nan"), "chat.idle_timeout_s: expected a number"),
        ("total_timeout_s", True, "chat.total_timeout_s"),
        ("strict", "no", "chat.strict: expected true or false, got 'no'"),
        ("api_key_env", None, "chat.api_key_env"),
    ],
)
def test_config_names_what_is_wrong(setting: str, value: Any, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        ChatConfig(**{setting: value})


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="without user name") as caught:
        ChatConfig(url="http://robot:hunter2@host/v1")
    assert "hunter2" not in str(caught.value)


def test_the_direct_prompt_never_speaks_of_questions(server: LoopbackServer) -> None:
    run(server, replay(stream_of(KEYFRAME)), prompt="direct")
    assert server.bodies[0]["messages"][0]["content"] == load_prompt("direct")
    assert "<call>" not in load_prompt("direct")
    for tag in ("<call>", "<keyframe>", "<answer>", "vlm_tool", "bbox_2d", "point_2d"):
        assert tag in load_prompt("search")


def test_strict_reading_is_a_setting(server: LoopbackServer) -> None:
    with pytest.raises(ReplyFault, match="no <thinking>"):
        run(server, replay(stream_of("<keyframe> 12 </keyframe>")), strict=True)
