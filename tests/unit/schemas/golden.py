"""The saved logs of every schema version, as data."""

import json
from pathlib import Path
from typing import Any

import msgspec

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDER = REPOSITORY / "schemas" / "golden"
VERSIONS = sorted(folder.name for folder in FOLDER.iterdir() if folder.is_dir())


def lines(version: str, name: str) -> list[bytes]:
    """Return the records in one of a version's files."""
    return (FOLDER / version / name).read_bytes().splitlines()


def document(version: str, name: str) -> Any:
    """Return one of a version's JSON documents."""
    return json.loads((FOLDER / version / name).read_bytes())


def plain(message: Any) -> Any:
    """Return what `message` is as JSON."""
    return json.loads(msgspec.json.encode(message))


def spelt_out(value: Any) -> Any:
    """Return a Struct as JSON with all its fields, the defaults too."""
    if isinstance(value, msgspec.Struct):
        return {name: spelt_out(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple | list):
        return [spelt_out(item) for item in value]
    return plain(value)
