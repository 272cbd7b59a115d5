"""The mask operations on arrays in an NVIDIA GPU's memory: the names, options and results of ``native``, for batches.

Every operation puts its work on one stream and returns: nothing waits but the copies to the host, which are called
``to_host``. Shapes, units and sources are in the docstrings of ``reference``. Tested against an emulation of CUDA on
the host that compiles the same sources; not run on hardware.
"""

from __future__ import annotations

from icseg.mask_ops.cuda.frame_operations import FrameOperations
from icseg.mask_ops.cuda.logit_operations import LogitOperations
from icseg.mask_ops.cuda.mask_operations import MaskOperations


class CudaMaskOps(LogitOperations, MaskOperations, FrameOperations):
    """The operations on one stream. For one thread at a time.

    GPU arrays are whatever has ``__dlpack__`` or ``__cuda_array_interface__`` (CuPy, PyTorch, Numba, results of these
    operations), C-contiguous; frames may have rows any distance apart. *Masks* are (N, H, W) or (H, W) bool, or
    ``DeviceBitMasks``. Work waits for what wrote an input as far as its protocol tells.

    Memory: an input must be kept until the stream has passed, which is so once a ``to_host`` of the result is back;
    memory that was allocated for the same stream needs no such care. A result's memory is used again when the result is
    dropped, by later work of this stream; whoever reads it on another stream keeps it until that is done. A capture
    (``CudaStream.capture``) is made of operations that ran once before, so that it allocates nothing, on arrays of the
    same stream, and needs this object and the results kept.

    Every method raises ``TypeError`` for an array of another type or in other memory, ``ValueError`` for another shape,
    gaps, numbers out of range or an output that is read-only, each naming the argument, what was expected and what was
    got, and ``BackendError`` where CUDA reports an error or has no more memory.

    Args:
        stream: that works and gives memory: ``icseg.inference.cuda_stream.CudaStream``, or the caller's own.
        library: path of libicseg_cuda.so; None: the one installed beside the package.

    Raises:
        BackendError: the library is missing, cannot be loaded or is of another version; says how to build it.
    """
