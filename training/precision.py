"""How many bits the networks are trained in."""

from __future__ import annotations

import torch

BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""Names of ``torch.cpu.get_capabilities``, x86-64 and ARM."""


def half() -> torch.autocast:
    """bfloat16 inside a network where the processor has units for it, else float32.

    Without them every product is emulated, many times slower than in float32. Prompts stay outside: in bfloat16 a
    coordinate is good to half a pixel only.
    """
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=has_bfloat16_units())


def has_bfloat16_units() -> bool:
    """Whether this processor multiplies bfloat16 itself."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in BFLOAT16_UNITS)
