"""Settings of the detector, in groups."""

from __future__ import annotations

from dataclasses import dataclass

from icseg.detector.close_looks import CloseLooksConfig
from icseg.settings import check, group


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    """How the detector looks; what it was trained for stands in its manifest.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    close_looks: CloseLooksConfig = group(CloseLooksConfig)

    def __post_init__(self) -> None:
        check("detector", self)
