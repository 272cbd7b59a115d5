"""The tracker's own logic over scripted graphs: what is remembered, prompts in mid-stream, harmless refusals."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scripted_graphs import FACTS, NANO, SIZE, ScriptedGraphs, make_frame

from icseg.assets import nano_models
from icseg.errors import BackendError, ConfigError
from icseg.evaluation.metrics import jaccard
from icseg.mask_ops import native, reference
from icseg.mask_ops.image_input import normalise_image
from icseg.mask_ops.mask_ops import choose_mask_ops
from icseg.sim.clip_file import SHIPPED_CLIP, load_clip
from icseg.tracker.graphs import (
    IMAGE_ENCODER,
    LABEL_NOT_A_POINT,
    LABEL_PADDING,
    MASK_DECODER,
    MEMORY_ATTENTION,
    MEMORY_ENCODER,
)
from icseg.tracker.inputs import prompt_tokens
from icseg.tracker.loading import load_tracker
from icseg.tracker.pieces import Pieces
from icseg.tracker.state import TrackerConfig, TrackState
from icseg.types import Frame, Prompt, TrackResult
from icseg.window import Window

BOX = Prompt((16.0, 12.0, 32.0, 24.0))
POINT = Prompt(points_image_px=((20.0, 20.0),), point_labels=(1,))


def attended(state: TrackState, place: int = 0) -> int:
    return int((state.tracks[place].bank.attend().memory_mask == 0).sum())


def test_result_is_at_the_frames_size() -> None:
    state = ScriptedGraphs().tracker().start(make_frame(0), BOX, object_id=7)
    assert state.latest is not None
    result = state.latest.objects[7]
    assert result.mask.shape == (48, 64)
    assert result.mask.dtype == np.bool_
    assert not result.is_lost
    assert result.area_px == result.mask.sum()
    assert result.box_image_px == pytest.approx((16, 12, 32, 24), abs=2)
    assert set(state.latest.timings_ms) == {
        "preprocess",
        "image_encoder",
        "memory_attention",
        "mask_decoder",
        "memory_encoder",
        "postprocess",
    }


def test_things_in_a_still_are_segmented_as_prompts_would_be_without_memory() -> None:
    graphs = ScriptedGraphs()
    tracker = graphs.tracker()
    result = tracker.segment(make_frame(3), [BOX, POINT])
    assert graphs.runners[IMAGE_ENCODER].run_count == 2
    assert graphs.runners[MEMORY_ENCODER].run_count == 0
    assert (result.stamp_ns, list(result.objects)) == (make_frame(3).stamp_ns, [1, 2])
    for number, prompt in enumerate((BOX, POINT), 1):
        alone = tracker.start(make_frame(3), prompt).latest
        assert alone is not None
        assert np.array_equal(result.objects[number].mask, alone.objects[1].mask)
    assert tracker.segment(make_frame(3), []).objects == {}


def test_prompted_frames_use_no_memory_and_are_binarised() -> None:
    graphs = ScriptedGraphs()
    tracker = graphs.tracker()
    state = tracker.start(make_frame(0), BOX)
    assert graphs.runners[MEMORY_ATTENTION].run_count == 0
    assert graphs.feeds[MASK_DECODER]["lacks_memory"] == 1
    assert graphs.feeds[MEMORY_ENCODER]["binarize"] == 1
    tracker.step(state, make_frame(1))
    assert graphs.runners[MEMORY_ATTENTION].run_count == 1
    assert graphs.feeds[MASK_DECODER]["lacks_memory"] == 0
    assert graphs.feeds[MEMORY_ENCODER]["binarize"] == 0


def test_a_lost_object_is_a_result_and_is_not_remembered() -> None:
    graphs = ScriptedGraphs()
    tracker = graphs.tracker()
    state = tracker.start(make_frame(0), BOX)
    lost = tracker.step(state, make_frame(1, is_visible=False)).objects[1]
    assert lost.is_lost
    assert lost.box_image_px is None
    assert not lost.mask.any()
    assert lost.object_score < 0
    assert attended(state) == 1
    assert graphs.runners[MEMORY_ENCODER].run_count == 1
    assert not tracker.step(state, make_frame(2)).objects[1].is_lost
    assert attended(state) == 2


def test_doubtful_masks_are_not_remembered() -> None:
    graphs = ScriptedGraphs()
    tracker = graphs.tracker(replace(NANO, write_min_iou=0.6))
    state = tracker.start(make_frame(0), BOX)
    graphs.iou_score = 0.5
    tracker.step(state, make_frame(1))
    assert attended(state) == 1


def test_scraps_of_an_absent_object_are_not_shown_but_what_a_person_points_at_is() -> None:
    graphs = ScriptedGraphs()
    tracker = graphs.tracker(replace(NANO, visible_min_iou=0.4))
    graphs.iou_score = 0.3
    state = tracker.start(make_frame(0), BOX)
    assert state.latest is not None
    assert not state.latest.objects[1].is_lost
    scrap = tracker.step(state, make_frame(1)).objects[1]
    assert (scrap.is_lost, scrap.area_px, scrap.box_image_px) == (True, 0, None)
    assert scrap.object_score > 0
    graphs.iou_score = 0.5
    assert not tracker.step(state, make_frame(2)).objects[1].is_lost


def test_a_rejected_object_is_lost_and_only_its_prompts_are_remembered() -> None:
    tracker = ScriptedGraphs().tracker()
    state = tracker.start(make_frame(0), BOX, object_id=4)
    tracker.step(state, make_frame(1))
    seen = tracker.step(state, make_frame(2))
    assert attended(state) == 3
    result = tracker.reject(state, 4)
    assert result is state.latest
    assert (result.objects[4].is_lost, result.objects[4].mask.any(), result.stamp_ns) == (True, False, seen.stamp_ns)
    assert not seen.objects[4].is_lost  # what was handed out stays as it was
    assert attended(state) == 1
    assert not tracker.step(state, make_frame(3)).objects[4].is_lost
    assert attended(state) == 2
    with pytest.raises(ValueError, match=r"object 9: expected one of \[4\]"):
        tracker.reject(state, 9)


def looks_like(state: TrackState) -> dict[str, object]:
    """Everything that a state knows: the fields of it and of its places, and what each bank attends to."""
    places = []
    for track in state.tracks:
        known = {name: getattr(track, name) for name in track.__slots__ if name != "bank"}
        known["bank"] = [] if track.bank.is_empty else [a.tolist() for a in track.bank.attend().as_feeds().values()]
        known["before"] = None if track.before is None else track.before.tolist()
        places.append(known)
    return {name: getattr(state, name) for name in state.__slots__ if name != "tracks"} | {"tracks": places}


def test_a_state_that_was_kept_goes_on_as_if_nothing_had_come_since() -> None:
    tracker = ScriptedGraphs().tracker()
    state, kept = tracker.start(make_frame(0), BOX, object_id=4), tracker.new_state()
    tracker.add_prompt(kept, make_frame(7), 9, POINT)  # what it knew is forgotten
    tracker.add_prompt(kept, make_frame(7), 8, POINT)
    tracker.step(state, make_frame(1))
    tracker.copy_state(state, kept)
    then = looks_like(kept)
    assert then == looks_like(state)
    assert then["tracks"][0]["window"] is not None
    tracker.step(state, make_frame(2))
    tracker.reject(state, 4)
    assert looks_like(kept) == then
    tracker.step(kept, make_frame(3))
    straight = tracker.start(make_frame(0), BOX, object_id=4)
    tracker.step(straight, make_frame(1))
    tracker.step(straight, make_frame(3))
    assert looks_like(kept)["tracks"] == looks_like(straight)["tracks"]
    with pytest.raises(ValueError, match="expected the same capacity"):
        tracker.copy_state(state, ScriptedGraphs().tracker(TrackerConfig(max_objects=1)).new_state())


def test_the_shipped_model_goes_back_bit_by_bit() -> None:
    frames = [sim.frame for sim in itertools.islice(load_clip(SHIPPED_CLIP), 12)]
    first = next(iter(load_clip(SHIPPED_CLIP)))
    box = next(box for number in first.things if (box := first.box_image_px(number)) is not None)
    tracker = load_tracker(nano_models() / "segmenter", threads=1)
    state, kept = tracker.start(frames[0], Prompt(box)), tracker.new_state()
    for frame in frames[1:6]:
        tracker.step(state, frame)
    tracker.copy_state(state, kept)
    straight = [tracker.step(state, frame).objects[1] for frame in frames[6:]]
    again = [tracker.step(kept, frame).objects[1] for frame in frames[6:]]
    for one, other in zip(straight, again, strict=True):
        assert np.array_equal(one.mask, other.mask)
        assert one.mask.any()
        assert (one.iou_score, one.object_score) == (other.iou_score, other.object_score)


def test_keeping_a_state_allocates_nothing() -> None:
    tracker = ScriptedGraphs().tracker()
    state, kept = tracker.start(make_frame(0), BOX), tracker.new_state()
    tracker.copy_state(state, kept)
    tracemalloc.start()
    for _ in range(100):
        tracker.copy_state(state, kept)
    left, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (left < 2_000, peak < 10_000) == (True, True)


def test_specks_are_left_out_and_pieces_stay() -> None:
    logits = np.full((20, 20), -3.0, np.float32)
    logits[2:12, 2:12] = 5.0  # 100
    logits[2:12, 14:16] = 4.0  # a piece of 20, seen past something in front
    logits[18, 18] = 2.0  # a speck
    clean = Pieces.of(logits, native).without_specks(0.1).kept_logits
    assert (clean > 0).sum() == 120
    assert clean[18, 18] == -2.0
    assert Pieces.of(clean, native).without_specks(0.1).kept_logits is clean
    empty = np.full((4, 4), -1.0, np.float32)
    assert Pieces.of(empty, native).without_specks(0.5).kept_logits is empty


def test_a_prompt_that_shows_nothing_leaves_no_size_to_measure_by() -> None:
    tracker = ScriptedGraphs().tracker()
    state = tracker.start(make_frame(0, is_visible=False), BOX)
    assert state.latest is not None
    assert state.latest.objects[1].is_lost
    assert state.tracks[0].extent is None
    assert not tracker.step(state, make_frame(1)).objects[1].is_lost
    assert attended(state) == 2


@pytest.mark.parametrize(("config", "area"), [(replace(NANO, window_scale=100), 8 * 12), (TrackerConfig(), 16 * 12)])
def test_a_prompted_mask_stays_in_its_box(config: TrackerConfig, area: int) -> None:
    # the bright block is 16 px wide, and a cell 8; the box says that the left half is enough
    graphs = ScriptedGraphs()
    state = graphs.tracker(config).start(make_frame(0), Prompt((8.0, 12.0, 19.0, 24.0)))
    assert state.latest is not None
    assert state.latest.objects[1].area_px == pytest.approx(area, abs=20)
    assert (graphs.feeds[MEMORY_ENCODER]["mask_logits"] > 0).sum() == (2 if config.box_slack < 1 else 4)


def test_a_thing_is_looked_at_through_a_window_that_follows_it() -> None:
    graphs = ScriptedGraphs()
    tracker = graphs.tracker()
    hw = (96, 128)

    def frame(index: int, left: int) -> Frame:
        image = np.zeros((*hw, 3), np.uint8)
        image[20:28, left : left + 8] = 255
        return Frame(image, stamp_ns=(index + 1) * 1000, index=index)

    state = tracker.start(frame(0, 20), Prompt((20.0, 20.0, 28.0, 28.0)))
    window = state.tracks[0].window
    assert window is not None
    assert (window.width, window.height) == (32, 24)
    for index, left in enumerate(range(24, 80, 4), 1):
        found = tracker.step(state, frame(index, left)).objects[1]
        assert not found.is_lost
        assert found.mask.shape == hw
        assert found.box_image_px == pytest.approx((left, 20, left + 8, 28), abs=3)
    followed = state.tracks[0].window
    assert followed is not None
    assert (followed.width, followed.height) == (32, 24)
    assert followed.left > 50
    # out of sight, it is waited for where it was
    assert tracker.step(state, frame(20, 4)).objects[1].is_lost
    assert state.tracks[0].window == followed


def test_without_a_box_or_a_scale_the_whole_image_is_looked_at() -> None:
    graphs = ScriptedGraphs()
    for tracker, prompt in ((graphs.tracker(), POINT), (graphs.tracker(TrackerConfig()), BOX)):
        state = tracker.start(make_frame(0), prompt)
        tracker.step(state, make_frame(1))
        assert state.tracks[0].window is None
        expected = normalise_image(make_frame(1).image, SIZE, (0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
        assert np.array_equal(graphs.feeds[IMAGE_ENCODER]["image"], expected)


def test_sam2s_own_memory_holds_everything() -> None:
    graphs = ScriptedGraphs()
    tracker = graphs.tracker(TrackerConfig())
    graphs.iou_score = 0.0
    state = tracker.start(make_frame(0), BOX)
    tracker.step(state, make_frame(1, is_visible=False))
    assert attended(state) == 2


def test_prompting_the_latest_frame_again_replaces_its_memory() -> None:
    tracker = ScriptedGraphs().tracker()
    state = tracker.start(make_frame(0), BOX)
    tracker.step(state, make_frame(1))
    tracker.add_prompt(state, make_frame(1), 1, POINT)
    assert attended(state) == 2
    view = state.tracks[0].bank.attend()
    assert sorted(view.memory_temporal_index[view.memory_mask == 0]) == [6, 6]
    assert state.frame_count == 2


def test_a_prompt_in_a_new_frame_tracks_the_others() -> None:
    graphs = ScriptedGraphs()
    tracker = graphs.tracker()
    state = tracker.start(make_frame(0), BOX, object_id=5)
    result = tracker.add_prompt(state, make_frame(1), 3, POINT)
    assert list(result.objects) == [3, 5]
    assert attended(state, 0) == 2
    assert attended(state, 1) == 1
    # both answers belong to the same frame, and a further prompt in it keeps the other's answer
    again = tracker.add_prompt(state, make_frame(1), 3, BOX)
    assert again.objects[5] is result.objects[5]


def test_removed_objects_free_their_place() -> None:
    tracker = ScriptedGraphs().tracker(replace(NANO, max_objects=1))
    state = tracker.start(make_frame(0), BOX, object_id=1)
    with pytest.raises(ValueError, match="at most 1 objects at once, already tracking \\[1\\]"):
        tracker.add_prompt(state, make_frame(1), 2, BOX)
    tracker.remove(state, 1)
    assert list(tracker.add_prompt(state, make_frame(1), 2, BOX).objects) == [2]
    with pytest.raises(ValueError, match=r"object 1: expected one of \[2\]"):
        tracker.remove(state, 1)


def test_frames_without_objects_cost_nothing() -> None:
    graphs = ScriptedGraphs()
    tracker = graphs.tracker()
    state = tracker.new_state()
    assert tracker.step(state, make_frame(0)).objects == {}
    assert all(runner.run_count == 0 for runner in graphs.runners.values())


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (make_frame(2, hw=(40, 64)), r"expected height and width \(48, 64\) as before in this stream, got \(40, 64\)"),
        (make_frame(0), "expected a stamp after 2000 ns, got 1000 ns"),
        (make_frame(1), "expected a stamp after 2000 ns, got 2000 ns"),
    ],
)
def test_frames_that_do_not_follow_are_refused_and_harm_nothing(frame, message: str) -> None:
    tracker = ScriptedGraphs().tracker()
    state = tracker.start(make_frame(0), BOX)
    latest = tracker.step(state, make_frame(1))
    with pytest.raises(ValueError, match=message):
        tracker.step(state, frame)
    assert state.latest is latest
    assert attended(state) == 2
    tracker.step(state, make_frame(3))


@pytest.mark.parametrize("graph", [MEMORY_ATTENTION, MASK_DECODER, MEMORY_ENCODER])
def test_an_engine_that_fails_harms_no_object(graph: str) -> None:
    graphs = ScriptedGraphs()
    tracker = graphs.tracker()
    state = tracker.start(make_frame(0), BOX)
    latest = tracker.add_prompt(state, make_frame(1), 2, BOX)
    before = [attended(state, place) for place in (0, 1)]
    graphs.fails = graph
    with pytest.raises(BackendError):
        tracker.step(state, make_frame(2))
    assert state.latest is latest
    assert [attended(state, place) for place in (0, 1)] == before
    graphs.fails = None
    tracker.step(state, make_frame(2))


def test_memory_is_bounded_in_an_endless_stream() -> None:
    tracker = ScriptedGraphs().tracker()
    state = tracker.start(make_frame(0), BOX)
    for index in range(1, 30):
        tracker.step(state, make_frame(index))
    tracemalloc.start()
    for index in range(30, 60):
        tracker.step(state, make_frame(index))
    settled, _ = tracemalloc.get_traced_memory()
    for index in range(60, 360):
        tracker.step(state, make_frame(index))
    later, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert later - settled < 20_000
    assert attended(state) == 7


def test_box_and_points_stand_in_one_prompt() -> None:
    prompt = Prompt((10.0, 20.0, 30.0, 40.0), ((12.0, 24.0), (64.0, 48.0)), (1, 0))
    tokens = prompt_tokens(prompt, (48, 64), SIZE, FACTS.prompt_tokens)
    assert tokens["point_labels"].tolist() == [[2, 3, 1, 0, LABEL_NOT_A_POINT, LABEL_PADDING]]
    np.testing.assert_allclose(tokens["point_coords"][0, 3], (32, 32))
    np.testing.assert_allclose(tokens["point_coords"][0, 0], (5, 20 * 32 / 48))
    nothing = prompt_tokens(None, (48, 64), SIZE, FACTS.prompt_tokens)
    assert nothing["point_labels"].tolist() == [[LABEL_NOT_A_POINT] * 2 + [LABEL_PADDING] * 4]


def test_a_prompt_with_too_many_points_is_refused() -> None:
    prompt = Prompt(None, ((1.0, 1.0),) * 6, (1,) * 6)
    with pytest.raises(ValueError, match="expected at most 5 points"):
        ScriptedGraphs().tracker().start(make_frame(0), prompt)


@pytest.mark.parametrize("hw", [(1, 1), (7, 300), (32, 32), (200, 100)])
def test_images_of_any_size_are_normalised(hw: tuple[int, int]) -> None:
    image = np.full((*hw, 3), (255, 0, 51), np.uint8)
    planes = normalise_image(image, SIZE, (0.5, 0.25, 0.2), (0.5, 0.5, 1.0))
    assert planes.shape == (1, 3, SIZE, SIZE)
    assert planes.dtype == np.float32
    np.testing.assert_allclose(planes.mean(axis=(0, 2, 3)), (1.0, -0.5, 0.0), atol=1e-5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_objects": 0}, "tracker.max_objects: expected an integer 1..64, got 0"),
        ({"conditioning_slots": 17}, "tracker.conditioning_slots: expected an integer 1..16, got 17"),
        ({"write_min_iou": 1.5}, "tracker.write_min_iou: expected a number 0..1, got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrackerConfig(**values)


def test_the_shipped_model_draws_small_things_better_through_windows() -> None:
    sim = next(iter(load_clip(SHIPPED_CLIP)))
    # the same picture seen from farther away: on a wider, empty table
    wide = np.full((960, 1280, 3), 128, np.uint8)
    wide[240:720, 320:960] = sim.frame.image
    truths, prompts = [], []
    for number in sim.things:
        if (box := sim.box_image_px(number)) is None:
            continue
        truth = np.zeros(wide.shape[:2], np.bool_)
        truth[240:720, 320:960] = sim.mask(number)
        truths.append(truth)
        prompts.append(Prompt((box[0] + 320, box[1] + 240, box[2] + 320, box[3] + 240)))
    mean_j = {}
    for scale in (3.0, 100.0):
        tracker = load_tracker(nano_models() / "segmenter", threads=1, config=replace(NANO, window_scale=scale))
        found = tracker.segment(Frame(wide, 0, 0), prompts).objects.values()
        mean_j[scale] = np.mean([jaccard(one.mask, truth) for one, truth in zip(found, truths, strict=True)])
    assert mean_j[3.0] > mean_j[100.0] + 0.05


def moving_frame(index: int) -> Frame:
    """A bright thing that wanders and grows, and something beside it that comes and goes."""
    image = np.zeros((96, 128, 3), np.uint8)
    image[20 + index : 30 + 2 * index, 20 + 4 * index : 32 + 5 * index] = 200
    if index % 3 == 2:
        image[60:64, 20 + 4 * index : 24 + 4 * index] = 150
    return Frame(image, stamp_ns=(index + 1) * 1000, index=index)


@pytest.mark.parametrize("config", [NANO, TrackerConfig()], ids=["gates and windows", "SAM 2's own memory"])
def test_both_twins_of_the_mask_operations_give_the_same_results(
    config: TrackerConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    results: dict[str, list[TrackResult]] = {}
    for name in ("native", "reference"):
        graphs = ScriptedGraphs()
        tracker = graphs.tracker(config, choose_mask_ops(name))  # type: ignore[arg-type]
        with monkeypatch.context() as patch:
            if name == "reference":
                for operation in ("connected_components", "mask_box_area", "upsample_threshold"):
                    patch.setattr(native, operation, None)  # nothing of the other twin is used
            state = tracker.start(moving_frame(0), Prompt((20.0, 20.0, 32.0, 30.0)))
            tracker.add_prompt(state, moving_frame(1), 2, POINT)
            results[name] = [tracker.step(state, moving_frame(index)) for index in range(2, 9)]
        memory = state.tracks[0].bank.attend().memory_features
        assert np.isfinite(memory).all()
    assert any(not one.objects[1].is_lost for one in results["native"])
    for ours, theirs in zip(results["native"], results["reference"], strict=True):
        for object_id, found in ours.objects.items():
            other = theirs.objects[object_id]
            assert np.array_equal(found.mask, other.mask)
            assert (found.box_image_px, found.area_px, found.is_lost) == (
                other.box_image_px,
                other.area_px,
                other.is_lost,
            )


def test_mask_operations_are_chosen_by_name() -> None:
    assert choose_mask_ops("native") is native
    assert choose_mask_ops("reference") is reference
    with pytest.raises(ConfigError, match="mask_ops: expected native or reference, got 'cuda'"):
        choose_mask_ops("cuda")  # type: ignore[arg-type]
    assert load_tracker(nano_models() / "segmenter", threads=1).mask_ops is native
    assert load_tracker(nano_models() / "segmenter", threads=1, mask_ops="reference").mask_ops is reference


def test_what_is_remembered_of_each_thing_is_its_own() -> None:
    """The memory encoder runs once a thing in a frame, and its outputs are good until the next run only."""
    graphs = ScriptedGraphs()
    tracker = graphs.tracker(TrackerConfig())
    state = tracker.start(make_frame(0), BOX, object_id=1)
    tracker.add_prompt(state, make_frame(1), 2, POINT)
    tracker.step(state, make_frame(2))
    for track, held in zip(state.tracks, (3, 2), strict=False):
        view = track.bank.attend()
        is_held = view.memory_mask == 0
        assert is_held.sum() == held
        assert (view.memory_features[is_held] == 1).all()
        assert (view.object_pointers[view.pointer_mask == 0] == 1).all()


FINE = replace(FACTS, image_size=128)
"""32 cells a side: a few pixels each of the pictures below."""


def bright_frame(index: int, x0: int, y0: int, x1: int, y1: int) -> Frame:
    """(192, 256), bright in a box."""
    image = np.zeros((192, 256, 3), np.uint8)
    image[y0:y1, x0:x1] = 255
    return Frame(image, stamp_ns=(index + 1) * 1000, index=index)


def test_what_a_thing_is_compared_with_follows_its_window() -> None:
    """Its mask and its extent are kept in cells of the window through which the next frame is seen."""
    tracker = ScriptedGraphs(FINE).tracker()
    state = tracker.start(bright_frame(0, 40, 40, 72, 64), Prompt((40.0, 40.0, 72.0, 64.0)))
    place = state.tracks[0]
    assert place.window == Window(8, 16, 96, 72)
    tracker.step(state, bright_frame(1, 60, 40, 92, 64))
    assert place.window == Window(28, 16, 96, 72)  # it moved with the thing, by 20 pixels
    assert place.before is not None
    rows, cols = np.nonzero(place.before)
    # cells of 3 x 2.25 pixels, rounded to the nearest
    assert (cols.min(), cols.max() + 1) == pytest.approx((32 / 3, 64 / 3), abs=1)
    assert (rows.min(), rows.max() + 1) == pytest.approx((24 / 2.25, 48 / 2.25), abs=1)
    # prompted as something twice as large, it is seen through a window twice as large: as many cells as before
    tracker.add_prompt(state, bright_frame(2, 60, 40, 124, 88), 1, Prompt((60.0, 40.0, 124.0, 88.0)))
    assert place.window is not None
    assert (place.window.width, place.window.height) == (192, 144)
    assert place.extent is not None
    assert (place.extent.width, place.extent.height) == pytest.approx((64 / 6, 48 / 4.5), abs=1)
    # what was prompted too large shrinks to what was found, in cells of the closer window
    tracker.add_prompt(state, bright_frame(3, 60, 40, 92, 64), 1, Prompt((60.0, 40.0, 124.0, 88.0)))
    assert place.window is not None
    assert place.window.width < 110
    assert place.extent is not None
    cell_px = place.window.width / 32
    assert place.extent.width == pytest.approx(32 / cell_px, abs=2)
    assert place.extent.area == pytest.approx(32 * 24 / (cell_px * place.window.height / 32), rel=0.25)


@pytest.mark.parametrize(
    ("whole", "half"),
    [((100, 80, 160, 100), (100, 80, 130, 100)), ((100, 60, 120, 105), (100, 60, 120, 83))],
    ids=["wide", "high"],
)
def test_a_half_hidden_thing_is_looked_for_as_large_as_ever(
    whole: tuple[int, int, int, int], half: tuple[int, int, int, int]
) -> None:
    tracker = ScriptedGraphs(FINE).tracker()
    state = tracker.start(bright_frame(0, *whole), Prompt(tuple(map(float, whole))))  # type: ignore[arg-type]
    place = state.tracks[0]
    assert place.window is not None
    size = place.window.width
    assert size == 180
    for index in range(1, 4):
        assert not tracker.step(state, bright_frame(index, *half)).objects[1].is_lost
        assert place.window.width == size
        assert place.extent is not None
