"""Annotated scalars that several messages share."""

from typing import Annotated

from msgspec import Meta

# `$` alone would let a newline follow in Python; JSON Schema has no `\Z`.
DURATION_PATTERN = r"^([0-9]+(ms|s|m|h|d))+$(?!\n)"
NAME_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$(?!\n)"

Duration = Annotated[
    str,
    Meta(
        pattern=DURATION_PATTERN,
        max_length=32,
        description="A duration: digits and units, such as 500ms, 90s, 5m, 1h30m or 7d.",
        examples=["90s", "1h30m"],
    ),
]
Name = Annotated[
    str,
    Meta(
        pattern=NAME_PATTERN,
        description="1 to 128 letters, digits, dots, dashes and underscores; the first and the last a letter or digit.",
        examples=["nightly-backup"],
    ),
]
Text = Annotated[str, Meta(max_length=4096, description="Free text for people.")]
