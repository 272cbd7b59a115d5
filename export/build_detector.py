"""The nano policy's detector in a build: as it ships, beside the segmenter."""

from __future__ import annotations

import shutil
from pathlib import Path

from export.build_folder import DETECTOR
from export.stages import Stage
from icseg.assets import nano_models
from icseg.inference.manifest import MANIFEST_NAME, load_manifest, sha256_of

_KIND = "detector"


def detector_stage() -> Stage:
    """Copies it; FP32 whatever the segmenter's precision: it takes a hundredth of a second, once a question.

    Raises:
        PlanMismatchError: the shipped folder is not what its manifest says.
    """
    folder = nano_models() / DETECTOR
    manifest = load_manifest(folder, kind=_KIND)
    names = [MANIFEST_NAME, *(file.file for file in manifest.files.values())]

    def copy(work: Path) -> None:
        (work / DETECTOR).mkdir()
        for name in names:
            shutil.copyfile(folder / name, work / DETECTOR / name)

    inputs = {name: sha256_of(folder / name) for name in names}
    return Stage("detector", "copy the nano policy's detector", inputs, [f"{DETECTOR}/{name}" for name in names], copy)
