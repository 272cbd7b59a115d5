"""Which masks and candidates go out, and with what beside them. Knows no rclpy; `Outputs` makes the messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from std_msgs.msg import Header

from icseg import events
from icseg.mask_ops.native import distance_peak
from icseg.tracker.tracker import Tracker
from icseg.types import Frame, Prompt
from icseg_ros.depth import DepthInput
from icseg_ros.happened import Happened
from icseg_ros.outputs import Outputs


class MaskOutput:
    """Hands the stream's masks, and the things that a question is about, to the publishers.

    Args:
        outputs: the publishers.
        depth: where points in space come from.
        tracker: gives the things that a question is about their masks.
        overwritten: how many images a newer one has replaced before they were taken.
        published: called with each mask's event, and milliseconds by stage of the publishing.
    """

    def __init__(
        self,
        outputs: Outputs,
        depth: DepthInput,
        tracker: Tracker,
        overwritten: Callable[[], int],
        published: Callable[[events.Tracked, Mapping[str, float]], None],
    ) -> None:
        self._outputs, self._depth, self._tracker = outputs, depth, tracker
        self._overwritten, self._published = overwritten, published
        self._last_shown: Frame | None = None

    def take(self, happened: Happened) -> None:
        """Publish the mask of a tracked image, or the masks of a new question's candidates."""
        match happened.event:
            case events.Asked() as asked if asked.choices and not asked.is_repeat and happened.frame is not None:
                self._publish_candidates(happened, asked, happened.frame)
            case events.Tracked() as tracked if happened.is_live and happened.header is not None:
                # without a frame: the keyframe of a long dialogue, which is older than what is kept, and of no use
                if happened.frame is not None and not self._is_past(happened, happened.frame):
                    self._publish_mask(happened, tracked, happened.header, happened.frame)

    def _publish_candidates(self, happened: Happened, asked: events.Asked, frame: Frame) -> None:
        prompts = [Prompt(choice.box_image_px) for choice in asked.choices]
        things = list(self._tracker.segment(frame, prompts).objects.values())
        header = happened.header if happened.header is not None else Header()
        self._outputs.publish_candidates(header, frame.image, asked.choices, things, happened.logged.dialogue.id)

    def _is_past(self, happened: Happened, frame: Frame) -> bool:
        """Whether the frame is before the last one shown: time does not go back.

        A new target passes through images for which the old one had masks already.
        """
        last = self._last_shown
        return last is not None and frame.stamp_ns < last.stamp_ns and happened.logged.keeps(last)

    def _publish_mask(self, happened: Happened, tracked: events.Tracked, header: Header, frame: Frame) -> None:
        (thing,) = tracked.result.objects.values()
        self._last_shown = frame
        point = None
        if self._depth.is_enabled and not thing.is_lost and (peak := distance_peak(thing.mask)) is not None:
            point = self._depth.point_of(thing.mask, tracked.stamp_ns, (peak[0], peak[1]))
        dialogue = happened.logged.dialogue
        timings_ms = self._outputs.publish_tracked(
            header,
            frame.image,
            thing,
            dialogue_id=dialogue.id,
            label=dialogue.label,
            is_live=tracked.is_live,
            dropped=tracked.dropped + self._overwritten(),
            point=point,
        )
        self._published(tracked, timings_ms)
