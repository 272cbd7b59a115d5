"""How masks are drawn, as icseg_overlay reads it, on the GPU; what was asked for before is there already."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import numpy.typing as npt

from icseg.inference.device_memory import DeviceArray, DevicePool, DeviceStream
from icseg.mask_ops.cuda.ranges import check_share

KEPT = 1024
"""So many sets of styles are kept. A capture has the address of its set, and no copy: it is good while that is kept."""
_STYLE = np.dtype(
    [
        ("fill", np.uint8, 3),
        ("outline", np.uint8, 3),
        ("nothing", np.uint8, 2),
        ("alpha", np.int32),
        ("has_outline", np.int32),
    ]
)
"""One mask's style as the CUDA library reads it: 16 bytes."""


class OverlayStyles:
    """The sets of styles that were used last."""

    def __init__(self, stream: DeviceStream, pool: DevicePool) -> None:
        self._stream, self._pool = stream, pool
        self._kept: OrderedDict[bytes, DeviceArray] = OrderedDict()

    def pointer(
        self, count: int, colours: npt.NDArray[np.uint8], alpha: float, outline: npt.NDArray[np.uint8] | None
    ) -> int:
        """Address of ``count`` styles in GPU memory, valid for work that is put on the stream before the next call.

        Raises:
            TypeError: colours of another type, or not in the CPU's memory.
            ValueError: colours of another shape, or alpha outside of 0..1.
        """
        styles = np.zeros(count, _STYLE)
        styles["fill"] = _colours("colours", colours, (count, 3))
        check_share("alpha", alpha)
        # to the nearest, halves up, as C's lround
        styles["alpha"] = int(alpha * 256 + 0.5)
        if outline is not None:
            styles["outline"] = _colours("outline", outline, (3,))
            styles["has_outline"] = 1
        key = styles.tobytes()
        if key not in self._kept:
            lease = self._pool.take(styles.nbytes)
            if count:
                self._stream.write(lease.pointer, styles)
            # the copy may still read them
            self._kept[key] = DeviceArray(self._stream, lease.pointer, styles.shape, _STYLE, (lease, styles))
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return self._kept[key].pointer


def _colours(name: str, values: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    if not isinstance(values, np.ndarray) or values.dtype != np.uint8:
        got = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else f"a {type(values).__name__}"
        raise TypeError(f"{name}: expected uint8 {shape} in the CPU's memory, got {got}")
    if values.shape != shape:
        raise ValueError(f"{name}: expected uint8 {shape}, got {values.dtype} {values.shape}")
    return values
