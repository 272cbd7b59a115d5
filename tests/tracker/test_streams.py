"""A stream from frame to frame over scripted graphs: how often graphs run, places, refusals; the scripted double."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from scripted_graphs import FACTS, NANO, ScriptedGraphs, make_frame

from icseg.tracker.encoded_image import StageClock
from icseg.tracker.graphs import IMAGE_ENCODER, MASK_DECODER, graph_specs
from icseg.tracker.scripted import ScriptedTracker
from icseg.tracker.state import TrackerConfig, TrackState
from icseg.types import Array, Frame, Prompt

BOX = Prompt((16.0, 12.0, 32.0, 24.0))
POINT = Prompt(None, ((20.0, 20.0),), (1,))
HW = (96, 128)


def block(index: int, left: int, top: int, width: int, height: int) -> Frame:
    """A bright block on black, in a picture large enough for windows."""
    image = np.zeros((*HW, 3), np.uint8)
    image[top : top + height, left : left + width] = 255
    return Frame(image, stamp_ns=(index + 1) * 1000, index=index)


def around(left: int, top: int, width: int, height: int) -> Prompt:
    return Prompt((float(left), float(top), float(left + width), float(top + height)))


def remembered(state: TrackState, place: int) -> list[float]:
    view = state.tracks[place].bank.attend()
    return sorted(float(view.memory_features[slot].max()) for slot in np.flatnonzero(view.memory_mask == 0))


def test_beyond_twice_the_models_input_there_is_nothing_more_to_see() -> None:
    state = ScriptedGraphs().tracker().start(block(0, 60, 45, 2, 2), around(60, 45, 2, 2))
    window = state.tracks[0].window
    assert window is not None
    assert window.width == FACTS.image_size / 2


def test_a_still_is_cut_to_windows_and_told_in_its_own_pixels() -> None:
    frame = block(0, 80, 60, 16, 12)
    found = ScriptedGraphs().tracker().segment(frame, [around(80, 60, 16, 12)]).objects[1]
    assert found.mask.shape == HW
    assert found.box_image_px == pytest.approx((80, 60, 96, 72), abs=2)
    assert found.area_px == pytest.approx(16 * 12, rel=0.3)


def test_an_image_is_encoded_once_for_all_that_is_looked_for_in_the_whole_of_it() -> None:
    graphs = ScriptedGraphs()
    tracker = graphs.tracker(TrackerConfig())
    state = tracker.start(make_frame(0), BOX)
    tracker.add_prompt(state, make_frame(0), 2, BOX)
    before = graphs.runners[IMAGE_ENCODER].run_count
    tracker.step(state, make_frame(1))
    assert graphs.runners[IMAGE_ENCODER].run_count == before + 1
    assert graphs.runners[MASK_DECODER].run_count == 4


def test_a_stage_is_told_in_milliseconds_summed_over_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((10.0, 10.25, 20.0, 20.5))
    monkeypatch.setattr("icseg.tracker.encoded_image.time.perf_counter", lambda: next(times))
    clock = StageClock()
    for _ in range(2):
        with clock.stage("mask_decoder"):
            pass
    assert clock.timings_ms["mask_decoder"] == pytest.approx(750.0)
    assert clock.timings_ms["preprocess"] == 0.0


class ChoosyGraphs(ScriptedGraphs):
    """The decoder thinks little of its first mask and much of the second."""

    def _decode(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        return {**super()._decode(feeds), "iou_scores": np.array([[0.6, 0.9, 0.7, 0.8]], np.float32)}


@pytest.mark.parametrize(("prompt", "iou"), [(POINT, 0.9), (BOX, 0.6)])
def test_a_point_may_mean_several_things_and_a_box_one(prompt: Prompt, iou: float) -> None:
    one_point = replace(FACTS, multimask_for_prompts=True, multimask_min_points=1, multimask_max_points=1)
    tracker = ChoosyGraphs(one_point).tracker()
    state = tracker.start(make_frame(0), prompt)
    assert state.latest is not None
    assert state.latest.objects[1].iou_score == pytest.approx(iou)
    assert tracker.step(state, make_frame(1)).objects[1].iou_score == pytest.approx(0.6)


def test_places_are_reused_and_nothing_of_the_former_object_is_left() -> None:
    tracker = ScriptedGraphs().tracker(replace(NANO, max_objects=2))
    state = tracker.start(make_frame(0), BOX, object_id=10)
    tracker.add_prompt(state, make_frame(0), 20, BOX)
    assert state.object_ids == (10, 20)
    assert state.place_for(20) is state.tracks[1]
    tracker.remove(state, 10)
    place = state.tracks[0]
    assert (place.extent, place.before, place.window, place.object_id) == (None, None, None, None)
    assert place.bank.is_empty
    assert state.object_ids == (20,)
    assert state.place_for(20) is state.tracks[1]  # known, though a place before it is free
    assert state.place_for(30) is place
    # in the same frame: its memory is the first of the new object's, not a correction of the former one's
    result = tracker.add_prompt(state, make_frame(0), 30, POINT)
    assert list(result.objects) == [20, 30]
    assert len(remembered(state, 0)) == 1
    assert state.tracks[0].window is None


def test_an_object_that_is_prompted_twice_in_a_frame_has_one_memory_of_it() -> None:
    tracker = ScriptedGraphs().tracker()
    state = tracker.start(make_frame(0), BOX)
    tracker.add_prompt(state, make_frame(0), 1, BOX)
    assert (len(remembered(state, 0)), state.frame_count) == (1, 1)
    tracker.add_prompt(state, make_frame(1), 1, BOX)
    assert (len(remembered(state, 0)), state.frame_count) == (2, 2)


def test_a_refused_prompt_takes_no_place() -> None:
    tracker = ScriptedGraphs().tracker()
    state = tracker.start(make_frame(1), BOX)
    with pytest.raises(ValueError, match="expected a stamp after 2000 ns, got 1000 ns"):
        tracker.add_prompt(state, make_frame(0), 2, BOX)
    assert state.object_ids == (1,)
    assert state.latest is not None
    assert state.latest.stamp_ns == 2000
    assert (state.latest.frame_index, state.image_hw) == (1, (48, 64))


def test_a_tracker_says_what_runs_it() -> None:
    graphs = ScriptedGraphs()
    tracker = graphs.tracker()
    assert tracker.backends == dict.fromkeys(graph_specs(FACTS), "scripted")
    assert tracker.runners == graphs.runners
    assert len(tracker.new_state().tracks) == tracker.config.max_objects


def test_the_scripted_tracker_keeps_things_where_they_were_prompted() -> None:
    tracker = ScriptedTracker(lambda stamp_ns: stamp_ns != 2000, iou_score=0.75)
    state = tracker.new_state()
    seen = tracker.add_prompt(state, make_frame(0), 4, BOX).objects[4]
    assert (seen.box_image_px, seen.area_px, seen.is_lost, seen.iou_score) == (BOX.box_image_px, 192, False, 0.75)
    assert seen.mask[12:24, 16:32].all()
    assert seen.mask.sum() == 192
    assert seen.object_score > 0
    lost = tracker.step(state, make_frame(1)).objects[4]
    assert (lost.box_image_px, lost.area_px, lost.is_lost, lost.iou_score) == (None, 0, True, 0.0)
    assert lost.object_score < 0
    assert not lost.mask.any()
    back = tracker.step(state, make_frame(2))
    assert back.objects[4].area_px == 192
    rejected = tracker.reject(state, 4)
    assert (rejected.objects[4].is_lost, rejected.objects[4].area_px, rejected.stamp_ns) == (True, 0, 3000)
    assert rejected.objects[4].box_image_px is None
    assert not rejected.objects[4].mask.any()
    assert not back.objects[4].is_lost
    assert tracker.history == [("prompt", 1000), ("step", 2000), ("step", 3000), ("reject", 3000)]


def test_the_scripted_tracker_takes_points_and_stills() -> None:
    tracker = ScriptedTracker()
    result = tracker.segment(make_frame(0), [BOX, POINT])
    assert list(result.objects) == [1, 2]
    assert result.objects[1].area_px == 192
    assert (result.objects[2].box_image_px, result.objects[2].area_px) == ((20.0, 20.0, 21.0, 21.0), 1)
    assert result.objects[2].mask[20, 20]
    assert tracker.history == [("segment", 1000)]
