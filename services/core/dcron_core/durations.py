"""Durations as people write them: `500ms`, `90s`, `1h30m`, `7d`."""

import re
from datetime import timedelta
from functools import lru_cache

from dcron_schemas.types import DURATION_PATTERN

_PART = re.compile(r"([0-9]+)(ms|s|m|h|d)")
_UNIT = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


@lru_cache(1024)  # a few texts, and several of them for each run
def parse_duration(text: str) -> timedelta:
    """Return the duration; raise ValueError if `text` is not one."""
    if not re.match(DURATION_PATTERN, text):
        raise ValueError(f"{text!r} is not a duration; write digits and units, such as 90s, 5m or 1h30m")
    try:
        return sum((int(n) * _UNIT[unit] for n, unit in _PART.findall(text)), timedelta())
    except OverflowError:
        raise ValueError(f"{text!r} is longer than can be counted; the most is 999999999d") from None


def format_duration(duration: timedelta) -> str:
    """Return the shortest text that `parse_duration` reads back as `duration`."""
    rest = duration // timedelta(milliseconds=1)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
