"""What goes wrong in a session, written where the node logs. Knows no ROS."""

from __future__ import annotations

from collections.abc import Callable

from icseg import events
from icseg_ros.happened import Happened


class TroubleLog:
    """Writes the text of every failure, refusal and loss.

    Args:
        write: takes one text.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def take(self, happened: Happened) -> None:
        """Write down what went wrong, if anything did."""
        match happened.event:
            case events.Failed(error=error) | events.Rejected(error=error) | events.Degraded(error=error):
                self._write(error)
