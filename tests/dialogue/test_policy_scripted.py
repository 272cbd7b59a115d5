"""The scripted policy: plays in order, raises errors, remembers what it was shown."""

from __future__ import annotations

import pytest

from icseg.dialogue.actions import Ask, SelectKeyframe
from icseg.dialogue.dialogue import Dialogue, Observation, Turn
from icseg.dialogue.policy import Policy, PolicyOutput, ReplyFault
from icseg.dialogue.policy_scripted import PolicyCall, ScriptedPolicy
from icseg.errors import BackendError, ModelOutputError


def test_plays_actions_and_outputs_in_order() -> None:
    policy: Policy = (scripted := ScriptedPolicy(Ask("Red?")))
    measured = PolicyOutput(SelectKeyframe(3, "so"), "<keyframe> 3", {"total": 4.0})
    scripted.enqueue(measured)
    dialogue = Dialogue("the mug", {})
    assert scripted.remaining == 2
    assert policy.next_action(dialogue) == PolicyOutput(Ask("Red?"))
    assert policy.next_action(dialogue) is measured
    assert scripted.remaining == 0


def test_raises_what_it_is_given() -> None:
    policy = ScriptedPolicy(BackendError("gone"), ReplyFault("no tags", "a mug"))
    dialogue = Dialogue("the mug", {})
    with pytest.raises(BackendError, match="gone"):
        policy.next_action(dialogue)
    with pytest.raises(ReplyFault, match="no tags"):
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
    assert policy.history == [PolicyCall("the mug", 0, None), PolicyCall("the mug", 1, Observation("answer", "no"))]
