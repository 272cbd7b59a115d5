"""The bounded turn loop: runs a policy until it needs the person, has a target, or gives up.

Knows the rules and the bounds of a dialogue; knows no model, no server and no wording of prompts. Faults of the model
are recorded in the turn and go on within a bound; faults of the machinery (``BackendError``, ``Cancelled``) are raised.
"""

from __future__ import annotations

from dataclasses import dataclass

from icseg.dialogue.actions import Answer, Ask, GiveUp, SelectKeyframe
from icseg.dialogue.config import DialogueConfig
from icseg.dialogue.dialogue import Dialogue, Observation, Turn
from icseg.dialogue.observations import (
    ANSWER_TOO_EARLY_TEXT,
    INTERACTIONS_SPENT_TEXT,
    QUESTIONS_SPENT_TEXT,
    invalid_reply_text,
    unknown_frame_text,
)
from icseg.dialogue.policy import Policy, PolicyOutput, ReplyFault
from icseg.errors import Cancelled, ModelOutputError
from icseg.geometry import box_contains
from icseg.types import Box, Frame, Point


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What the dialogue found: where the target is in the keyframe.

    Attributes:
        keyframe: the frame that the answer is about.
        box_image_px, point_image_px: in that frame, inside it; the point need not lie inside the box.
        label: what the policy calls it; empty when it does not say.
    """

    keyframe: Frame
    box_image_px: Box
    point_image_px: Point
    label: str = ""


class Agent:
    """Runs dialogues with one policy. Holds no state of any dialogue."""

    def __init__(self, policy: Policy, config: DialogueConfig | None = None) -> None:
        self.policy = policy
        self.config = config if config is not None else DialogueConfig()

    def advance(self, dialogue: Dialogue) -> Ask | Target | GiveUp:
        """Take turns until the person has to speak or the dialogue is over; every policy output is appended.

        An ``Ask`` waits for ``reply``; after a ``Target`` or a ``GiveUp`` the dialogue is over.

        *Source:* IC-Seg's loop of at most 6 interactions. There an error takes one of the six; here errors have a
        bound of their own, so that a slip of the model costs the person no answer that was already given.

        Raises:
            ValueError: there are no frames, a question still waits for its reply, or the dialogue is over.
            BackendError: the policy could not be run; nothing was appended and the same call may be tried again.
            Cancelled: ``dialogue.is_cancelled()`` turned true.
        """
        if not dialogue.frames:
            raise ValueError("dialogue: expected at least one frame, got none")
        if dialogue.turns and dialogue.turns[-1].observation is None:
            raise ValueError(f"dialogue: expected a finished last turn, got {dialogue.turns[-1]}")
        # Each pass spends an interaction or a fault, or returns: both are bounded.
        while True:
            turn = self._run_policy(dialogue)
            dialogue.turns.append(turn)
            if not turn.fault:
                turn.fault = _rule_broken(dialogue, self.config)
            if turn.fault:
                if (reason := self._reason_to_stop(dialogue)) is not None:
                    return GiveUp(reason=reason)
                text = turn.fault if turn.action is not None else invalid_reply_text(turn.fault)
                turn.observation = Observation(kind="error", text=text)
                continue
            match turn.action:
                case SelectKeyframe(frame_id=frame_id):
                    turn.observation = Observation(kind="keyframe", frame_id=frame_id)
                case Answer() as answer:
                    return _target(dialogue, answer)
                case Ask() | GiveUp() as action:
                    return action

    def reply(self, dialogue: Dialogue, text: str) -> None:
        """Give the person's words to the question that waits for them.

        Raises:
            ValueError: the words are blank, or no question waits.
        """
        if not text.strip():
            raise ValueError("reply: expected the person's words, got blank text")
        last = dialogue.turns[-1] if dialogue.turns else None
        if last is None or not isinstance(last.action, Ask) or last.observation is not None or last.fault:
            raise ValueError(f"reply: expected a question that waits, got {last}")
        last.observation = Observation(kind="answer", text=text.strip())

    def _run_policy(self, dialogue: Dialogue) -> Turn:
        if dialogue.is_cancelled():
            raise Cancelled("the dialogue was cancelled")
        output: PolicyOutput | None = None
        try:
            output = self.policy.next_action(dialogue)
            if isinstance(output.action, Answer):
                _check_inside(output.action, dialogue)
        except ModelOutputError as error:
            said = output if output is not None else error
            if isinstance(said, PolicyOutput | ReplyFault):
                return Turn(None, said.reply_text, str(error), timings_ms=said.timings_ms, rates_per_s=said.rates_per_s)
            return Turn(None, fault=str(error))
        return Turn(output.action, output.reply_text, timings_ms=output.timings_ms, rates_per_s=output.rates_per_s)

    def _reason_to_stop(self, dialogue: Dialogue) -> str | None:
        """Why the last, faulty turn ends the dialogue, in words for the person; None to go on."""
        last = dialogue.turns[-1]
        # An Ask is only ever refused for asking too much: told once, not twice.
        refused = [turn for turn in dialogue.turns if isinstance(turn.action, Ask) and turn.fault]
        if isinstance(last.action, Ask) and len(refused) > 1:
            return "I could not find out which one is meant with the questions I am allowed to ask."
        faults = [turn for turn in dialogue.turns if turn.fault]
        if len(faults) > self.config.max_faults:
            return f"The model gave {len(faults)} unusable replies, the last one because: {last.fault}"
        return None


def _rule_broken(dialogue: Dialogue, config: DialogueConfig) -> str:
    """What the last turn's action may not do now, in words for the model; empty when it is legal."""
    action, earlier = dialogue.turns[-1].action, dialogue.turns[:-1]
    seen = [turn.observation.kind for turn in earlier if turn.observation is not None]
    questions = seen.count("answer")
    interactions = questions + seen.count("keyframe")
    # One interaction is kept back for the keyframe: a question that eats it could never lead to a target.
    kept_back = 0 if "keyframe" in seen else 1
    match action:
        case Ask() if questions >= config.max_questions or interactions >= config.max_interactions - kept_back:
            return QUESTIONS_SPENT_TEXT
        case SelectKeyframe(frame_id=frame_id) if frame_id not in dialogue.frames:
            return unknown_frame_text(dialogue.frames)
        case SelectKeyframe() if interactions >= config.max_interactions:
            return INTERACTIONS_SPENT_TEXT
        case Answer(frame_id=None) if dialogue.keyframe_id is None:
            return ANSWER_TOO_EARLY_TEXT
        case Answer(frame_id=frame_id) if frame_id is not None and frame_id not in dialogue.frames:
            return unknown_frame_text(dialogue.frames)
    return ""


def _target(dialogue: Dialogue, answer: Answer) -> Target:
    keyframe = _answered_frame(answer, dialogue)
    assert keyframe is not None, "an answer without a frame was refused before"
    return Target(keyframe, answer.box_image_px, answer.point_image_px, answer.label)


def _answered_frame(answer: Answer, dialogue: Dialogue) -> Frame | None:
    """The frame that an answer is about, or None: no keyframe was shown yet, or there is no frame of that id."""
    frame_id = answer.frame_id if answer.frame_id is not None else dialogue.keyframe_id
    return dialogue.frames.get(frame_id) if frame_id is not None else None


def _check_inside(answer: Answer, dialogue: Dialogue) -> None:
    """Make sure that an answer is a box and a point of its frame; one about no frame is the turn rules' matter.

    Raises:
        ModelOutputError: the box or the point lies outside the picture, or the box is empty or upside down.
    """
    frame = _answered_frame(answer, dialogue)
    if frame is None:
        return
    height, width = frame.hw
    x0, y0, x1, y1 = answer.box_image_px
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise ModelOutputError(
            f"the box must have x0 < x1 and y0 < y1 inside the picture of {width}x{height} pixels, "
            f"got {list(answer.box_image_px)}"
        )
    if not box_contains((0, 0, width, height), answer.point_image_px):
        raise ModelOutputError(
            f"the point must lie inside the picture of {width}x{height} pixels, got {list(answer.point_image_px)}"
        )
