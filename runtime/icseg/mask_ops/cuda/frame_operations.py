"""Operations on camera frames in GPU memory: a network's input, and masks drawn onto a picture."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from icseg.inference.device_memory import DeviceArray
from icseg.mask_ops.cuda.device_frame import device_frame
from icseg.mask_ops.cuda.launcher import Launcher
from icseg.mask_ops.cuda.ranges import check_finite, check_size
from icseg.mask_ops.options import Encoding


class FrameOperations(Launcher):
    """The operations of ``CudaMaskOps`` that begin with a frame."""

    def preprocess(
        self,
        image: Any,
        hw: tuple[int, int],
        mean: Sequence[float],
        std: Sequence[float],
        *,
        encoding: Encoding = "rgb8",
        dtype: npt.DTypeLike = np.float32,
        place_xywh: tuple[int, int, int, int] | None = None,
        out: Any = None,
    ) -> DeviceArray:
        """A network's input from a camera frame: decoded, resized, normalised, one plane a channel.

        Args:
            image: uint8 in the shape of its encoding.
            out: (3, *hw) of ``dtype``, as a TensorRT engine's input is; None: new memory.
        """
        frame = device_frame(image, "image", encoding, self._stream)
        check_size("hw", hw)
        kind, shape = np.dtype(dtype), (3, *hw)
        if kind not in (np.dtype(np.float32), np.dtype(np.float16)):
            raise TypeError(f"dtype: expected float32 or float16, got {kind}")
        planes = self._new(shape, kind) if out is None else self._given(out, f"{kind} {shape}", kind, shape)
        place = place_xywh or (0, 0, hw[1], hw[0])
        if min(place[:2]) < 0 or min(place[2:]) < 1 or place[2] > hw[1] - place[0] or place[3] > hw[0] - place[1]:
            raise ValueError(
                f"place_xywh: expected a rectangle within {hw[1]} x {hw[0]} of a pixel or more, got {place}"
            )
        check_finite("mean", *mean)
        check_finite("std", *std)
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(f"std: expected numbers above 0, three as of mean, got {tuple(std)} and {tuple(mean)}")
        scale = (ctypes.c_float * 3)(*(1.0 / (255.0 * one) for one in std))
        shift = (ctypes.c_float * 3)(*(-one / of_std for one, of_std in zip(mean, std, strict=True)))
        source = (frame.view.pointer, frame.height, frame.width, frame.step, frame.encoding)
        numbers = ((ctypes.c_int * 4)(*place), scale, shift, int(kind == np.dtype(np.float16)))
        self._run("icseg_preprocess", *source, *hw, *numbers, planes.pointer)
        return planes

    def overlay(
        self,
        image: Any,
        masks: Any,
        colours: npt.NDArray[np.uint8],
        *,
        alpha: float = 0.5,
        outline: npt.NDArray[np.uint8] | None = None,
        out: Any = None,
    ) -> Any:
        """Masks drawn onto a picture, one after the other: each blended in, then its edge in the outline's colour.

        Args:
            image: (H, W, 3) uint8.
            colours: (N, 3) uint8, and ``outline`` (3,), in the CPU's memory. What was drawn with before is on the GPU
                already.
            out: (H, W, 3) uint8 that the picture goes to, rows any distance apart; the image itself is drawn onto
                without a copy. None: new memory.

        Returns:
            The picture: a ``DeviceArray`` (H, W, 3) uint8, or ``out`` itself.
        """
        frame = device_frame(image, "image", "rgb8", self._stream)
        bits = self._bits(masks)
        hw = (frame.height, frame.width)
        if bits.hw != hw:
            raise ValueError(f"masks: expected the image's {hw}, got {bits.hw}")
        styles = self._styles.pointer(len(bits), colours, alpha, outline)
        row_bytes = 3 * frame.width
        picture = self._new((*hw, 3), np.uint8) if out is None else out
        target = device_frame(picture, "out", "rgb8", self._stream, is_output=True)
        if (target.height, target.width) != hw:
            raise ValueError(f"out: expected the image's {hw}, got {(target.height, target.width)}")
        pointer, step = target.view.pointer, target.step
        if (pointer, step) != (frame.view.pointer, frame.step):
            self._stream.copy_rows(pointer, step, frame.view.pointer, frame.step, row_bytes, frame.height)
        self._run("icseg_overlay", pointer, *hw, step, bits.words.pointer, len(bits), styles)
        return picture
