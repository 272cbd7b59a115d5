"""bfloat16 only where the processor is quicker with it."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from training.precision import half  # noqa: E402


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"architecture": "x86_64", "avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"architecture": "x86_64", "avx2": True, "avx512_bf16": False}, torch.float32),
        ({"architecture": "arm64", "neon": True, "bf16": True}, torch.bfloat16),
        ({"architecture": "arm64", "neon": True}, torch.float32),
    ],
)
def test_half(monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, object], dtype: torch.dtype) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    with half():
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == dtype
