"""Every setting of the runtime has the default and the range that the documentation promises, and no other is told."""

from __future__ import annotations

import re
from pathlib import Path

from tests.every_setting import SETTINGS

DOCUMENT = Path(__file__).parents[1] / "docs" / "ros2.md"
ROW = re.compile(r"^\| `([\w.]+)` \| `(.*?)` \| (.*?) *\|", re.MULTILINE)


def test_defaults_and_ranges_are_those_of_the_documentation() -> None:
    table = DOCUMENT.read_text().split("<!-- settings -->")[1].split("<!-- end -->")[0]
    told = {name: (default, allowed) for name, default, allowed in ROW.findall(table)}
    assert told == {item.name: ('""' if item.default == "" else repr(item.default), item.range) for item in SETTINGS}
