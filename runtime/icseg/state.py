"""What a session is doing."""

from enum import Enum


class State(Enum):
    """The states of a session; docs/architecture.md says what leads from one to the other."""

    IDLE = "idle"
    THINKING = "thinking"
    ASKING = "asking"
    TARGETING = "targeting"
    TRACKING = "tracking"
    LOST = "lost"
    GAVE_UP = "gave up"

    @property
    def is_busy(self) -> bool:
        """Something is going on for the person."""
        return self not in (State.IDLE, State.GAVE_UP)
