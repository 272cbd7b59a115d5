"""icseg: segment what a person says, and ask when it is not clear which thing is meant.

    from icseg import Frame, events, open_session

What a program needs is named here and loaded when it is first asked for; importing ``icseg`` alone loads nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from icseg.models import open_session
    from icseg.session import events
    from icseg.session.session import Session
    from icseg.types import Frame

__version__ = "0.1.0"
__all__ = ["Frame", "Session", "events", "open_session"]

_PLACES = {
    "Frame": "icseg.types",
    "Session": "icseg.session.session",
    "events": "icseg.session.events",
    "open_session": "icseg.models",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")
    module = importlib.import_module(_PLACES[name])
    return module if name == "events" else getattr(module, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
