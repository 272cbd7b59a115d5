"""What is done to the node itself, to its speech service and to its policy server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from lifecycle_msgs.msg import Transition

from ros2_ws.soak.faults import Act, Fault, Surroundings, counts, either, reads, says
from ros2_ws.soak.listener import Missed

if TYPE_CHECKING:
    from ros2_ws.soak.speech import SoakSpeech

AMBIGUOUS = "find the mug"
"""A command that fits two things."""
OUT_OF_RANGE = (("camera.max_rate_hz", -1.0), ("publish.jpeg_quality", 0), ("depth.max_offset_s", 7.5))
FIXED = (("model.threads", 3), ("session.dialogue.max_questions", 1), ("speech.holdoff_s", 1.0))
LOWERED_RATE_HZ = 5.0


def _transitions(*numbers: int) -> Act:
    def act(around: Surroundings) -> None:
        for number in numbers:
            around.robot.change_state(number)

    return act


def _enable(is_enabled: bool) -> Act:
    return lambda around: around.robot.call("enable", data=is_enabled)


def _set_bad_parameters(around: Surroundings) -> None:
    for name, value in (*OUT_OF_RANGE, *FIXED):
        if not around.robot.set_parameter(name, value):
            raise Missed(f"{name} = {value}: was not refused")


def _set_rate(rate_hz: float) -> Act:
    def act(around: Surroundings) -> None:
        if reason := around.robot.set_parameter("camera.max_rate_hz", rate_hz):
            raise Missed(f"camera.max_rate_hz = {rate_hz}: {reason}")

    return act


NODE_FAULTS = (
    Fault(
        "deactivated",
        "deactivated for 2 s",
        _transitions(Transition.TRANSITION_DEACTIVATE),
        says(r"^inactive|not active"),
        end=_transitions(Transition.TRANSITION_ACTIVATE),
        recovers="box",
    ),
    Fault(
        "cleaned_up",
        "deactivated, cleaned up, configured and activated again",
        _transitions(Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP),
        says(r"not configured"),
        end=_transitions(Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE),
        recovers="box",
    ),
    Fault(
        "disabled",
        "~/enable false for 2 s",
        _enable(False),
        says(r"^inactive"),
        end=_enable(True),
        recovers="box",
    ),
    Fault(
        "reset",
        "~/reset in the middle of tracking",
        lambda around: around.robot.call("reset"),
        says(r"^idle"),
        recovers="box",
    ),
    Fault(
        "parameters_out_of_range",
        "three values out of range, three that are fixed while configured: refused, and nothing changes",
        _set_bad_parameters,
        says(r"expected|range|takes effect when"),
    ),
    Fault(
        "parameter_changed",
        f"camera.max_rate_hz {LOWERED_RATE_HZ:g} for 2 s",
        _set_rate(LOWERED_RATE_HZ),
        counts("camera/over max_rate_hz"),
        end=_set_rate(30.0),
    ),
)


def _speech(around: Surroundings) -> SoakSpeech:
    return cast("SoakSpeech", around.speech)


def _ask_with(prepare: Callable[[SoakSpeech], None]) -> Act:
    def act(around: Surroundings) -> None:
        prepare(_speech(around))
        around.robot.ask_for(AMBIGUOUS)
        around.robot.answer("the purple one")

    return act


def _ask_and_wait_with(prepare: Callable[[SoakSpeech], None]) -> Act:
    def act(around: Surroundings) -> None:
        prepare(_speech(around))
        around.robot.ask_for(AMBIGUOUS)

    return act


def _mend_speech(around: Surroundings) -> None:
    speech = _speech(around)
    speech.error = ""
    speech.hang(False)
    speech.open()


def _break_voice(speech: SoakSpeech) -> None:
    speech.error = "no audio device"


SPEECH_FAULTS = (
    Fault(
        "speech_hangs",
        "text to speech takes the question and never ends, not even when it is cancelled; the person answers",
        _ask_with(lambda speech: speech.hang(True)),
        says(r"hangs: it did not end"),
        end=_mend_speech,
    ),
    Fault(
        "speech_hangs_unanswered",
        "the same, and nobody answers",
        _ask_and_wait_with(lambda speech: speech.hang(True)),
        says(r"hangs: it did not end"),
        end=_mend_speech,
        shown_within_s=12.0,
        recovers="box",
    ),
    Fault(
        "speech_fails",
        "text to speech ends with an error",
        _ask_and_wait_with(_break_voice),
        says(r"no audio device"),
        end=_mend_speech,
        recovers="box",
    ),
    Fault(
        "speech_gone",
        "the text to speech service is not there",
        _ask_and_wait_with(lambda speech: speech.close()),
        says(r"is not there|went away"),
        end=_mend_speech,
        recovers="box",
    ),
)


def _ask_in_mode(mode: str) -> Act:
    def act(around: Surroundings) -> None:
        assert around.server is not None, "only with a policy server"
        around.server.tell(mode)
        around.robot.say(AMBIGUOUS)

    return act


def _let_server_answer(around: Surroundings) -> None:
    assert around.server is not None, "only with a policy server"
    around.server.tell("answers")


def _kill_server(around: Surroundings) -> None:
    assert around.server is not None, "only with a policy server"
    around.server.kill()
    around.robot.say(AMBIGUOUS)


def _restart_server(around: Surroundings) -> None:
    assert around.server is not None, "only with a policy server"
    assert around.start_server is not None, "whoever has a server can start it"
    around.server.kill()
    around.server = around.start_server()


def _stop_while_it_hangs(around: Surroundings) -> None:
    _ask_in_mode("hangs")(around)
    around.robot.until(lambda: around.robot.state.name == "thinking", "thinking", 5.0)
    around.robot.say("stop")


POLICY_FAULTS = (
    Fault(
        "policy_server_killed",
        "SIGKILL; a command meanwhile; started again",
        _kill_server,
        says(r"127\.0\.0\.1.*(refused|start|unreachable)"),
        end=_restart_server,
        recovers="words",
    ),
    Fault(
        "policy_server_hangs",
        "takes the request and says nothing",
        _ask_in_mode("hangs"),
        says(r"no (first )?token|did not|within|too slow"),
        end=_let_server_answer,
        shown_within_s=10.0,
        recovers="words",
    ),
    Fault(
        "stop_while_the_policy_hangs",
        "the same, and the person says stop",
        _stop_while_it_hangs,
        says(r"^idle"),
        end=_let_server_answer,
        shown_within_s=3.0,
        recovers="words",
    ),
    Fault(
        "policy_server_talks_nonsense",
        "replies outside the protocol",
        _ask_in_mode("nonsense"),
        says(r"repl(y|ies)"),
        end=_let_server_answer,
        shown_within_s=10.0,
        recovers="words",
    ),
    Fault(
        "policy_server_dies_in_a_reply",
        "the process ends in the middle of a reply; started again",
        _ask_in_mode("dies"),
        says(r"broke|closed|ended|refused|in the middle"),
        end=_restart_server,
        shown_within_s=10.0,
        recovers="words",
    ),
    Fault(
        "policy_server_fails",
        "HTTP 500",
        _ask_in_mode("fails"),
        says(r"500"),
        end=_let_server_answer,
        shown_within_s=10.0,
        recovers="words",
    ),
    Fault(
        "policy_server_never_ends",
        "a reply without end",
        _ask_in_mode("endless"),
        says(r"no action within"),
        end=_let_server_answer,
        shown_within_s=20.0,
        recovers="words",
    ),
    Fault(
        "policy_server_slow",
        "1.5 s before the first token",
        _ask_in_mode("slow"),
        either(says(r"^asking"), reads("masks/state", "asking")),
        end=_let_server_answer,
        shown_within_s=10.0,
        recovers="words",
    ),
)
