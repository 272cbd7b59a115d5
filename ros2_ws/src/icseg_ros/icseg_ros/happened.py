"""What happened in one of the node's sessions, and who may take it. Knows no publisher and no thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from std_msgs.msg import Header

from icseg import events
from icseg.types import Frame
from icseg_ros.logged_session import LoggedSession


@dataclass(frozen=True, slots=True, eq=False)
class Happened:
    """One event with all that a subscriber needs to act on it.

    Attributes:
        logged: the session that it happened in; its log has the event already.
        event: what happened.
        header: the header of the image that the event is about; None when it is not kept any more, or there was none.
        frame: that image; None likewise.
        is_live: the session is the stream's, and not that of a goal's own picture.
        is_addressed: people talk to this session at the moment: a goal's own picture comes before the stream.
        has_reply: whoever spoke the words that led here waits for a reply, and is told by it.
    """

    logged: LoggedSession
    event: events.Event
    header: Header | None
    frame: Frame | None
    is_live: bool
    is_addressed: bool
    has_reply: bool


class Subscriber(Protocol):
    """A part of the node that acts on events, always in the worker's thread."""

    def take(self, happened: Happened) -> None:
        """Act on what happened, if it concerns this part. Nothing here may wait: the next image does."""
