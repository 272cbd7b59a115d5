"""The CUDA sources compile for every architecture without warnings or spills, within the committed budget."""

from __future__ import annotations

import json

import pytest
from resource_use import ARCHITECTURES, BUDGET, KERNELS, nvcc, nvcc_version, resource_use, supports

MOST_REGISTERS = 64
"""With 256 threads a block four blocks fit a multiprocessor, with any compiler."""
MOST_SHARED_BYTES = 48 * 1024
"""Shared memory that a block has without asking for more."""

needs_nvcc = pytest.mark.skipif(nvcc() is None, reason="no nvcc on PATH: the CUDA sources were not compiled")


@needs_nvcc
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_within_the_budget(architecture: str) -> None:
    if not supports(architecture):
        pytest.skip(f"nvcc {nvcc_version()} does not know {architecture}")
    use = resource_use(architecture)
    budget = json.loads(BUDGET.read_text())
    assert set(use) == set(budget[architecture])
    for kernel, taken in use.items():
        assert taken["stack_bytes"] == taken["spill_bytes"] == 0, kernel
        assert taken["registers"] <= MOST_REGISTERS, kernel
        assert taken["shared_bytes"] <= MOST_SHARED_BYTES, kernel
        if budget["nvcc"] == nvcc_version():  # another compiler may take a few more
            assert taken["registers"] <= budget[architecture][kernel]["registers"], kernel
            assert taken["shared_bytes"] <= budget[architecture][kernel]["shared_bytes"], kernel


def test_every_kernel_has_a_budget() -> None:
    text = "".join(path.read_text() for path in (KERNELS / "include" / "icseg").glob("*.cuh"))
    names = {part.split("(")[0].split()[-1] for part in text.split("__global__ ")[1:]}
    for architecture in ARCHITECTURES:
        assert {kernel.split("<")[0] for kernel in json.loads(BUDGET.read_text())[architecture]} == names
