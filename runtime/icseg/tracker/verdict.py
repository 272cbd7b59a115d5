"""What becomes of a decoded mask: what of it is shown, and whether it is remembered. No graphs, no state changed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from icseg.mask_ops.mask_ops import MaskOps
from icseg.tracker.extent import Extent
from icseg.tracker.pieces import Pieces
from icseg.tracker.selection import Selection
from icseg.tracker.state import UNBOUNDED, ObjectTrack, TrackerConfig
from icseg.types import Box, Logits, MaskBool, ObjectResult, Prompt
from icseg.window import Window


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What becomes of one object's mask in one frame.

    Attributes:
        result: what the frame shows of the object.
        mask_logits: (1, 1, h, w) what the memory encoder gets.
        is_remembered: the frame is worth a place in the memory.
        extent: of the object, this frame counted in; None as long as it was not seen.
        before: (h, w) the mask to compare the next frame's pieces with; None likewise.
    """

    result: ObjectResult
    mask_logits: Logits
    is_remembered: bool
    extent: Extent | None
    before: MaskBool | None

    def seen_through(self, window: Window, following: Window) -> Verdict:
        """What the next frame is compared with, in cells of the window that it is seen through."""
        if following == window or self.extent is None or self.before is None:
            return self
        extent = self.extent.scaled(window.width / following.width)
        return replace(self, extent=extent, before=window.cells_in(following, self.before))


def judge_prompted(
    object_id: int,
    selection: Selection,
    prompt: Prompt,
    image_hw: tuple[int, int],
    config: TrackerConfig,
    mask_ops: MaskOps,
) -> Verdict:
    """A mask that a prompt asked for: shown and remembered however it looks, but for what lies outside the box."""
    logits = selection.mask_logits[0, 0]
    if prompt.box_image_px is not None and config.box_slack < UNBOUNDED:
        logits = within_box(logits, prompt.box_image_px, image_hw, config.box_slack)
    pieces = Pieces.of(logits, mask_ops)
    shown = pieces.without_specks(config.min_piece_share)
    result = object_result(object_id, selection, shown.kept_logits, image_hw, mask_ops)
    remembered = logits[None, None]
    if result.is_lost:
        return Verdict(result, remembered, is_remembered=True, extent=None, before=None)
    mask = pieces.mask
    return Verdict(result, remembered, is_remembered=True, extent=Extent.of(mask, mask_ops), before=mask)


def judge_tracked(
    track: ObjectTrack,
    object_id: int,
    selection: Selection,
    image_hw: tuple[int, int],
    config: TrackerConfig,
    mask_ops: MaskOps,
) -> Verdict:
    """A mask that comes from memory: pieces that cannot be the object go, and what is doubtful is not remembered."""
    pieces = Pieces.of(selection.mask_logits[0, 0], mask_ops)
    if config.max_growth < UNBOUNDED and track.extent is not None and track.before is not None:
        pieces = pieces.of_one_thing(track.before, track.extent, config.max_growth)
    shown = pieces.without_specks(config.min_piece_share).kept_logits
    result = object_result(object_id, selection, shown, image_hw, mask_ops, min_iou=config.visible_min_iou)
    mask = pieces.mask
    now = Extent.of(mask, mask_ops)
    known = track.extent or now
    is_possible = known.allows(now, config.max_growth)
    is_seen = is_possible and not result.is_lost
    is_clear = result.iou_score >= config.write_min_iou and (config.writes_lost_frames or not result.is_lost)
    return Verdict(
        result,
        pieces.kept_logits[None, None],
        is_remembered=is_possible and is_clear and now.area >= config.write_min_share * known.area,
        extent=known.grown_to(now) if is_seen else track.extent,
        before=mask if is_seen else track.before,
    )


def within_box(logits: Logits, box_image_px: Box, image_hw: tuple[int, int], slack: float) -> Logits:
    """(h, w) logits, negative in cells whose centre is outside a box enlarged by a share of its sides and one cell."""
    height, width = image_hw
    x0, y0, x1, y1 = box_image_px
    is_inside = []
    for low, high, cells, length_px in ((y0, y1, logits.shape[0], height), (x0, x1, logits.shape[1], width)):
        cell_px = length_px / cells
        centres_px = (np.arange(cells) + 0.5) * cell_px
        margin_px = slack * (high - low) + cell_px
        is_inside.append((centres_px >= low - margin_px) & (centres_px <= high + margin_px))
    return np.where(np.logical_and.outer(*is_inside), logits, -np.abs(logits))


def object_result(
    object_id: int,
    selection: Selection,
    shown: Logits,
    image_hw: tuple[int, int],
    mask_ops: MaskOps,
    *,
    min_iou: float = 0.0,
) -> ObjectResult:
    """A chosen mask at the image's size, with what can be read off it.

    Args:
        object_id: the caller's number.
        selection: the decoder's answer.
        shown: (h, w) logits of what is shown of its mask.
        image_hw: height and width of the image.
        mask_ops: enlarge the mask.
        min_iou: estimated IoU below which the mask is empty.
    """
    if selection.is_visible and selection.iou_score >= min_iou:
        masks, statistics = mask_ops.upsample_threshold(shown[None], image_hw, stability_offset=0.0)
        mask, box, area = masks[0], statistics.box(0), int(statistics.areas_px[0])
    else:
        mask, box, area = np.zeros(image_hw, np.bool_), None, 0
    return ObjectResult(
        object_id=object_id,
        mask=mask,
        box_image_px=box,
        area_px=area,
        object_score=selection.object_score,
        iou_score=selection.iou_score,
        is_lost=area == 0,
    )
