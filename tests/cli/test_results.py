"""What a run leaves behind opens in the tools that others use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from icseg import events
from icseg.cli.results import ResultFolder, summarise_timings
from icseg.cli.sources import read_image
from icseg.errors import SourceError
from icseg.mask_ops.drawing import CAPTION_HEIGHT_PX, add_caption, contact_sheet, draw_objects
from icseg.types import Prompt, TrackResult
from tests.conftest import make_frame


@pytest.fixture
def result() -> TrackResult:
    from icseg.tracker.scripted import ScriptedTracker

    tracker = ScriptedTracker()
    return tracker.add_prompt(tracker.new_state(), make_frame(0), 1, Prompt((10, 5, 30, 25)))


def test_masks_json_is_coco(tmp_path: Path, result: TrackResult) -> None:
    results = ResultFolder(tmp_path, "the mug", 15, is_image=False)
    results.add_frame(make_frame(0), result, "the mug")
    results.add_frame(make_frame(1), None, "the mug")
    results.finish({"command": "the mug"})
    coco = json.loads((tmp_path / "masks.json").read_text())
    assert [image["id"] for image in coco["images"]] == [0, 1]
    (annotation,) = coco["annotations"]
    decoded = coco_mask.decode(annotation["segmentation"])
    assert np.array_equal(decoded.astype(bool), result.objects[1].mask)
    assert annotation["bbox"] == list(coco_mask.toBbox(annotation["segmentation"]))
    assert annotation["area"] == coco_mask.area(annotation["segmentation"])
    png = read_image(tmp_path / "masks" / "000000.png")
    assert np.array_equal(png[:, :, 0] > 0, result.objects[1].mask)


def test_transcript_tells_the_dialogue_and_timings_their_spread(tmp_path: Path, result: TrackResult) -> None:
    results = ResultFolder(tmp_path, "the mug", 15, is_image=True)
    results.add_frame(make_frame(0), result, "")
    results.log += [
        events.Asked(
            0, "Red or blue?", ("red", "blue"), timings_ms={"response": 12.0}, rates_per_s={"tokens": 30.12345}
        ),
        events.Targeted(0, Prompt((1.0, 2.0, 3.0, 4.0)), rates_per_s={"tokens": 40.0}),
        events.Answered(0, "red"),
        events.Corrected(0, Prompt((1.0, 2.0, 3.0, 4.0), ((2.0, 3.0),), (1,))),
        events.Mistaken(0, "the blue box"),
        events.Tracked(0, result, True, 0, timings_ms={"image_encoder": 10.0, "mask_decoder": 2.0}),
    ]
    results.finish({"command": "the mug"})
    transcript = json.loads((tmp_path / "transcript.json").read_text())
    assert [row["event"] for row in transcript["events"]] == ["Asked", "Targeted", "Answered", "Corrected", "Mistaken"]
    assert transcript["events"][0]["rates_per_s"] == {"tokens": 30.123}
    assert transcript["events"][3]["prompt"]["box_image_px"] == [1.0, 2.0, 3.0, 4.0]
    timings = json.loads((tmp_path / "timings.json").read_text())
    assert timings["Tracked"]["total"] == {"median_ms": 12.0, "p95_ms": 12.0, "n": 1}
    assert timings["Asked"] == {
        "response": {"median_ms": 12.0, "p95_ms": 12.0, "n": 1},
        "tokens_per_s": {"median": 30.123, "n": 1},
    }
    assert timings["Targeted"] == {"tokens_per_s": {"median": 40.0, "n": 1}}
    assert (tmp_path / "overlay.png").is_file()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match=r"cannot write to .*file"):
        ResultFolder(tmp_path / "file", "the mug", 15, is_image=False)


def test_overlay_changes_the_mask_and_nothing_far_from_it(result: TrackResult) -> None:
    frame = make_frame(0)
    picture = draw_objects(frame.image, list(result.objects.values()))
    assert (picture[10:20, 15:25] != frame.image[10:20, 15:25]).any(axis=2).all()
    assert np.array_equal(picture[30:], frame.image[30:])


def test_caption_of_any_length_keeps_the_width() -> None:
    picture = add_caption(make_frame(0).image, "which of the very many mugs on this table do you mean? " * 5)
    assert picture.shape == (48 + CAPTION_HEIGHT_PX, 64, 3)


def test_contact_sheet_is_a_grid() -> None:
    pictures = [make_frame(0).image] * 5
    assert contact_sheet(pictures, columns=4, width_px=64).shape == (96, 256, 3)
    with pytest.raises(ValueError, match="at least one picture"):
        contact_sheet([])


def test_timings_of_nothing_are_empty() -> None:
    assert summarise_timings([]) == {}
