"""The demo's camera and person without ROS communication: the film's order, intrinsics, settings, and judging."""

import json

import cv2
import numpy as np
import pytest

from icseg.errors import ConfigError, SourceError
from icseg.sim.view import CameraPath, camera_at
from icseg_ros.demo_camera import CameraSettings, camera_info, encoded, position
from icseg_ros.demo_scene import Wish, open_scene
from icseg_ros.demo_truth import MAPS_KEPT, Score, Truth, parse_things


def test_a_film_is_played_there_and_back_or_anew_or_once():
    assert [position(count, 3, "mirror") for count in range(9)] == [0, 1, 2, 1, 0, 1, 2, 1, 0]
    assert [position(count, 3, "again") for count in range(7)] == [0, 1, 2, 0, 1, 2, 0]
    assert [position(count, 3, "off") for count in range(5)] == [0, 1, 2, None, None]
    assert [position(count, 1, "mirror") for count in range(3)] == [0, 0, 0]


def test_intrinsics_are_those_of_the_simulated_projection():
    """Same point, same place; the simulation counts from the corner of the first pixel, ROS from its middle."""
    hw = (720, 1280)
    camera = camera_at(CameraPath((0.0, 0.0, 0.03), 0.7, 20.0, 30.0, fovy_deg=39.0), t_s=0.0)
    points = np.random.default_rng(0).uniform(-0.2, 0.2, (50, 3))
    optical = (points - camera.position_m) @ camera.axes * [1, -1, -1]
    info = camera_info(hw, 39.0)
    projected = optical @ np.asarray(info.k).reshape(3, 3).T
    expected = camera.project(points, hw)
    np.testing.assert_allclose(projected[:, :2] / projected[:, 2:] + 0.5, expected[:, :2])
    np.testing.assert_allclose(projected[:, 2], expected[:, 2])
    assert np.asarray(info.p).reshape(3, 4)[:, :3].ravel().tolist() == list(info.k)


def test_intrinsics_that_are_not_known_are_zero():
    info = camera_info((480, 640), None)
    assert (info.height, info.width, info.k[0], info.p[0]) == (480, 640, 0.0, 0.0)


def test_encodings_keep_the_colours():
    red = np.zeros((2, 3, 3), np.uint8)
    red[..., 0] = 200
    assert encoded(red, "rgb8").tolist() == red.tolist()
    assert encoded(red, "bgr8")[0, 0].tolist() == [0, 0, 200]
    assert encoded(red, "rgba8")[0, 0].tolist() == [200, 0, 0, 255]
    assert encoded(red, "bgra8")[0, 0].tolist() == [0, 0, 200, 255]
    assert encoded(red, "mono8").shape == (2, 3)


@pytest.mark.parametrize("size", ["640", "640x", "x480", "10x10", "4000x480", "640x480x3", "-640x480", "६४०x480"])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ConfigError, match="size"):
        CameraSettings(size=size)


def test_the_clip_keeps_its_speed_at_any_rate():
    def film(rate_hz, duration_s):
        scene = open_scene(Wish("clip", 0, "mug", (480, 640), rate_hz, duration_s), pytest.fail)
        return scene, [sim.frame.index for sim in scene.frames]

    assert film(30.0, 0.2)[1] == [0, 0, 1, 1, 2, 2]
    assert film(5.0, 1.0)[1] == [0, 3, 6, 9, 12]
    scene, shown = film(15.0, 60.0)
    assert shown == list(range(150))
    assert scene.n_frames == len(shown)
    assert scene.fovy_deg is not None


def test_a_clip_of_another_size_is_told():
    told = []
    scene = open_scene(Wish("clip", 0, "mug", (240, 320), 15.0, 1.0), told.append)
    assert scene.hw == (480, 640)
    assert told == ["the recorded clip is 640x480, not 320x240"]


def a_map(value=1):
    labels = np.zeros((4, 6), np.uint8)
    labels[1:3, 1:4] = value
    return labels


def png(labels):
    return cv2.imencode(".png", labels)[1]


def test_masks_are_judged_by_the_truth_of_their_own_stamp():
    truth = Truth()
    score = Score(truth, target=1)
    truth.add(100, png(a_map()))
    truth.add(200, png(a_map(2)))
    score.add(100, a_map() > 0)
    score.add(200, np.zeros((4, 6), np.bool_))
    score.add(200, np.ones((4, 6), np.bool_))
    assert score.js == [1.0, 1.0, 0.0]
    assert score.mean_j == pytest.approx(2 / 3)
    assert (score.masks, score.settled) == (3, 3)


def test_a_mask_that_overtakes_its_truth_waits_and_one_without_is_told():
    truth = Truth()
    score = Score(truth, target=1)
    truth.add(100, png(a_map()))
    score.add(300, a_map() > 0)
    score.add(150, a_map() > 0)
    score.add(50, a_map() > 0)
    assert (score.js, score.unknown_stamps, score.before) == ([], [], 1)
    truth.add(200, png(a_map()))
    score.settle()
    assert (score.js, score.unknown_stamps) == ([], [150])
    truth.add(300, png(a_map()))
    score.settle()
    assert score.js == [1.0]
    score.add(999, a_map() > 0)
    score.settle()
    assert (score.unknown_stamps, score.not_judged) == ([150], 1)


def test_a_mask_of_another_size_is_told():
    truth = Truth()
    truth.add(100, png(a_map()))
    score = Score(truth, target=1)
    score.add(100, np.ones((8, 12), np.bool_))
    assert (score.wrong_sizes, score.js) == (1, [])


def test_old_truth_is_forgotten():
    truth = Truth()
    for stamp_ns in range(1, MAPS_KEPT + 3):
        truth.add(stamp_ns, png(a_map()))
    assert truth.labels(2) is None
    assert truth.labels(3) is not None
    assert truth.newest_ns == MAPS_KEPT + 2


def test_what_is_seen_now_needs_a_map_and_the_things():
    truth = Truth()
    assert truth.now() is None
    truth.add(100, png(a_map()))
    assert truth.now() is None
    truth.things = parse_things(json.dumps({"things": [{"id": 1, "kind": "mug", "colour": "red", "size": "small"}]}))
    seen = truth.now()
    assert seen.box_image_px(1) == (1.0, 1.0, 4.0, 3.0)
    assert seen.frame.stamp_ns == 100


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"things": [{"id": 1}]}', '{"things": 3}'])
def test_things_that_are_none_are_refused(text):
    with pytest.raises(SourceError, match="demo_camera"):
        parse_things(text)
