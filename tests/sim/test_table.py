"""What the renderer shows: truth and picture agree, the promised events are seen, and no library gives a clear text."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from icseg.errors import BackendError
from icseg.sim.scene import SceneSpec, make_scene
from icseg.sim.table import SimulatedTable, stream

CLEAR_PX = 900


@pytest.fixture(scope="module")
def table() -> Iterator[SimulatedTable]:
    try:
        table = SimulatedTable(shadow_map_px=256)
    except BackendError as error:
        pytest.skip(str(error))
    with table:
        yield table


@pytest.fixture(scope="module")
def scene() -> SceneSpec:
    """Two mugs; one is hidden by what passes, one leaves and comes back. The scene of the shipped clip."""
    return make_scene(79, split="test", ambiguous_kind="mug")


def test_rendering_is_deterministic(table: SimulatedTable, scene: SceneSpec) -> None:
    first = table.render(scene, 5.0)
    table.render(make_scene(3, split="test"), 0.0)
    again = table.render(scene, 5.0)
    np.testing.assert_array_equal(first.instance_ids, again.instance_ids)
    np.testing.assert_array_equal(first.frame.image, again.frame.image)


def test_ids_are_those_of_the_scene_and_boxes_fit_masks(table: SimulatedTable, scene: SceneSpec) -> None:
    sim = table.render(scene, 0.0, index=7)
    assert sim.frame.index == 7
    assert sim.instance_ids.dtype == np.uint8
    assert set(np.unique(sim.instance_ids)) <= {0, *sim.things}
    for thing_id in sim.things:
        box = sim.box_image_px(thing_id)
        if box is None:
            assert not sim.mask(thing_id).any()
            continue
        x0, y0, x1, y1 = (int(v) for v in box)
        inside = sim.mask(thing_id)[y0:y1, x0:x1]
        assert inside.sum() == sim.mask(thing_id).sum()
        assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))


@pytest.mark.parametrize("seed", range(3))
def test_ambiguous_things_are_well_visible_at_first(table: SimulatedTable, seed: int) -> None:
    spec = make_scene(seed, split="test", ambiguous_kind="mug")
    for t_s in (0.0, 1.9):
        sim = table.render(spec, t_s)
        areas = [int(sim.mask(i).sum()) for i, truth in sim.things.items() if truth.kind == "mug"]
        assert min(areas) >= CLEAR_PX


def test_one_is_hidden_and_one_leaves_and_comes_back(table: SimulatedTable, scene: SceneSpec) -> None:
    assert scene.hidden_id is not None
    assert scene.leaving_id is not None
    before = table.render(scene, 3.0)
    during = [table.render(scene, t) for t in np.linspace(*scene.hidden_window_s, 12)]
    assert min(sim.mask(scene.hidden_id).sum() for sim in during) < 0.5 * before.mask(scene.hidden_id).sum()
    assert table.render(scene, scene.away_s).box_image_px(scene.leaving_id) is None
    assert table.render(scene, scene.duration_s).mask(scene.leaving_id).sum() > CLEAR_PX


def test_a_stream_counts_and_stamps_its_frames(table: SimulatedTable, scene: SceneSpec) -> None:
    frames = list(stream(table, scene, fps=10, duration_s=0.3, hw=(120, 160)))
    assert [sim.frame.index for sim in frames] == [0, 1, 2]
    assert [sim.frame.stamp_ns for sim in frames] == [0, 100_000_000, 200_000_000]
    assert frames[0].frame.hw == frames[0].instance_ids.shape == (120, 160)


def test_a_missing_mujoco_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)
    with pytest.raises(BackendError, match="libosmesa6"):
        SimulatedTable()


def test_a_missing_opengl_library_says_what_to_install(
    table: SimulatedTable, scene: SceneSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_context(*_: object, **__: object) -> None:
        raise AttributeError("'NoneType' object has no attribute 'OSMesaCreateContextExt'")

    monkeypatch.setattr("mujoco.Renderer", no_context)
    with pytest.raises(BackendError, match="libosmesa6"):
        table.render(scene, 0.0, hw=(60, 80))
