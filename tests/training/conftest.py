"""The training scripts lie beside the package, not in it, and need the extra ``train``."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
collect_ignore_glob = [] if find_spec("torch") and find_spec("safetensors") else ["test_*.py"]
