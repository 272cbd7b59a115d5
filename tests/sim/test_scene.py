"""Scenes as values: seeds, splits, room between things, scripts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from icseg.sim.motion import Motion, Pose, carry, leave_and_return, pass_in_front, push, still
from icseg.sim.scene import make_scene
from icseg.sim.things import COLOURS, KINDS, SIZES, mesh_of, radius_of
from icseg.sim.unnamed import TEST_UNNAMED, TRAIN_UNNAMED
from icseg.sim.view import CameraPath, camera_at

TOP_SPEED_M_S = 0.25
SPEED_SLACK = 1.35
"""Paths bend (bow, lift), so the length that a move's time was made from is a little short."""


def test_the_same_seed_gives_the_same_scene() -> None:
    assert make_scene(5, split="test", ambiguous_kind="mug") == make_scene(5, split="test", ambiguous_kind="mug")


def test_splits_and_seeds_share_no_scene() -> None:
    scenes = [make_scene(seed, split=split) for split in ("train", "val", "test") for seed in range(4)]
    looks = {(scene.camera, tuple(thing.rgb for thing in scene.things)) for scene in scenes}
    assert len(looks) == len(scenes)


def test_there_is_enough_variety() -> None:
    assert len(KINDS) >= 8
    assert len(COLOURS) >= 8
    assert len(SIZES) == 2
    scenes = [make_scene(seed, split="train") for seed in range(40)]
    truths = [truth for scene in scenes for truth in scene.truths.values()]
    assert {truth.kind for truth in truths} == set(KINDS)
    assert {truth.colour for truth in truths} == set(COLOURS)
    assert all(4 <= len(scene.things) <= 9 for scene in scenes)
    kinds = [[truth.kind for truth in scene.truths.values()] for scene in scenes]
    assert sum(len(set(names)) < len(names) for names in kinds) > len(scenes) / 2


@pytest.mark.parametrize("seed", range(4))
def test_an_ambiguous_scene_has_several_of_the_kind_in_different_colours(seed: int) -> None:
    scene = make_scene(seed, split="test", ambiguous_kind="mug")
    mugs = [thing for thing in scene.things if thing.truth.kind == "mug"]
    assert 2 <= len(mugs) <= 4
    assert len({mug.truth.colour for mug in mugs}) == len(mugs)
    for mug in mugs:
        assert not mug.motion.is_still
        assert min(t for t, pose in zip(mug.motion.times_s, mug.motion.poses, strict=True) if pose) >= 3.0
    assert scene.hidden_id in {mug.truth.id for mug in mugs}


@pytest.mark.parametrize("seed", range(3))
def test_things_neither_meet_nor_race(seed: int) -> None:
    scene = make_scene(seed, split="val", ambiguous_kind="can")
    times = np.arange(0, scene.duration_s, 0.1)
    tracks = [thing.motion.sample(times) for thing in scene.things]
    for track in tracks:
        speed = np.linalg.norm(np.diff(track[:, :2], axis=0), axis=1) / 0.1
        assert speed.max() <= TOP_SPEED_M_S * SPEED_SLACK
    for i, a in enumerate(scene.things):
        for b, other in zip(scene.things[:i], tracks, strict=False):
            apart = np.linalg.norm(tracks[i][:, :3] - other[:, :3], axis=1).min()
            if {a.truth.kind, b.truth.kind} <= {"ball", "can", "bottle", "bowl", "plate"}:
                on_table = (tracks[i][:, 2] == 0) & (other[:, 2] == 0)
                flat = np.linalg.norm(tracks[i][on_table, :2] - other[on_table, :2], axis=1)
                room = radius_of(a.truth.kind, a.truth.size) + radius_of(b.truth.kind, b.truth.size)
                assert flat.size == 0 or flat.min() >= room
            assert apart > 0.03


def test_without_motion_things_are_still() -> None:
    assert all(thing.motion.is_still for thing in make_scene(2, split="train", motion=False).things)


@pytest.mark.parametrize("wrong", [{"seed": -1, "split": "test"}, {"seed": 1, "split": "dev"}])
def test_wrong_arguments_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="scene: expected"):
        make_scene(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="kind"):
        make_scene(1, split="test", ambiguous_kind="teapot")


def test_motions_begin_and_end_where_they_should() -> None:
    a, b = Pose(0.0, 0.0), Pose(0.2, 0.1, 0.0, 1.0)
    for script in (push(a, b, 1.0, 2.0, bow_m=0.03), carry(a, b, 1.0, 2.0, lift_m=0.1)):
        assert script.pose_at(0.0) == script.pose_at(1.0) == a
        end = script.pose_at(9.0)
        assert (end.x_m, end.y_m, end.z_m, end.yaw_rad) == pytest.approx((0.2, 0.1, 0.0, 1.0))
    assert carry(a, b, 1.0, 2.0, lift_m=0.1).pose_at(2.0).z_m == pytest.approx(0.1, abs=0.01)
    away = leave_and_return(a, b, a, middle_s=5.0, leg_s=1.0, pause_s=0.5)
    assert away.pose_at(5.0).x_m == pytest.approx(0.2)
    assert away.pose_at(8.0) == a
    middle = pass_in_front(a, (0.0, -1.0), 0.1, (-0.2, 0.2), 3.0, 2.0).pose_at(3.0)
    assert (middle.x_m, middle.y_m) == pytest.approx((0.0, -0.1), abs=1e-9)
    assert still(a).pose_at(4.0) == a


def test_a_motion_needs_increasing_times() -> None:
    with pytest.raises(ValueError, match="increase"):
        Motion((1.0, 1.0), (Pose(0, 0), Pose(1, 0)))


@pytest.mark.parametrize("kind", [*KINDS, *TRAIN_UNNAMED, *TEST_UNNAMED])
def test_meshes_stand_on_the_table_and_face_outwards(kind: str) -> None:
    mesh = mesh_of(kind)
    assert mesh.vertices[:, 2].min() >= -1e-9
    assert mesh.vertices[:, 2].min() < 0.007
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    volume = float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)
    assert volume > 0


def test_the_handle_of_a_mug_faces_outwards() -> None:
    mesh = mesh_of("mug")
    corners = mesh.vertices[mesh.faces]
    is_handle = corners[..., 0].min(1) > 0.045
    a, b, c = np.moveaxis(corners[is_handle], 1, 0)
    normals = np.cross(b - a, c - a)
    # the upper half of the handle's outside looks up, the lower half down
    up, height = normals[:, 2], corners[is_handle].mean(1)[:, 2] - 0.049
    is_outside = np.hypot(corners[is_handle].mean(1)[:, 0] - 0.04, height) > 0.027
    assert float((up * np.sign(height))[is_outside].sum()) > 0


def test_the_camera_sees_its_look_at_point_in_the_middle() -> None:
    camera = camera_at(CameraPath((0.1, 0.2, 0.0), 0.7, 20.0, 30.0, 45.0, roll_deg=3.0), 0.0)
    x, y, depth = camera.project(np.array([[0.1, 0.2, 0.0]]), (480, 640))[0]
    assert (x, y, depth) == pytest.approx((320, 240, 0.7))
    assert math.isclose(float(np.linalg.det(camera.axes)), 1.0)


def test_unnamed_kinds_stand_in_for_half_of_the_things_and_can_be_ambiguous() -> None:
    names = tuple(TEST_UNNAMED)
    kinds = [
        thing.truth.kind
        for seed in range(8)
        for thing in make_scene(seed, split="test", ambiguous_kind=names[seed], unnamed=names).things
    ]
    assert any(kind in KINDS for kind in kinds)
    scene = make_scene(1, split="test", ambiguous_kind="unnamed_ring", unnamed=names)
    assert 2 <= sum(thing.truth.kind == "unnamed_ring" for thing in scene.things) <= 4
    assert scene.hidden_id is not None
    assert scene.truths[scene.hidden_id].kind == "unnamed_ring"
    with pytest.raises(ValueError, match="unnamed_ring"):
        make_scene(1, split="test", ambiguous_kind="unnamed_ring")
