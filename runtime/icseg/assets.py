"""Where the files that ship with icseg are."""

from __future__ import annotations

import os
from pathlib import Path

from icseg.errors import ConfigError

_IN_PACKAGE = Path(__file__).parent / "models" / "nano"
_IN_CHECKOUT = Path(__file__).parents[2] / "models" / "nano"


def nano_models() -> Path:
    """Folder of the nano models that ship: ``$ICSEG_MODELS`` if set, else the installed package's, else the checkout's.

    Raises:
        ConfigError: there is no such folder.
    """
    chosen = os.environ.get("ICSEG_MODELS")
    places = [Path(chosen)] if chosen else [_IN_PACKAGE, _IN_CHECKOUT]
    for place in places:
        if place.is_dir():
            return place
    looked = " or ".join(str(place) for place in places)
    raise ConfigError(
        f"no model folder at {looked}: set ICSEG_MODELS to the folder that holds segmenter/ and detector/"
    )
