"""From samples and occurrences to the soak's result."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ros2_ws.soak.tally import MemorySamples, episode_rows, fault_rows


def samples(*levels_mb: float) -> MemorySamples:
    mb = [level for level in levels_mb for _ in range(10)]
    n = len(mb)
    return MemorySamples([float(at) for at in range(n)], mb, [20] * n, [30] * n)


def test_memory_that_fills_and_stays_is_flat() -> None:
    found = samples(100, 300, 400, 400).summary()
    assert (found["after_warm_up_mb"], found["at_the_end_mb"], found["is_flat"]) == (400, 400, True)
    assert found["threads"] == [20, 20]
    assert len(found["over_time"]) == 40


def test_memory_that_grows_is_not() -> None:
    found = samples(100, 300, 400, 430).summary()
    assert found["growth"] == pytest.approx(0.075)
    assert not found["is_flat"]


def test_a_moment_without_models_does_not_count() -> None:
    found = samples(100, 300, 400, 400)
    found.mb[-1] = 120.0
    assert found.summary()["is_flat"]


def test_too_few_samples_say_nothing() -> None:
    assert MemorySamples([1.0], [100.0], [20], [30]).summary() == {"samples": 1}


def test_one_row_a_fault() -> None:
    def came(shown: str, shown_s: float | None, recovered_s: float | None, *problems: str) -> SimpleNamespace:
        return SimpleNamespace(
            name="loops", shown=shown, shown_after_s=shown_s, recovered_after_s=recovered_s, problems=problems
        )

    fault = SimpleNamespace(what="a bag", recovers="box", shown_within_s=6.0)
    found = [came("it began anew", 1.0, 2.0), came("it began anew", 3.0, None, "masks: not within 10 s")]
    looped, unused = fault_rows(found, {"loops": fault, "stops": fault})
    assert (looped["injected"], looped["shown"], looped["recovered"]) == (2, 2, 1)
    assert looped["shown_as"] == ["it began anew"]
    assert looped["shown_after_s"] == {"median": 2.0, "max": 3.0}
    assert looped["recovered_after_s"] == {"median": 2.0, "max": 2.0}
    assert looped["problems"] == ["masks: not within 10 s"]
    assert (unused["injected"], unused["shown_after_s"]) == (0, {})


def test_episodes() -> None:
    rows = episode_rows([("box", "tracked", True), ("box", "masks: not within 15 s", False), ("stop", "idle", True)])
    assert rows["box"] == {"played": 2, "ended": {"tracked": 1}, "missed": ["masks: not within 15 s"]}
    assert rows["stop"]["played"] == 1
