"""What the tests of ``icseg.mask_ops.cuda`` share: a GPU of the host's memory and the emulated library."""

from __future__ import annotations

from pathlib import Path

import pytest
from emulated_build import build_library
from host_gpu import HostStream

from icseg.mask_ops.cuda import CudaMaskOps


@pytest.fixture(scope="session")
def library() -> Path:
    return build_library()


@pytest.fixture
def stream() -> HostStream:
    return HostStream()


@pytest.fixture
def ops(stream: HostStream, library: Path) -> CudaMaskOps:
    return CudaMaskOps(stream, library)
