"""Which fields of a definition are other in one version than in another. Pure."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from dcron_schemas.audit import FieldChange
from dcron_schemas.job import JobSpec

ABSENT = None


def difference(before: JobSpec | None, after: JobSpec | None) -> tuple[FieldChange, ...]:
    """Return the fields that differ, in the order of the definition; None stands for a job that does not exist.

    A field that is not written has its default value. Parts such as `schedule` and entries of `env` are compared one
    by one, lists as wholes.
    """
    return tuple(
        FieldChange(field=field, before=_plain(was), after=_plain(now)) for field, was, now in _pairs("", before, after)
    )


def _pairs(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    if before == after:
        return
    kinds = [type(value) for value in (before, after) if value is not None]
    if kinds and issubclass(kinds[0], Struct) and len(set(kinds)) == 1:
        for name in kinds[0].__struct_fields__:
            yield from _pairs(_joined(path, name), getattr(before, name, ABSENT), getattr(after, name, ABSENT))
    elif kinds == [dict, dict]:
        for name in dict.fromkeys((*before, *after)):
            yield from _pairs(_joined(path, name), before.get(name, ABSENT), after.get(name, ABSENT))
    else:
        yield path, before, after


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value)
