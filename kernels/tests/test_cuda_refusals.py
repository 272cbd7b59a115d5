"""Wrong arguments of the CUDA operations are refused as the CPU's are, and so is a library that is not right."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emulated_build import run
from host_gpu import CapsuleArray, HostStream, InterfaceArray

from icseg.errors import BackendError
from icseg.mask_ops.cuda import CudaMaskOps, library
from icseg.mask_ops.cuda.library import CudaLibrary

LOGITS = np.zeros((1, 4, 4), np.float32)
MASK = np.zeros((4, 5), np.bool_)
IMAGE = np.zeros((4, 5, 3), np.uint8)
UNIT = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
COLOURS = np.zeros((1, 3), np.uint8)
SCORES = np.zeros(1, np.float32)
Gpu = InterfaceArray


def read_only(values: Any) -> InterfaceArray:
    return InterfaceArray(values, data=(values.ctypes.data, True))


Call = Callable[[CudaMaskOps], object]
REFUSALS: list[tuple[Call, type[Exception], str]] = [
    # arrays
    (
        lambda o: o.fill_holes(LOGITS, 8),
        TypeError,
        r"mask_logits: expected float32 or float16 \(N, h, w\) .*in the CPU's memory",
    ),
    (lambda o: o.fill_holes([[1.0]], 8), TypeError, "mask_logits: .*got a list"),
    (lambda o: o.fill_holes(Gpu(LOGITS.astype(float)), 8), TypeError, r"mask_logits: .*got float64 \(1, 4, 4\)"),
    (lambda o: o.fill_holes(Gpu(LOGITS.astype(">f4")), 8), TypeError, "got float32 of the other byte order"),
    (
        lambda o: o.fill_holes(Gpu(LOGITS[0]), 8),
        ValueError,
        r"mask_logits: expected float32 or float16 \(N, h, w\), got .*\(4, 4\)",
    ),
    (lambda o: o.fill_holes(Gpu(LOGITS[:, ::2]), 8), ValueError, "with gaps .*: pass a contiguous copy"),
    (lambda o: o.fill_holes(CapsuleArray(LOGITS.transpose(0, 2, 1)), 8), ValueError, "mask_logits: .*another order"),
    (lambda o: o.fill_holes(Gpu(LOGITS[:, :0]), 8), ValueError, "mask_logits: expected a height and width of 1"),
    (lambda o: o.mask_statistics(Gpu(MASK.astype(np.uint8))), TypeError, r"masks: expected bool .*got uint8 \(4, 5\)"),
    (lambda o: o.pack_masks(Gpu(MASK[None, None])), ValueError, r"masks: expected bool \(N, H, W\)"),
    (lambda o: o.pack_masks(Gpu(np.zeros((65536, 1, 1), np.bool_))), ValueError, "masks: expected at most 65535 masks"),
    (lambda o: o.bit_masks(Gpu(np.zeros((1, 4, 1), np.uint32)), 33), ValueError, "words: expected 2 words a row"),
    (lambda o: o.bit_masks(Gpu(np.zeros((1, 4, 1), np.int32)), 32), TypeError, "words: expected uint32"),
    # outputs
    (lambda o: o.clean_logits(Gpu(LOGITS), 8, 0, out=read_only(LOGITS + 1)), ValueError, "out: .*read-only"),
    (
        lambda o: o.clean_logits(Gpu(LOGITS), 8, 0, out=Gpu(LOGITS[:, :2] + 1)),
        ValueError,
        r"out: expected float32 \(1, 4",
    ),
    (
        lambda o: o.clean_logits(Gpu(LOGITS), 8, 0, out=Gpu(LOGITS)),
        ValueError,
        "out: expected memory beside mask_logits",
    ),
    (lambda o: o.clean_logits(Gpu(LOGITS), 8, 0, out=LOGITS + 1), TypeError, "out: .*in the CPU's memory"),
    (
        lambda o: o.clean_logits(Gpu(LOGITS), 8, 0, out=Gpu(LOGITS.astype(np.float16))),
        TypeError,
        r"out: expected float32 \(1, 4, 4\), got float16",
    ),
    (
        lambda o: o.preprocess(Gpu(IMAGE), (4, 4), *UNIT, out=read_only(np.zeros((3, 4, 4), np.float32))),
        ValueError,
        "out: .*read-only",
    ),
    (
        lambda o: o.preprocess(Gpu(IMAGE), (4, 4), *UNIT, out=Gpu(np.zeros((3, 4, 5), np.float32))),
        ValueError,
        r"out: expected float32 \(3, 4, 4\), got float32 \(3, 4, 5\)",
    ),
    (
        lambda o: o.preprocess(Gpu(IMAGE), (4, 4), *UNIT, out=Gpu(np.zeros((3, 4, 4), np.float16))),
        TypeError,
        "out: expected float32 .*got float16",
    ),
    (lambda o: o.overlay(Gpu(IMAGE), Gpu(MASK), COLOURS, out=read_only(IMAGE)), ValueError, "out: .*read-only"),
    (lambda o: o.overlay(Gpu(IMAGE), Gpu(MASK), COLOURS, out=Gpu(IMAGE[1:])), ValueError, "out: expected the image's"),
    # numbers
    (lambda o: o.fill_holes(Gpu(LOGITS), -1), ValueError, r"max_hole_px: expected 0\.\..*cells, got -1"),
    (lambda o: o.remove_sprinkles(Gpu(LOGITS), -1), ValueError, r"max_sprinkle_px: .*got -1"),
    (lambda o: o.fill_holes(Gpu(LOGITS), 8, threshold=np.nan), ValueError, "threshold: expected a finite number"),
    (lambda o: o.fill_holes(Gpu(LOGITS), 8, variant="x"), ValueError, "variant: expected video or image"),  # type: ignore[arg-type]
    (lambda o: o.upsample_threshold(Gpu(LOGITS), (0, 5)), ValueError, "hw: expected a height and width of 1"),
    (lambda o: o.upsample_threshold(Gpu(LOGITS), (70000, 5)), ValueError, "hw: .*got 70000, 5"),
    (lambda o: o.upsample_threshold(Gpu(LOGITS), (4, 5), stability_offset=-1), ValueError, "stability_offset: "),
    (lambda o: o.upsample_threshold(Gpu(LOGITS), (4, 5), region_cells=(2, 0, 2, 4)), ValueError, "region_cells: "),
    (lambda o: o.connected_components(Gpu(MASK), connectivity=6), ValueError, "connectivity: expected 4 or 8, got 6"),
    (lambda o: o.connected_components(Gpu(MASK), capacity=-1), ValueError, "capacity: .*got -1"),
    (lambda o: o.rle_encode(Gpu(MASK), run_capacity=-1), ValueError, "run_capacity: .*got -1"),
    (lambda o: o.rle_encode(Gpu(MASK), text_capacity=-1), ValueError, "text_capacity: .*got -1"),
    (lambda o: o.contours(Gpu(MASK), edge_capacity=0), ValueError, r"edge_capacity: expected 1\.\.536870912, got 0"),
    (lambda o: o.rle_decode(b"1", (2, 1)), TypeError, "encoded: expected a text of bytes for each mask, got bytes"),
    (lambda o: o.rle_decode([b"1"], (2, 0)), ValueError, "hw: expected"),
    (lambda o: o.mask_iou_matrix(Gpu(MASK), Gpu(MASK.T.copy())), ValueError, r"b: expected masks of \(4, 5\)"),
    (
        lambda o: o.mask_nms(Gpu(MASK), Gpu(np.zeros(2, np.float32)), 0.5),
        ValueError,
        "scores: expected one for each of 1",
    ),
    (lambda o: o.mask_nms(Gpu(MASK), SCORES, 0.5), TypeError, "scores: .*in the CPU's memory"),
    (lambda o: o.mask_nms(Gpu(MASK), Gpu(SCORES), 1.5), ValueError, r"max_iou: expected 0\.\.1, got 1\.5"),
    # frames
    (lambda o: o.preprocess(Gpu(IMAGE), (8, 8), *UNIT, encoding="yuv"), ValueError, "encoding: expected one of rgb8, "),  # type: ignore[arg-type]
    (lambda o: o.preprocess(Gpu(IMAGE), (8, 8), *UNIT, encoding="nv12"), ValueError, r"image: expected uint8 \(H \* 3"),
    (
        lambda o: o.preprocess(Gpu(np.zeros((7, 4), np.uint8)), (8, 8), *UNIT, encoding="nv12"),
        ValueError,
        r"image: expected uint8 \(H \* 3 / 2, W\)",
    ),
    (
        lambda o: o.preprocess(Gpu(IMAGE[..., :2].copy()), (8, 8), *UNIT, encoding="yuyv"),
        ValueError,
        "of an even W",
    ),
    (lambda o: o.preprocess(Gpu(IMAGE.astype(float)), (8, 8), *UNIT), TypeError, "image: expected uint8"),
    (lambda o: o.preprocess(Gpu(IMAGE[:, ::-1]), (8, 8), *UNIT), ValueError, "image: expected rows without gaps"),
    (lambda o: o.preprocess(Gpu(IMAGE[::-1]), (8, 8), *UNIT), ValueError, "image: expected rows without gaps"),
    (lambda o: o.preprocess(Gpu(IMAGE), (8, 8), UNIT[0], (1, 0, 1)), ValueError, "std: expected numbers above 0"),
    (lambda o: o.preprocess(Gpu(IMAGE), (8, 8), (0.0, np.inf, 0.0), UNIT[1]), ValueError, "mean: expected a finite"),
    (lambda o: o.preprocess(Gpu(IMAGE), (8, 8), *UNIT, dtype=float), TypeError, "dtype: expected float32 or float16"),
    (lambda o: o.preprocess(Gpu(IMAGE), (8, 8), *UNIT, place_xywh=(1, 0, 8, 8)), ValueError, "place_xywh: "),
    (lambda o: o.overlay(Gpu(IMAGE), Gpu(MASK.T.copy()), COLOURS), ValueError, "masks: expected the image's"),
    (lambda o: o.overlay(Gpu(IMAGE), Gpu(MASK), COLOURS[[0, 0]]), ValueError, r"colours: expected uint8 \(1, 3\)"),
    (lambda o: o.overlay(Gpu(IMAGE), Gpu(MASK), Gpu(COLOURS)), TypeError, "colours: .*CPU's memory, got a Interface"),  # type: ignore[arg-type]
    (lambda o: o.overlay(Gpu(IMAGE), Gpu(MASK), COLOURS, alpha=2), ValueError, r"alpha: expected 0\.\.1"),
    (
        lambda o: o.overlay(Gpu(IMAGE), Gpu(MASK), COLOURS, outline=COLOURS),
        ValueError,
        r"outline: expected uint8 \(3,\)",
    ),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSALS)
def test_refusal(ops: CudaMaskOps, call: Call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(ops)


def test_a_missing_library_says_how_to_build_it(stream: HostStream, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"libx\.so: there is no such library; .*CUDA toolkit.*ICSEG_CUDA=ON"):
        CudaMaskOps(stream, tmp_path / "libx.so")


def test_without_a_path_it_is_the_one_beside_the_package(monkeypatch: pytest.MonkeyPatch, stream: HostStream) -> None:
    from icseg.mask_ops import native

    assert library.beside_the_package() == Path(native._native.__file__).parent / "libicseg_cuda.so"
    monkeypatch.setattr(library.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"icseg is not installed, .*ICSEG_CUDA=ON"):
        CudaMaskOps(stream)


def test_a_file_that_is_no_library(stream: HostStream, tmp_path: Path) -> None:
    path = tmp_path / "libicseg_cuda.so"
    path.write_text("not a library")
    with pytest.raises(BackendError, match=r"libicseg_cuda\.so cannot be loaded \(.*\); build it"):
        CudaMaskOps(stream, path)


def compiled(folder: Path, functions: dict[str, int]) -> Path:
    """A library whose functions do nothing and return a number."""
    source, path = folder / "functions.c", folder / "libfunctions.so"
    source.write_text("\n".join(f"long {name}(void) {{ return {value}; }}" for name, value in functions.items()))
    run(["gcc", "-shared", "-fPIC", str(source), "-o", str(path)])
    return path


EVERY = {**dict.fromkeys(library._WORKSPACES, 0), **dict.fromkeys(library._OPERATIONS, 0)}


def test_a_library_without_a_function(stream: HostStream, tmp_path: Path) -> None:
    path = compiled(tmp_path, {name: 0 for name in EVERY if name != "icseg_overlay"})
    with pytest.raises(BackendError, match=r"has no icseg_overlay: it is of another version"):
        CudaMaskOps(stream, path)


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (-1, ValueError, r"icseg_clean_logits: arguments out of its range; see .*cuda\.h"),
        (209, BackendError, "icseg_clean_logits failed: CUDA error 209: the library has no code for this GPU"),
        (12345, BackendError, "icseg_clean_logits failed: CUDA error 12345: see cudaError_t"),
    ],
)
def test_a_status(stream: HostStream, tmp_path: Path, status: int, error: type[Exception], message: str) -> None:
    ops = CudaMaskOps(stream, compiled(tmp_path, {**EVERY, "icseg_clean_logits": status}))
    with pytest.raises(error, match=message):
        ops.fill_holes(InterfaceArray(LOGITS), 8)


def test_every_function_of_the_header_is_known(library: Path) -> None:
    header = (Path(__file__).parents[1] / "include" / "icseg" / "cuda.h").read_text()
    code = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    assert set(re.findall(r"\b(icseg_\w+)\(", code)) == set(EVERY)
    CudaLibrary(library)


def test_no_more_memory_is_an_error_that_leaves_nothing_behind(ops: CudaMaskOps, stream: HostStream) -> None:
    def refuse(size: int) -> Any:
        raise BackendError(f"no {size} bytes")

    stream.allocate_device = refuse  # type: ignore[method-assign]
    with pytest.raises(BackendError, match="no 512 bytes"):
        ops.fill_holes(InterfaceArray(LOGITS), 8)
