"""Settings of the candidates policy, in groups, one for each of its parts."""

from __future__ import annotations

from dataclasses import dataclass

from icseg.dialogue.candidates.belief import BeliefConfig
from icseg.dialogue.candidates.questions import QuestionConfig
from icseg.dialogue.candidates.target_watch import TargetWatchConfig
from icseg.dialogue.candidates.things import ThingsConfig
from icseg.settings import check, group, setting


@dataclass(frozen=True, slots=True)
class CandidatesConfig:
    """How the candidates policy sees, asks and knows its target again.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    things: ThingsConfig = group(ThingsConfig)
    belief: BeliefConfig = group(BeliefConfig)
    questions: QuestionConfig = group(QuestionConfig)
    target_watch: TargetWatchConfig = group(TargetWatchConfig)
    keyframes: int = setting(
        3, "newest images among which the keyframe is chosen; each costs one pass of the detector", low=1, high=6
    )
    cached_frames: int = setting(12, "passes of the detector whose results are kept", low=1, high=64)
    looks_closely: bool = setting(
        True, "look closely at the newest image, which says what there is, where the detector can"
    )

    def __post_init__(self) -> None:
        check("candidates", self)
