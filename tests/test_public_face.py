"""What ``icseg`` itself offers, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import icseg


def test_it_offers_what_a_program_needs_and_nothing_else() -> None:
    assert dir(icseg) == ["Frame", "Session", "__version__", "events", "open_session"]
    assert all(getattr(icseg, name) is not None for name in dir(icseg))
    with pytest.raises(AttributeError, match="has no attribute 'Tracker'; it offers Frame, Session, events, open_sess"):
        _ = icseg.Tracker


def test_the_package_alone_loads_nothing() -> None:
    code = "import sys, icseg; print([m for m in ('numpy', 'cv2', 'onnxruntime') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == "[]\n"
