"""The node with its own ``main``, and a file with every image and mask that went through it when it ends.

    python benchmarks/ros_timed_node.py OUT.json --ros-args ...

Times are ``time.monotonic()``, which all processes of a Linux machine share.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from icseg import events
from icseg_ros.camera import Taken
from icseg_ros.main import main
from icseg_ros.node import ClarifySegmentNode
from icseg_ros.traffic import Traffic


class TimedTraffic(Traffic):
    """Keeps a row for every image and every mask.

    Attributes:
        images: stamp -> when it came (s), ms in the slot, ms of conversion.
        masks: stamp_ns, is_live, ms by stage of the session and of the publishing, and when all was published (s).
    """

    def __init__(self) -> None:
        super().__init__()
        self.images: dict[int, tuple[float, float, float]] = {}
        self.masks: list[dict[str, Any]] = []

    def took(self, taken: Taken) -> None:
        """An image was taken up."""
        self.images[taken.frame.stamp_ns] = (taken.received_at, taken.wait_ms, taken.convert_ms)
        super().took(taken)

    def published(self, event: events.Tracked, publishing_ms: Mapping[str, float]) -> None:
        """A mask went out."""
        row = {"stamp_ns": event.stamp_ns, "is_live": event.is_live, "published_at": time.monotonic()}
        self.masks.append(row | {"stages_ms": dict(event.timings_ms), "publishing_ms": dict(publishing_ms)})
        super().published(event, publishing_ms)


class TimedNode(ClarifySegmentNode):
    """Writes its rows when it is closed."""

    def __init__(self, out: Path) -> None:
        self._out, self._rows = out, TimedTraffic()
        super().__init__(traffic=lambda: self._rows)

    def close(self) -> None:
        """As the node's own."""
        counts = asdict(self.parts.camera.counts()) if self.parts is not None else {}
        super().close()
        self._out.write_text(json.dumps({"camera": counts, "images": self._rows.images, "masks": self._rows.masks}))


if __name__ == "__main__":
    sys.exit(main(sys.argv[2:], lambda: TimedNode(Path(sys.argv[1]))))
