"""``/diagnostics``: what a person before the robot wants to know. Reads snapshots, changes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from icseg_ros.camera import CameraCounts
from icseg_ros.speech.words import Level, SpeechStatus
from icseg_ros.traffic import TrafficFacts

OK, WARN, ERROR, STALE = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR, DiagnosticStatus.STALE
_LEVELS = {Level.OK: OK, Level.WARN: WARN, Level.ERROR: ERROR}
FAULT_SHOWN_S = 10.0
"""A fault is shown as a warning for so long."""


def status(name: str, level: bytes, message: str, values: Mapping[str, object]) -> DiagnosticStatus:
    """One status; values are written as people read them."""
    pairs = [KeyValue(key=key, value=_text(value)) for key, value in values.items()]
    return DiagnosticStatus(name=name, level=level, message=message, hardware_id="", values=pairs)


def camera_status(name: str, counts: CameraCounts | None, now_s: float, timeout_s: float) -> DiagnosticStatus:
    """The images that come in: how many, what became of them, and what is wrong with them."""
    title = f"{name}: camera"
    if counts is None:
        return status(title, STALE, "not active", {})
    values = {
        "images per second": counts.fps,
        "received": counts.received,
        "taken": counts.taken,
        "overwritten by a newer one": counts.overwritten,
        "over max_rate_hz": counts.rate_limited,
        "refused": counts.rejected,
        "last refusal": counts.last_error,
        "stamps that went back": counts.backward,
        "streams that began anew": counts.jumps,
        "encoding": counts.encoding,
        "size": f"{counts.width}x{counts.height}",
        "reliability": counts.reliability,
        "stamp to arrival ms, median": counts.latency_p50_ms,
        "stamp to arrival ms, p95": counts.latency_p95_ms,
        "incompatible QoS": counts.incompatible_qos,
    }
    silent_s = now_s - counts.last_received_monotonic if counts.received else None
    if counts.qos_error:
        return status(title, ERROR, counts.qos_error, values)
    if silent_s is None:
        return status(title, WARN, "no image came yet: is the camera running, and the topic remapped?", values)
    if silent_s > timeout_s:
        return status(title, ERROR, f"no image for {silent_s:.1f} s: is the camera running?", values)
    if counts.last_error:
        return status(title, ERROR, counts.last_error, values)
    return status(title, OK, "images come", values)


def mask_status(name: str, facts: TrafficFacts | None, state: str) -> DiagnosticStatus:
    """The masks that go out: how many, how long they took, and the last fault."""
    title = f"{name}: masks"
    if facts is None:
        return status(title, STALE, "not active", {})
    values: dict[str, object] = {
        "state": state,
        "masks": facts.masks,
        "masks per second": facts.masks_per_s,
        "images passed over": facts.dropped,
        "faults": facts.faults,
        "last fault": facts.last_fault,
        "resident memory MB": resident_mb(),
    }
    for stage, (median, p95) in facts.timings_ms.items():
        values[f"{stage} ms, median"], values[f"{stage} ms, p95"] = median, p95
    if facts.last_fault and facts.last_fault_s <= FAULT_SHOWN_S:
        return status(title, WARN, facts.last_fault, values)
    return status(title, OK, state, values)


def model_status(name: str, facts: Mapping[str, str], error: str) -> DiagnosticStatus:
    """The models: what was loaded, or why not."""
    title = f"{name}: models"
    if error:
        return status(title, ERROR, error, facts)
    return status(title, OK if facts else STALE, "loaded" if facts else "not configured", facts)


def speech_status(name: str, speech: SpeechStatus | None) -> DiagnosticStatus:
    """The speech interface: what it does, and what is wrong with it."""
    title = f"{name}: speech"
    if speech is None:
        return status(title, STALE, "not active", {})
    values = {
        "speaking": speech.is_speaking,
        "listening": speech.is_listening,
        "heard": speech.heard,
        "ignored": speech.ignored,
        "spoken": speech.spoken,
        "errors": speech.errors,
    }
    return status(title, _LEVELS[speech.level], speech.message, values)


def array(stamp: object, statuses: Sequence[DiagnosticStatus]) -> DiagnosticArray:
    """The message; ``stamp`` is the time of the report, by the node's clock."""
    message = DiagnosticArray(status=list(statuses))
    message.header.stamp = stamp
    return message


def resident_mb() -> float:
    """Resident memory of this process in MB (10^6 bytes); 0 where the system does not tell."""
    try:
        resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
        return resident_pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError, IndexError):
        return 0.0


def _text(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
