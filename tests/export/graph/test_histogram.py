"""Thresholds of a distribution, whatever the order in which its values come."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.graph.histogram import BINS, METHODS, MIN_THRESHOLD, Histogram, Method


def histogram_of(*parts: np.ndarray) -> Histogram:
    histogram = Histogram()
    for part in parts:
        histogram.add(part)
    return histogram


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60), st.integers(1, 5))
def test_no_value_is_lost_and_max_is_the_largest(values: list[float], cuts: int) -> None:
    array = np.array(values, np.float32)
    histogram = histogram_of(*np.array_split(array, cuts))
    assert histogram.counts.sum() == array.size
    assert histogram.threshold("max") == max(float(np.abs(array).max()), MIN_THRESHOLD)
    assert histogram.top >= histogram.largest


@pytest.mark.parametrize("method", METHODS)
def test_thresholds_are_within_the_values(method: Method) -> None:
    values = np.random.default_rng(0).standard_normal(20_000).astype(np.float32)
    threshold = histogram_of(values).threshold(method)
    assert 1.0 < threshold <= np.abs(values).max()


@pytest.mark.parametrize("method", ["percentile", "entropy"])
def test_an_outlier_is_clipped(method: Method) -> None:
    values = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    values[7] = 100.0
    assert histogram_of(values[:1000], values[1000:]).threshold(method) < 12
    assert histogram_of(values).threshold("max") == 100


def test_percentile_keeps_its_share() -> None:
    values = np.linspace(0, 1, 100_001, dtype=np.float32)
    assert histogram_of(values).threshold("percentile") == pytest.approx(0.9999, abs=2 / BINS)


@pytest.mark.parametrize("method", METHODS)
def test_nothing_but_zeros(method: Method) -> None:
    assert histogram_of(np.zeros(5, np.float32)).threshold(method) == MIN_THRESHOLD
    assert histogram_of(np.zeros(5, np.float32), np.ones(5, np.float32)).threshold("max") == 1


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        Histogram().add(np.array([1.0, value], np.float32))
