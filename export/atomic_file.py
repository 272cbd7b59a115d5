"""Files that are whole or not there: a full disk or a crash leaves what was there before."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, content: bytes | bytearray | memoryview) -> None:
    """Write a file beside its place and move it there when it is whole and on the disk.

    Raises:
        OSError: it cannot be written; what was at ``path`` is as it was, and nothing is left beside it.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
