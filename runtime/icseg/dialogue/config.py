"""Settings of a dialogue, whatever its policy."""

from __future__ import annotations

from dataclasses import dataclass

from icseg.dialogue.dialogue import MAX_INTERACTIONS, MAX_QUESTIONS
from icseg.settings import check, setting


@dataclass(frozen=True, slots=True)
class DialogueConfig:
    """What a dialogue sees, and its bounds. Times are by the session's clock.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    look_back_s: float = setting(2.0, "the policy sees images up to this old, seconds by their stamps", low=0, high=600)
    answer_timeout_s: float = setting(
        20.0, "seconds that a question waits before it is repeated, and then given up", low=0.1, high=3600
    )
    question_repeats: int = setting(1, "how often an unanswered question is repeated", low=0, high=5)
    max_questions: int = setting(MAX_QUESTIONS, "questions put to the person in one dialogue, at most", low=0, high=100)
    max_interactions: int = setting(
        MAX_INTERACTIONS, "questions and keyframes of one dialogue together, at most", low=1, high=100
    )
    max_faults: int = setting(
        2,
        "unusable replies of the model in one dialogue that are answered with an error and tried again",
        low=0,
        high=100,
    )

    def __post_init__(self) -> None:
        check("session.dialogue", self)
