"""Commands whose event follows from the definition that they are meant for. Pure.

An edit becomes an event only when it is known which definition it is on. That is also how a repetition is told from
another command: the same edit, on the definition that the first one was on, gives the first one's event.
"""

from typing import Any, Protocol

from msgspec import Struct

from dcron_core.errors import InvalidJobError
from dcron_core.jobs.patch import patched
from dcron_schemas.events import EventData, JobReverted, JobUpdated
from dcron_schemas.job import JobSpec


class Edit(Protocol):
    """What somebody wants to have changed in a definition."""

    @property
    def kind(self) -> type[JobUpdated] | type[JobReverted]:
        """The kind of event that it becomes."""
        ...

    def on(self, before: JobSpec) -> JobUpdated | JobReverted:
        """Return the event that it is on the definition `before`; raise InvalidJobError."""
        ...


class Replacement(Struct, frozen=True):
    """Another definition as a whole."""

    spec: JobSpec
    kind = JobUpdated

    def on(self, before: JobSpec) -> JobUpdated:
        return JobUpdated(self.spec, before)


class Patch(Struct, frozen=True):
    """Some fields, as a JSON merge patch; the others stay."""

    document: dict[str, Any]
    kind = JobUpdated

    def on(self, before: JobSpec) -> JobUpdated:
        return JobUpdated(patched(before, self.document), before)


class Reversion(Struct, frozen=True):
    """The definition of an earlier version."""

    spec: JobSpec
    version: int
    kind = JobReverted

    def on(self, before: JobSpec) -> JobReverted:
        return JobReverted(self.spec, self.version, before)


def is_repeated(first: EventData, edit: Edit) -> bool:
    """Tell whether `first` is what `edit` became when it came before."""
    if not isinstance(first, JobUpdated | JobReverted):
        return False
    if first.before is None:  # written by a release that knew whole definitions only
        return isinstance(edit, Replacement) and edit.spec == first.spec
    try:
        return edit.on(first.before) == first
    except InvalidJobError:
        return False
