"""Which code a stage of a build ran with."""

from __future__ import annotations

import hashlib
from pathlib import Path


def code_fingerprint(*patterns: str) -> str:
    """SHA-256 over source files of this folder: a stage is done again when its code changed."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
