"""Which code a stage of a build ran with."""

from __future__ import annotations

import hashlib
from pathlib import Path

_FOLDER = Path(__file__).parent


def code_fingerprint(*patterns: str) -> str:
    """SHA-256 over source files: a stage is done again when its code changed.

    Args:
        patterns: of files in this folder, such as ``graph/half_*.py``.

    Raises:
        ValueError: there is no file of one of the patterns: a change there would go unnoticed.
    """
    digest = hashlib.sha256()
    found = {pattern: set(_FOLDER.glob(pattern)) for pattern in patterns}
    if missing := [pattern for pattern, files in found.items() if not files]:
        raise ValueError(f"code_fingerprint: expected files in {_FOLDER.name}/, got none for {', '.join(missing)}")
    for path in sorted(set().union(*found.values())):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
