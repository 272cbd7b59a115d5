"""The mask operations in numpy: the definition of correct for every faster twin. Knows no model and no engine."""

from icseg.mask_ops.reference.clean import clean_logits, fill_holes, remove_sprinkles
from icseg.mask_ops.reference.contours import contours
from icseg.mask_ops.reference.frames import overlay, preprocess
from icseg.mask_ops.reference.labels import connected_components, largest_component
from icseg.mask_ops.reference.masks import (
    distance_peak,
    mask_box_area,
    mask_iou_matrix,
    mask_nms,
    mask_statistics,
    pack_masks,
    unpack_masks,
)
from icseg.mask_ops.reference.resize import upsample_logits, upsample_threshold, upsample_threshold_bits
from icseg.mask_ops.reference.rle import rle_counts, rle_decode, rle_encode, rle_mask

__all__ = [
    "clean_logits",
    "connected_components",
    "contours",
    "distance_peak",
    "fill_holes",
    "largest_component",
    "mask_box_area",
    "mask_iou_matrix",
    "mask_nms",
    "mask_statistics",
    "overlay",
    "pack_masks",
    "preprocess",
    "remove_sprinkles",
    "rle_counts",
    "rle_decode",
    "rle_encode",
    "rle_mask",
    "unpack_masks",
    "upsample_logits",
    "upsample_threshold",
    "upsample_threshold_bits",
]
