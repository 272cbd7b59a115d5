"""The scripted policy: plays in order, parses texts, raises errors, remembers what it was shown."""

from __future__ import annotations

import pytest

from icseg.dialogue.actions import Ask, SelectKeyframe
from icseg.dialogue.dialogue import Dialogue, Observation, Turn
from icseg.dialogue.policy import Policy
from icseg.dialogue.policy_scripted import ScriptedPolicy, Shown
from icseg.errors import BackendError, ModelOutputError


def test_plays_actions_and_texts_in_order() -> None:
    policy: Policy = (scripted := ScriptedPolicy(Ask("Red?")))
    text = "<thinking> so </thinking> <keyframe> 3 </keyframe>"
    scripted.enqueue(text)
    dialogue = Dialogue("the mug", {})
    assert policy.next_action(dialogue).action == Ask("Red?")
    output = policy.next_action(dialogue)
    assert output.action == SelectKeyframe(3, "so")
    assert output.reply_text == text
    assert scripted.remaining == 0


def test_raises_what_it_is_given_and_what_the_parser_says() -> None:
    policy = ScriptedPolicy(BackendError("gone"), "no tags")
    dialogue = Dialogue("the mug", {})
    with pytest.raises(BackendError, match="gone"):
        policy.next_action(dialogue)
    with pytest.raises(ModelOutputError, match="no tags"):
        policy.next_action(dialogue)


def test_an_empty_script_says_so() -> None:
    with pytest.raises(ModelOutputError, match="script is empty at call 1"):
        ScriptedPolicy().next_action(Dialogue("the mug", {}))


def test_history_is_what_was_shown_at_the_time() -> None:
    policy = ScriptedPolicy(Ask("Red?"), Ask("Big?"))
    dialogue = Dialogue("the mug", {})
    policy.next_action(dialogue)
    dialogue.turns.append(Turn(Ask("Red?"), observation=Observation("answer", "no")))
    policy.next_action(dialogue)
    assert policy.history == [Shown("the mug", 0, None), Shown("the mug", 1, Observation("answer", "no"))]
