"""Run Edge-LLM's quantize command with our calibration set registered: runs in Edge-LLM's environment, without icseg.

The set is the folder named by EDGELLM_QUANT_DATASET_ICSEG, as ``export/policy/calibration.py`` writes it. *Source:* the
contract of an image dataset in ``tensorrt_edgellm/quantization/datasets/__init__.py`` 0.11.0: a generator of
(image, question) pairs, registered by name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tensorrt_edgellm.quantization.datasets import register
from tensorrt_edgellm.scripts.quantize import main

VARIABLE = "EDGELLM_QUANT_DATASET_ICSEG"


@register("image", "icseg")
def icseg_samples() -> Iterator[tuple[Any, str]]:
    """(PIL image, text) of each sample, in the order of the file."""
    from PIL import Image

    folder = os.environ.get(VARIABLE)
    if not folder:
        raise SystemExit(f"{VARIABLE}: expected the calibration folder")
    for line in (Path(folder) / "samples.jsonl").read_text(encoding="utf-8").splitlines():
        sample = json.loads(line)
        with Image.open(Path(folder) / Path(sample["image"]).name) as image:
            yield image.convert("RGB"), sample["text"]


if __name__ == "__main__":
    main()
