"""The operations against libraries that others wrote: OpenCV, scipy, pycocotools, PyTorch."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from mask_pictures import blobs, logits, masks
from pycocotools import mask as coco
from scipy import ndimage

from icseg.mask_ops import native
from icseg.types import ImageU8, Logits, MaskBool

EXAMPLES = settings(deadline=None, max_examples=60)
BAND = 1e-4
"""For logits up to 8 round the threshold: how far another order of rounding may carry an interpolated value."""
YUV_TOLERANCE = 1
"""In grey values: OpenCV's vector paths may round a channel the other way."""


@EXAMPLES
@given(mask=masks())
def test_components_are_opencvs_and_scipys(mask: MaskBool) -> None:
    for connectivity in (4, 8):
        got = native.connected_components(mask, connectivity=connectivity)
        count, labels, stats, centroids = cv2.connectedComponentsWithStats(
            mask.astype(np.uint8), connectivity=connectivity
        )
        assert len(got) == count - 1
        # OpenCV numbers them in another order: sort both by box and area
        ours = np.column_stack([got.boxes_px, got.areas_px, got.centroids_px - 0.5])
        theirs = np.column_stack([stats[1:, :2], stats[1:, :2] + stats[1:, 2:4], stats[1:, 4], centroids[1:]])
        np.testing.assert_allclose(ours[np.lexsort(ours.T)], theirs[np.lexsort(theirs.T)])
        same = labels[mask], got.labels[mask]
        assert len(set(zip(*same, strict=True))) == count - 1
        structure = np.ones((3, 3)) if connectivity == 8 else None
        np.testing.assert_array_equal(got.labels, ndimage.label(mask, structure)[0])


def small(mask: MaskBool, max_area: int) -> MaskBool:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return mask & (stats[labels, cv2.CC_STAT_AREA] <= max_area)


@EXAMPLES
@given(one=logits())
def test_clean_up_is_sam2s(one: Logits) -> None:
    torch = pytest.importorskip("torch")
    given_, area = torch.from_numpy(one), 6
    video = torch.where(torch.from_numpy(small(one <= 0, area)), 0.1, given_)
    np.testing.assert_array_equal(native.fill_holes(one[None], area)[0], video.numpy())
    image = torch.where(torch.from_numpy(small(one <= 0, area)), 0.0 + 10.0, given_)
    image = torch.where(torch.from_numpy(small(one > 0, 2)), 0.0 - 10.0, image)
    np.testing.assert_array_equal(native.clean_logits(one[None], area, 2, variant="image")[0], image.numpy())


@EXAMPLES
@given(one=logits())
def test_masks_are_pytorchs_and_opencvs_but_for_a_band(one: Logits) -> None:
    torch = pytest.importorskip("torch")
    hw = (77, 131)
    got, statistics = native.upsample_threshold(one[None], hw)
    value = torch.nn.functional.interpolate(torch.from_numpy(one)[None, None], hw, mode="bilinear")[0, 0].numpy()
    for other in (value, cv2.resize(one, hw[::-1], interpolation=cv2.INTER_LINEAR)):
        assert not ((got[0] != (other > 0)) & (np.abs(other) > BAND)).any()
    assert abs(int(statistics.rows[0, 10]) - int((value > 1).sum())) <= (np.abs(value - 1) <= BAND).sum()
    assert abs(int(statistics.rows[0, 11]) - int((value > -1).sum())) <= (np.abs(value + 1) <= BAND).sum()


@EXAMPLES
@given(one=logits())
def test_exclusive_masks_are_sam2s_non_overlapping_ones(one: Logits) -> None:
    torch = pytest.importorskip("torch")
    batch, hw = np.stack([one, np.roll(one, 2), one[:, ::-1] + np.float32(0.3)]), (45, 50)
    value = torch.nn.functional.interpolate(torch.from_numpy(batch)[None], hw, mode="bilinear")[0]
    is_own = torch.argmax(value, 0, keepdim=True) == torch.arange(len(batch))[:, None, None]
    expected = (torch.where(is_own, value, torch.clamp(value, max=-10.0)) > 0).numpy()
    got, _ = native.upsample_threshold(batch, hw, is_exclusive=True)
    highest = value.sort(0).values
    is_close = ((highest[-1] - highest[-2]) < BAND) | (highest[-1].abs() < BAND)
    assert not ((got != expected).any(0) & ~is_close.numpy()).any()
    assert (got.sum(0) <= 1).all()


@EXAMPLES
@given(mask=masks())
def test_moments_are_opencvs(mask: MaskBool) -> None:
    statistics = native.mask_statistics(mask)
    moments = cv2.moments(mask.astype(np.uint8), binaryImage=True)
    assert statistics.areas_px[0] == moments["m00"]
    if not moments["m00"]:
        assert statistics.box(0) is None
        return
    centroid = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    np.testing.assert_allclose(statistics.centroids_px[0], centroid + 0.5)
    central = np.array([[moments["mu20"], moments["mu11"]], [moments["mu11"], moments["mu02"]]]) / moments["m00"]
    np.testing.assert_allclose(statistics.covariances_px2[0], central, atol=1e-6)


@EXAMPLES
@given(mask=masks())
def test_distance_is_scipys(mask: MaskBool) -> None:
    distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    peak = native.distance_peak(mask)
    if peak is None:
        assert not mask.any()
        return
    x, y, distance_px = peak
    assert distance_px == pytest.approx(distance.max())
    assert (y, x) == np.unravel_index(int(distance.argmax()), mask.shape)


def test_overlap_is_pycocotools() -> None:
    batch = np.stack([blobs((60, 80), seed, share) for seed in range(4) for share in (0.3, 0.7)])
    encoded = [coco.encode(np.asfortranarray(mask, np.uint8)) for mask in batch]
    expected = coco.iou(encoded, encoded, [0] * len(batch))
    np.testing.assert_allclose(native.mask_iou_matrix(batch, batch), expected)


@EXAMPLES
@given(mask=masks())
def test_run_lengths_are_pycocotools(mask: MaskBool) -> None:
    encoded = coco.encode(np.asfortranarray(mask, np.uint8))
    assert native.rle_encode(mask) == encoded["counts"]
    np.testing.assert_array_equal(native.rle_decode(encoded["counts"], mask.shape), coco.decode(encoded))


def test_run_lengths_at_camera_size() -> None:
    mask = np.random.default_rng(2).random((1080, 1921)) < 0.4
    assert native.rle_encode(mask) == coco.encode(np.asfortranarray(mask, np.uint8))["counts"]
    np.testing.assert_array_equal(native.rle_decode(native.rle_encode(mask), mask.shape), mask)


@EXAMPLES
@given(mask=masks())
def test_contours_give_the_mask_back(mask: MaskBool) -> None:
    outlines = native.contours(mask)
    crossings = np.zeros((mask.shape[0], mask.shape[1] + 1), np.int64)
    signed_area = 0.0
    for outline in outlines:
        after = np.roll(outline, -1, 0)
        signed_area += float((outline[:, 0] * after[:, 1] - after[:, 0] * outline[:, 1]).sum()) / 2
        for (x, y), (to_x, to_y) in zip(outline, after, strict=True):
            assert (x == to_x) != (y == to_y), "an edge is neither horizontal nor vertical"
            crossings[min(y, to_y) : max(y, to_y), x] += to_x == x
    np.testing.assert_array_equal(crossings.cumsum(1)[:, :-1] % 2 == 1, mask)
    assert signed_area == mask.sum()
    holes = cv2.connectedComponents(np.pad(~mask, 1, constant_values=True).astype(np.uint8), connectivity=4)[0] - 2
    assert len(outlines) == len(native.connected_components(mask)) + holes


def frame(hw: tuple[int, int]) -> ImageU8:
    return np.random.default_rng(5).integers(0, 256, (*hw, 3)).astype(np.uint8)


@pytest.mark.parametrize("new_hw", [(64, 64), (48, 50), (20, 31), (96, 128)])
def test_preprocess_is_pytorchs_resize(new_hw: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    image, mean, std = frame((48, 50)), np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    planes = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    resized = torch.nn.functional.interpolate(planes, new_hw, mode="bilinear")[0].numpy()
    expected = (resized - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(native.preprocess(image, new_hw, mean, std), expected, atol=1e-5)


@pytest.mark.parametrize(("encoding", "code"), [("nv12", cv2.COLOR_YUV2RGB_NV12), ("yuyv", cv2.COLOR_YUV2RGB_YUYV)])
def test_yuv_is_opencvs(encoding: str, code: int) -> None:
    shape = (96, 50) if encoding == "nv12" else (64, 50, 2)
    image = np.random.default_rng(6).integers(0, 256, shape).astype(np.uint8)
    expected = cv2.cvtColor(image, code)
    hw = expected.shape[:2]
    planes = native.preprocess(image, hw, (0, 0, 0), (1, 1, 1), encoding=encoding)  # type: ignore[arg-type]
    got = np.round(planes.transpose(1, 2, 0) * 255)
    assert np.abs(got - expected).max() <= YUV_TOLERANCE


def test_dlpack_is_taken() -> None:
    torch = pytest.importorskip("torch")
    one = torch.linspace(-1, 1, 64).reshape(1, 8, 8)
    expected, _ = native.upsample_threshold(one.numpy(), (20, 20))
    np.testing.assert_array_equal(native.upsample_threshold(one, (20, 20))[0], expected)  # type: ignore[arg-type]
