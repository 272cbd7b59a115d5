"""The double of an engine keeps the seam's promise and no more: outputs are valid until the next run."""

from __future__ import annotations

import numpy as np

from icseg.inference.runner import TensorSpec
from icseg.inference.runner_scripted import ScriptedRunner

INPUTS = {"x": TensorSpec((2,), "float32")}
OUTPUTS = {"y": TensorSpec((2,), "float32"), "n": TensorSpec((1,), "int32"), "is_y": TensorSpec((2,), "bool")}


def test_outputs_are_spoilt_by_the_next_run() -> None:
    shared = np.ones(2, np.float32)
    runner = ScriptedRunner(
        INPUTS, OUTPUTS, lambda feeds: {"y": shared, "n": np.array([3], np.int32), "is_y": feeds["x"] > 0}
    )
    first = runner.run({"x": np.array([1, -1], np.float32)})
    kept = {name: value.copy() for name, value in first.items()}
    assert kept["y"].tolist() == [1, 1]
    second = runner.run({"x": np.array([1, -1], np.float32)})
    assert np.isnan(first["y"]).all()
    assert first["n"].tolist() == [np.iinfo(np.int32).min]
    assert first["is_y"].tolist() == [False, True]
    assert all(np.array_equal(second[name], kept[name]) for name in OUTPUTS)
    assert shared.tolist() == [1, 1]  # the script's own arrays are its own
    assert runner.run_count == 2


def test_an_output_may_be_fed_to_the_next_run() -> None:
    runner = ScriptedRunner(INPUTS, {"x": INPUTS["x"]}, lambda feeds: {"x": feeds["x"] + 1})
    once = runner.run({"x": np.zeros(2, np.float32)})
    assert runner.run(once)["x"].tolist() == [2, 2]
