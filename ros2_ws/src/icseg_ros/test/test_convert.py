"""Images between messages and numpy: every encoding, padding and byte order, and what is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from icseg_ros.compressed import compressed_to_rgb, jpeg, png
from icseg_ros.convert import (
    EncodingError,
    depth_to_metres,
    image_to_rgb,
    labels_to_image,
    mask_to_image,
    pixels,
    rgb_to_image,
    stamp_ns,
)

SIZES_HW = [(1, 1), (1, 7), (5, 1), (3, 4), (48, 63)]
PADDINGS = [0, 1, 5, 64]
JPEG_TOLERANCE = 12  # grey levels, of a smooth picture at quality 95


def make_header(sec: int = 12, nanosec: int = 345) -> Header:
    header = Header(frame_id="camera_optical")
    header.stamp.sec, header.stamp.nanosec = sec, nanosec
    return header


def make_image(encoding: str, rows: np.ndarray, width: int, padding: int = 0, is_bigendian: bool = False) -> Image:
    """``rows`` are (H, bytes a row) uint8."""
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    msg = Image(header=make_header(), encoding=encoding, height=len(rows), width=width, step=padded.shape[1])
    msg.is_bigendian = int(is_bigendian)
    msg.data = pixels(padded)
    return msg


def random_rgb(hw: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*hw, 3), np.uint8)


def stored(rgb: np.ndarray, encoding: str) -> np.ndarray:
    """(H, W, C) as a camera of that encoding would send it."""
    alpha = np.full((*rgb.shape[:2], 1), 9, np.uint8)
    return {
        "rgb8": rgb,
        "bgr8": rgb[..., ::-1],
        "8UC3": rgb[..., ::-1],
        "rgba8": np.concatenate([rgb, alpha], -1),
        "bgra8": np.concatenate([rgb[..., ::-1], alpha], -1),
        "8UC4": np.concatenate([rgb[..., ::-1], alpha], -1),
    }[encoding]


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("hw", SIZES_HW)
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "bgra8", "8UC3", "8UC4"])
def test_colour_is_read_whatever_the_order_and_padding(encoding: str, hw: tuple[int, int], padding: int) -> None:
    rgb = random_rgb(hw)
    msg = make_image(encoding, stored(rgb, encoding).reshape(hw[0], -1), hw[1], padding)
    got = image_to_rgb(msg)
    assert got.dtype == np.uint8
    assert got.flags.c_contiguous
    np.testing.assert_array_equal(got, rgb)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("hw", SIZES_HW)
def test_grey_becomes_three_equal_channels(hw: tuple[int, int], padding: int) -> None:
    grey = random_rgb(hw)[..., 0]
    for encoding in ("mono8", "8UC1"):
        got = image_to_rgb(make_image(encoding, grey, hw[1], padding))
        np.testing.assert_array_equal(got, np.repeat(grey[..., None], 3, -1))
    for is_bigendian in (False, True):
        wide = (grey.astype(np.uint16) << 8 | 200).astype(">u2" if is_bigendian else "<u2")
        got = image_to_rgb(make_image("mono16", wide.view(np.uint8), hw[1], padding, is_bigendian))
        np.testing.assert_array_equal(got[..., 1], grey)


def test_the_byte_order_flag_says_nothing_about_8_bits() -> None:
    rgb = random_rgb((6, 5))
    np.testing.assert_array_equal(image_to_rgb(make_image("rgb8", rgb.reshape(6, -1), 5, is_bigendian=True)), rgb)


def test_the_picture_is_a_copy() -> None:
    msg = make_image("rgb8", random_rgb((4, 4)).reshape(4, -1), 4)
    got = image_to_rgb(msg)
    before = got.copy()
    np.frombuffer(msg.data, np.uint8)[:] = 0
    np.testing.assert_array_equal(got, before)
    got[:] = 1  # and may be written to


@pytest.mark.parametrize("encoding", ["yuv422", "bayer_rggb8", "32FC1", ""])
def test_another_encoding_is_refused_with_those_that_are_read(encoding: str) -> None:
    with pytest.raises(EncodingError, match=rf"{encoding!r}.*rgb8, bgr8, mono8, rgba8, bgra8"):
        image_to_rgb(make_image(encoding, random_rgb((2, 2)).reshape(2, -1), 2))


def test_sizes_that_do_not_fit_are_refused() -> None:
    good = make_image("rgb8", random_rgb((4, 5)).reshape(4, -1), 5, padding=1)
    assert image_to_rgb(good).shape == (4, 5, 3)
    wrong: list[tuple[dict[str, int], str]] = [
        ({"height": 5}, r"16 \* 5 bytes of data, got 64"),
        ({"height": 3}, r"16 \* 3 bytes of data, got 64"),
        ({"height": 0}, "zero size"),
        ({"width": 0}, "zero size"),
        ({"width": 6}, "step of at least 18 bytes, got 16"),
        ({"step": 14}, "step of at least 15 bytes, got 14"),
        ({"step": 0}, "step of at least 15 bytes, got 0"),
    ]
    for fields, said in wrong:
        msg = make_image("rgb8", random_rgb((4, 5)).reshape(4, -1), 5, padding=1)
        for name, value in fields.items():
            setattr(msg, name, value)
        with pytest.raises(ValueError, match=said):
            image_to_rgb(msg)
    with pytest.raises(EncodingError, match="got 0"):
        image_to_rgb(Image(encoding="rgb8", height=4, width=5, step=15))


@pytest.mark.parametrize("is_bigendian", [False, True])
@pytest.mark.parametrize("padding", PADDINGS)
def test_depth_is_metres_whatever_the_byte_order(padding: int, is_bigendian: bool) -> None:
    order = ">" if is_bigendian else "<"
    millimetres = np.array([[0, 1, 1500], [65535, 999, 2]], f"{order}u2")
    expected = np.array([[np.nan, 0.001, 1.5], [65.535, 0.999, 0.002]], np.float32)
    for encoding in ("16UC1", "mono16"):
        got = depth_to_metres(make_image(encoding, millimetres.view(np.uint8), 3, padding, is_bigendian))
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, rtol=1e-6)
    metres = np.array([[0, np.inf, 1.5], [-1, np.nan, 2.25]], f"{order}f4")
    got = depth_to_metres(make_image("32FC1", metres.view(np.uint8), 3, padding, is_bigendian))
    np.testing.assert_array_equal(got, np.array([[np.nan, np.nan, 1.5], [np.nan, np.nan, 2.25]], np.float32))


def test_a_window_of_depth_is_the_part_of_the_whole() -> None:
    millimetres = np.arange(1, 41, dtype="<u2").reshape(5, 8)
    msg = make_image("16UC1", millimetres.view(np.uint8), 8, padding=3)
    np.testing.assert_array_equal(depth_to_metres(msg, (2, 1, 6, 4)), depth_to_metres(msg)[1:4, 2:6])


def test_depth_of_a_colour_encoding_is_refused() -> None:
    with pytest.raises(EncodingError, match=r"'rgb8'.*16UC1"):
        depth_to_metres(make_image("rgb8", random_rgb((2, 2)).reshape(2, -1), 2))


@pytest.mark.parametrize("hw", SIZES_HW)
def test_a_mask_is_0_and_255_under_the_sources_header(hw: tuple[int, int]) -> None:
    mask = random_rgb(hw)[..., 0] > 127
    msg = mask_to_image(mask, make_header())
    assert (msg.encoding, msg.height, msg.width, msg.step) == ("mono8", *hw, hw[1])
    assert msg.header == make_header()
    np.testing.assert_array_equal(np.frombuffer(msg.data, np.uint8).reshape(hw), np.where(mask, 255, 0))


def test_a_mask_that_is_a_view_is_written_as_it_looks() -> None:
    mask = (random_rgb((6, 8))[..., 0] > 127)[:, ::2]
    got = np.frombuffer(mask_to_image(mask, make_header()).data, np.uint8).reshape(6, 4)
    np.testing.assert_array_equal(got == 255, mask)


def test_labels_count_from_one_and_the_first_mask_wins() -> None:
    left, all_of_it, none = np.zeros((3, 4), bool), np.ones((3, 4), bool), np.zeros((3, 4), bool)
    left[:, :2] = True
    msg = labels_to_image([left, none, all_of_it], make_header())
    got = np.frombuffer(msg.data, np.uint8).reshape(3, 4)
    assert msg.encoding == "mono8"
    np.testing.assert_array_equal(got, [[1, 1, 3, 3]] * 3)
    single = np.frombuffer(labels_to_image([left], make_header()).data, np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(single, left)


def test_labels_are_wide_only_when_they_must_be() -> None:
    masks = [np.zeros((16, 16), bool) for _ in range(255)]
    for number, mask in enumerate(masks):
        mask.flat[number] = True
    narrow, wide = labels_to_image(masks[:254], make_header()), labels_to_image(masks, make_header())
    assert (narrow.encoding, wide.encoding) == ("mono8", "16UC1")
    assert (wide.step, wide.is_bigendian) == (32, 0)
    np.testing.assert_array_equal(np.frombuffer(wide.data, "<u2")[:255], np.arange(1, 256))


def test_labels_without_masks_need_a_size() -> None:
    msg = labels_to_image([], make_header(), (3, 5))
    assert (msg.height, msg.width, set(msg.data)) == (3, 5, {0})
    with pytest.raises(ValueError, match="got 0 of sizes"):
        labels_to_image([], make_header())
    with pytest.raises(ValueError, match="one size"):
        labels_to_image([np.ones((2, 2), bool), np.ones((2, 3), bool)], make_header())


@pytest.mark.parametrize("hw", SIZES_HW)
def test_a_picture_comes_back_as_it_went(hw: tuple[int, int]) -> None:
    rgb = random_rgb(hw)
    np.testing.assert_array_equal(image_to_rgb(rgb_to_image(rgb, make_header())), rgb)
    np.testing.assert_array_equal(compressed_to_rgb(png(rgb, make_header())), rgb)
    np.testing.assert_array_equal(compressed_to_rgb(png(rgb[..., 0].copy(), make_header()))[..., 2], rgb[..., 0])
    with pytest.raises(ValueError, match="expected uint8"):
        rgb_to_image(rgb[..., 0], make_header())


def test_jpeg_keeps_red_red() -> None:
    rgb = np.zeros((32, 48, 3), np.uint8)
    rgb[..., 0] = 220
    msg = jpeg(rgb, make_header(), 95)
    assert (msg.format, msg.header) == ("rgb8; jpeg compressed bgr8", make_header())
    assert np.abs(compressed_to_rgb(msg).astype(int) - rgb).max() <= JPEG_TOLERANCE
    assert png(rgb[..., 0].copy(), make_header()).format == "mono8; png compressed "


@pytest.mark.parametrize(
    ("message_format", "is_exchanged"),
    [
        ("jpeg", False),
        ("", False),
        ("rgb8; jpeg compressed bgr8", False),
        ("bgr8; png compressed bgr8", False),
        ("rgb8; jpeg compressed rgb8", True),
    ],
)
def test_the_format_says_which_channel_is_red(message_format: str, is_exchanged: bool) -> None:
    rgb = random_rgb((8, 8))
    given_to_opencv = rgb if is_exchanged else rgb[..., ::-1]
    msg = CompressedImage(format=message_format, data=pixels(cv2.imencode(".png", given_to_opencv)[1]))
    np.testing.assert_array_equal(compressed_to_rgb(msg), rgb)


def test_damaged_pictures_are_refused() -> None:
    whole = jpeg(random_rgb((64, 64)), make_header(), 90)
    data = bytes(whole.data)
    for damaged in (b"", data[: len(data) // 2], b"\x00" * 100, b"\xff\xd8 no picture \xff\xd9", data[10:]):
        msg = CompressedImage(format="rgb8; jpeg compressed bgr8", data=pixels(np.frombuffer(damaged, np.uint8)))
        with pytest.raises(EncodingError, match=r"format 'rgb8; jpeg compressed bgr8'.*check"):
            compressed_to_rgb(msg)


def test_a_jpeg_that_a_driver_padded_is_read() -> None:
    data = bytes(jpeg(random_rgb((16, 16)), make_header(), 90).data) + bytes(512)
    assert compressed_to_rgb(CompressedImage(format="jpeg", data=pixels(np.frombuffer(data, np.uint8)))).shape[0] == 16


def test_compressed_depth_is_refused_by_name() -> None:
    with pytest.raises(EncodingError, match=r"compressedDepth.*this is depth"):
        compressed_to_rgb(CompressedImage(format="16UC1; compressedDepth png", data=[1, 2, 3]))


def test_stamps_are_whole_nanoseconds() -> None:
    assert stamp_ns(make_header(2_000_000_000, 999_999_999)) == 2_000_000_000_999_999_999
