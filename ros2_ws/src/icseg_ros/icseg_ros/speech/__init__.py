"""The robot's speech: what it says, what it hears, and whose turn it is.

Which interfaces there are is data (``speech.*`` parameters), not code: no speech package is depended on.
"""

from icseg_ros.speech.settings import GROUPS, SpeechInSettings, SpeechOutSettings, SpeechSettings, TurnTakingSettings
from icseg_ros.speech.speech import Speech
from icseg_ros.speech.words import Heard, Level, SpeechStatus, Utterance

__all__ = [
    "GROUPS",
    "Heard",
    "Level",
    "Speech",
    "SpeechInSettings",
    "SpeechOutSettings",
    "SpeechSettings",
    "SpeechStatus",
    "TurnTakingSettings",
    "Utterance",
]
