"""CUDA for tests of plans."""

from __future__ import annotations

import sys

import pytest
from cuda_double import CudaDouble


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> CudaDouble:
    """The double in the place of cuda-python: a GPU of compute capability 8.7."""
    double = CudaDouble()
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", double)
    return double
