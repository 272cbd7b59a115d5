"""The tracker's settings and the state of one video stream: explicit, typed, of a capacity fixed at creation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from icseg.settings import check, setting
from icseg.tracker.extent import Extent
from icseg.tracker.memory_bank import BankShape, MemoryBank
from icseg.types import Frame, MaskBool, TrackResult
from icseg.window import Window

UNBOUNDED = 100.0
"""The value of a bound that bounds nothing."""


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    """How the tracker remembers, and what of a mask it shows.

    The defaults are SAM 2's own memory, bounded: it remembers and shows every frame as its predictor does, and sees the
    whole image. What a model was tuned for besides stands in its manifest.

    Raises:
        ConfigError: a value is outside its range.
    """

    max_objects: int = setting(8, "things tracked at once", low=1, high=64)
    conditioning_slots: int = setting(
        2, "prompted images kept per thing, the first and the latest ones", low=1, high=16
    )
    writes_lost_frames: bool = setting(
        True,
        # a long occlusion pushes everything that shows the thing out of the memory
        "remember images in which the thing is not visible, as SAM 2 does",
    )
    write_min_iou: float = setting(
        0.0, "remember only masks whose estimated IoU is at least this; 0 = as SAM 2", low=0, high=1
    )
    max_growth: float = setting(
        UNBOUNDED,
        # a thing that comes out from behind another, or into the picture, grows by half and more
        "a mask whose side is more than this many times the thing's largest so far is not remembered, and of its "
        "pieces only those that fit are shown; 100 = no bound, as SAM 2",
        low=1,
        high=UNBOUNDED,
    )
    box_slack: float = setting(
        UNBOUNDED,
        "share of a prompt box's side by which the prompted mask may reach beyond it, and a cell of the mask's own "
        "besides; 100 = no bound, as SAM 2",
        low=0,
        high=UNBOUNDED,
    )
    visible_min_iou: float = setting(
        0.0,
        # near the threshold of the score the masks of absent things can be scraps
        "a thing whose mask's estimated IoU is below this is not visible, whatever its score says; 0 = as SAM 2",
        low=0,
        high=1,
    )
    write_min_share: float = setting(
        0.0,
        # a sliver beside what hides the thing says little of it, and is often not of it
        "masks smaller than this share of the thing's largest so far are not remembered; 0 = as SAM 2",
        low=0,
        high=1,
    )
    window_scale: float = setting(
        UNBOUNDED,
        # a small thing squashed with the whole image is a few cells of the mask
        "side of the part of the image in which a thing is looked for, times that of its box; 100 = the whole image, "
        "as SAM 2",
        low=1.5,
        high=UNBOUNDED,
    )
    min_piece_share: float = setting(
        0.0,
        # pieces of a partly hidden thing are larger; specks beside it spoil its box
        "pieces of a mask smaller than this share of its largest are not shown; 0 = as SAM 2",
        low=0,
        high=1,
    )

    def __post_init__(self) -> None:
        check("tracker", self)


@dataclass(slots=True, eq=False)
class ObjectTrack:
    """One place for an object: whose it is, and what is remembered of it.

    Attributes:
        bank: allocated with the state and reused from object to object.
        object_id: the caller's number; None while the place is free.
        written_frame: the state's frame_count at the frame written last, to replace it when it is prompted again.
        extent: how large it has been since its latest prompt.
        before: (h, w) its mask in the latest frame that showed it as large as it can be; None before the first.
        window: where it is looked for in the next frame; None: in the whole image.
    """

    bank: MemoryBank
    object_id: int | None = None
    written_frame: int = -1
    extent: Extent | None = None
    before: MaskBool | None = None
    window: Window | None = None

    def copy_into(self, other: ObjectTrack) -> None:
        """Let a place of another state hold the same object, its memories in the other place's own arrays."""
        if self.object_id is None:
            other.release()
            return
        self.bank.copy_into(other.bank)
        other.object_id, other.written_frame = self.object_id, self.written_frame
        other.extent, other.before, other.window = self.extent, self.before, self.window

    def release(self) -> None:
        """Free the place."""
        self.bank.clear()
        self.object_id, self.written_frame = None, -1
        self.extent = self.before = self.window = None


@dataclass(frozen=True, slots=True)
class TrackCapacity:
    """What bounds a state's memory.

    Attributes:
        max_objects: objects at once.
        bank: capacity of each object's bank.
    """

    max_objects: int
    bank: BankShape


@dataclass(slots=True, eq=False)
class TrackState:
    """Everything the tracker knows about one stream. Belongs to one tracker and one thread at a time.

    Attributes:
        capacity: fixed at creation; all arrays are allocated then.
        tracks: ``max_objects`` places.
        image_hw: size of the stream's frames, None before the first.
        frame_count: frames seen.
        latest: the result of the newest frame, None before the first.
    """

    capacity: TrackCapacity
    tracks: tuple[ObjectTrack, ...] = field(init=False)
    image_hw: tuple[int, int] | None = None
    frame_count: int = 0
    latest: TrackResult | None = None

    def __post_init__(self) -> None:
        self.tracks = tuple(ObjectTrack(MemoryBank(self.capacity.bank)) for _ in range(self.capacity.max_objects))

    def copy_into(self, other: TrackState) -> None:
        """Let another state of the same capacity know the same. Nothing is allocated, and both go on independently.

        Raises:
            ValueError: the capacities differ.
        """
        if other.capacity != self.capacity:
            raise ValueError(f"track state: expected the same capacity {self.capacity}, got {other.capacity}")
        for track, place in zip(self.tracks, other.tracks, strict=True):
            track.copy_into(place)
        other.image_hw, other.frame_count, other.latest = self.image_hw, self.frame_count, self.latest

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The caller's numbers of the objects tracked now, in the order of their places."""
        return tuple(track.object_id for track in self.tracks if track.object_id is not None)

    def active(self) -> Iterator[tuple[int, ObjectTrack]]:
        """Object id and place of each object tracked now."""
        for track in self.tracks:
            if track.object_id is not None:
                yield track.object_id, track

    def is_latest(self, frame: Frame) -> bool:
        """The frame is the one that the latest result belongs to."""
        return self.latest is not None and self.latest.stamp_ns == frame.stamp_ns

    def place_for(self, object_id: int) -> ObjectTrack:
        """The object's place, or a free one.

        Raises:
            ValueError: all places are taken.
        """
        for known, track in self.active():
            if known == object_id:
                return track
        for track in self.tracks:
            if track.object_id is None:
                return track
        raise ValueError(
            f"object {object_id}: expected at most {self.capacity.max_objects} objects at once, already tracking "
            f"{list(self.object_ids)}; remove one or create the tracker with a larger max_objects"
        )

    def check_frame(self, frame: Frame, *, may_be_latest: bool) -> None:
        """The frame can follow what was seen.

        Raises:
            ValueError: it has another size, or is not newer (with ``may_be_latest``: is older) than the latest frame.
        """
        if self.image_hw is not None and frame.hw != self.image_hw:
            raise ValueError(
                f"frame {frame.index}: expected height and width {self.image_hw} as before in this stream, "
                f"got {frame.hw}; create a new state for another size"
            )
        if self.latest is None or frame.stamp_ns > self.latest.stamp_ns:
            return
        if not (may_be_latest and self.is_latest(frame)):
            raise ValueError(
                f"frame {frame.index}: expected a stamp after {self.latest.stamp_ns} ns, got {frame.stamp_ns} ns"
            )
