"""The mask operations on arrays in an NVIDIA GPU's memory."""

from icseg.mask_ops.cuda.operations import CudaMaskOps

__all__ = ["CudaMaskOps"]
