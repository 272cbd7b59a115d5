"""Message and action types by their names, and fields of them by dotted paths.

Knows how ROS names types and what a field may hold; nothing of speech. Everything is checked when the node is
configured, so that a wrong name is refused with the names there are, and not found out in the middle of a dialogue.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rclpy.exceptions import NoTypeSupportImportedException
from rclpy.type_support import check_for_type_support
from rosidl_generator_py.import_type_support_impl import UnsupportedTypeSupport

from icseg.errors import ConfigError

_TYPE = re.compile(r"([a-z](?:_?[a-z0-9])*)/(msg|action)/([A-Z][A-Za-z0-9]*)")
_INTEGERS = {f"{sign}int{bits}": (bits, sign) for bits in (8, 16, 32, 64) for sign in ("", "u")}
_FLOATS = ("float", "double")
_SEQUENCE = re.compile(r"sequence<(.+?)(?:, \d+)?>|(.+)\[(\d+)\]")


def split_type(parameter: str, type_name: str) -> tuple[str, str, str]:
    """Package, "msg" or "action", and type of a name like ``hri_msgs/msg/LiveSpeech``.

    Raises:
        ConfigError: it is not such a name. Nothing was imported.
    """
    match = _TYPE.fullmatch(type_name)
    if match is None:
        expected = '"<package>/msg/<Type>" or "<package>/action/<Type>", as `ros2 interface list` shows it'
        raise ConfigError(f"{parameter}: expected {expected}, got {type_name!r}")
    package, kind, name = match.groups()
    return package, kind, name


def load(parameter: str, type_name: str) -> Any:
    """The Python class of a message or an action.

    Only ``<package>.msg`` and ``<package>.action`` of a package that has such a folder are ever imported.

    Args:
        parameter: that holds the name, for errors.
        type_name: like ``hri_msgs/msg/LiveSpeech``.

    Raises:
        ConfigError: not a type's name, or the package or the type is not installed; says what to install.
    """
    package, kind, name = split_type(parameter, type_name)
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ConfigError(f"{parameter}: {type_name} is not installed: {_how_to_install(package)}")
    folders = [Path(place) / kind for place in spec.submodule_search_locations or ()]
    if not any((folder / "__init__.py").is_file() for folder in folders):
        raise ConfigError(
            f"{parameter}: {package} has no {kind} types; expected an interface package, got {type_name!r}"
        )
    try:
        module = importlib.import_module(f"{package}.{kind}")
    except ImportError as error:
        raise ConfigError(f"{parameter}: {type_name} cannot be imported ({error}); source its workspace") from error
    there = {key: value for key, value in vars(module).items() if _is_interface(value, kind)}
    if name not in there:
        raise ConfigError(f"{parameter}: {package} has no {kind} type {name}; it has {_listed(there)}")
    try:
        check_for_type_support(there[name])
    except (AttributeError, ImportError, NoTypeSupportImportedException, UnsupportedTypeSupport) as error:
        raise ConfigError(
            f"{parameter}: the libraries of {type_name} do not load ({error}); source its workspace"
        ) from error
    return there[name]


def check_field(parameter: str, message: Any, path: str, kind: type) -> None:
    """Refuse a field that is not there or holds something else.

    Args:
        parameter: that names the field.
        message: class of the message, or of an action's goal or result.
        path: dotted.
        kind: ``str`` for texts, ``float`` for numbers.

    Raises:
        ConfigError: lists the fields there are.
    """
    held = _type_of(parameter, message, path)
    is_right = _is_text(held) if kind is str else held in _FLOATS or held in _INTEGERS
    if not is_right:
        expected = "a text" if kind is str else "a number"
        raise ConfigError(f"{parameter}: expected {expected} field, but {path} of {_name_of(message)} is {held}")


def get_field(message: Any, path: str) -> Any:
    """Value of a field whose path was checked."""
    for name in path.split("."):
        message = getattr(message, name)
    return message


def set_field(message: Any, path: str, value: Any) -> None:
    """Fill a field whose path was checked."""
    *parents, name = path.split(".")
    setattr(get_field(message, ".".join(parents)) if parents else message, name, value)


def check_constants(parameter: str, message: Any, constants: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted path, ready for ``set_field``.

    Args:
        parameter: that holds them.
        message: class of the message or of an action's goal.
        constants: field -> value; an object goes deeper.

    Raises:
        ConfigError: a field is not there, or the value does not fit its type.
    """
    checked: dict[str, Any] = {}
    for path, value in _flat(constants):
        held = _type_of(parameter, message, path)
        try:
            checked[path] = _fitted(held, value)
        except ValueError as error:
            raise ConfigError(
                f"{parameter}: {path} of {_name_of(message)} is {held}, which {value!r} is not ({error})"
            ) from None
    return checked


def _flat(constants: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in constants.items():
        pairs += _flat(value, f"{above}{name}.") if isinstance(value, Mapping) else [(above + name, value)]
    return pairs


def _type_of(parameter: str, message: Any, path: str) -> str:
    """Type of a field as rosidl writes it ("string", "double", "std_msgs/Header", "sequence<uint8>")."""
    here, held = message(), ""
    for depth, name in enumerate(path.split(".")):
        fields = here.get_fields_and_field_types() if hasattr(here, "get_fields_and_field_types") else {}
        if name not in fields:
            where = ".".join((_name_of(message), *path.split(".")[:depth]))
            raise ConfigError(f"{parameter}: {where} has no field {name!r}; it has {_listed(fields)}")
        held, here = fields[name], getattr(here, name)
    return held


def _fitted(held: str, value: Any) -> Any:
    """The value as its field takes it.

    Raises:
        ValueError: it does not fit; the text says what would.
    """
    if match := _SEQUENCE.fullmatch(held):
        item, length = match[1] or match[2], match[3]
        if not isinstance(value, list) or (length is not None and len(value) != int(length)):
            raise ValueError("expected a list" + (f" of {length}" if length is not None else ""))
        return [_fitted(item, one) for one in value]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if _is_text(held) and isinstance(value, str):
        return value
    if held == "boolean" and isinstance(value, bool):
        return value
    if held in _FLOATS and is_number and math.isfinite(value):
        return float(value)
    if held in _INTEGERS and is_number and isinstance(value, int):
        bits, sign = _INTEGERS[held]
        low, high = (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        if low <= value <= high:
            return value
        raise ValueError(f"expected {low}..{high}")
    raise ValueError("expected a text, a number, true, false or a list of them, as the field has it")


def _is_text(held: str) -> bool:
    return held.partition("<")[0] in ("string", "wstring")


def _is_interface(value: Any, kind: str) -> bool:
    return isinstance(value, type) and hasattr(value, "Goal" if kind == "action" else "get_fields_and_field_types")


def _name_of(message: Any) -> str:
    return str(message.__name__).replace("_", " ")


def _listed(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"


def _how_to_install(package: str) -> str:
    distribution = os.environ.get("ROS_DISTRO") or "${ROS_DISTRO}"
    apt = f"ros-{distribution}-{package.replace('_', '-')}"
    return f"`sudo apt install {apt}`, or build {package} in a workspace and source it before this node starts"
