"""`dcron audit events`, `verify` and `head`: the archive of the log searched, and the proof that nobody changed it."""

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table
from rich.text import Text

from dcron_core.errors import DcronError, HeadError
from dcron_core.jobs.heads import check_signature
from dcron_schemas.audit import ChainHead, EventList, EventView, Verification
from dcron_standalone.client import ApiError, Client
from dcron_standalone.job_commands import DEFAULT_NAMESPACE, connected
from dcron_standalone.moments import instant_in, local
from dcron_standalone.terminal import complain, note, say, say_table

PAGE = 500
PROOF_TIMEOUT_S = 3600.0  # it reads the whole log
OUTCOME_STYLE = {"applied": "green", "rejected": "red", "repeated": "dim", "stepped over": "yellow"}
BROKEN = 1

Limit = Annotated[int, Parameter(validator=Number(gte=1))]
HeadFiles = Annotated[list[Path] | None, Parameter(name="--head", negative="")]


def list_events(
    *,
    job: str = "",
    job_id: str = "",
    namespace: Annotated[str, Parameter(name=["--namespace", "-n"])] = "",
    actor: str = "",
    kind: str = "",
    start: Annotated[str, Parameter(name="--from")] = "",
    end: Annotated[str, Parameter(name="--to")] = "",
    text: str = "",
    limit: Limit = 50,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Search the events of the log, newest first.

    Parameters
    ----------
    job
        Of jobs that had this name at the event.
    job_id
        Of the job with this id.
    namespace
        Of jobs in this namespace.
    actor
        By whom.
    kind
        Such as JobUpdated or JobDeleted.
    start
        At this instant or after it, such as 2026-03-01T12:00:00Z or 2h ago.
    end
        Before this instant.
    text
        With this in the name, the change, the definition or the reason, in whatever case.
    limit
        Most events to show.
    as_json
        Print JSON for programs.
    """
    filters = {
        "job": job, "job_id": job_id, "namespace": namespace, "actor": actor, "kind": kind,
        "start": instant_in("--from", start), "end": instant_in("--to", end), "text": text,
    }  # fmt: skip
    with connected() as client:
        wanted = {name: value for name, value in filters.items() if value}
        events = list(islice(_events(client, wanted, min(limit, PAGE)), limit))
    if as_json:
        print(msgspec.json.encode(events).decode())
    elif events:
        say_table(_table(events))
    else:
        note("no such events")


def verify_archive(*, head: HeadFiles = None, public_key: str = "") -> None:
    """Prove that nobody changed the past: recompute the chain from Kafka and from MongoDB.

    Names the first event that differs, and ends with exit code 1 then.

    Parameters
    ----------
    head
        A file that `dcron audit head --out` wrote earlier: the chain must pass through it. Can be given several
        times. It is the only way to see a tail that was cut off Kafka and MongoDB alike.
    public_key
        The key that must have signed the heads, as hexadecimal digits.
    """
    if public_key and not head:
        raise DcronError("--public-key is for the heads that --head names, and there is none")
    heads = [(file, read_head(file)) for file in head or ()]
    with connected() as client:
        found = client.get(f"{client.log_ingester_url}/api/v1/audit/verify", Verification, timeout_s=PROOF_TIMEOUT_S)
        problems = [found.problem.problem] if found.problem else []
        for file, each in heads:
            problems += [f"{file}: {problem}" for problem in _head_problems(client, found, each, public_key)]
    if problems:
        for problem in problems:
            complain(problem)
        sys.exit(BROKEN)
    _say_intact(found, heads, public_key)


def write_head(
    *, out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None, position: int | None = None
) -> None:  # fmt: skip
    """Print the chain's value now as JSON, signed if the log-ingester has a key.

    Parameters
    ----------
    out
        The file to write it to, in place of printing it. Keep it where nobody who can write to Kafka and MongoDB can
        write.
    position
        The event to give the chain's value at; the last one, if it is not given.
    """
    with connected() as client:
        head = _head(client, position)
    text = msgspec.json.format(msgspec.json.encode(head)).decode() + "\n"
    if out is None:
        print(text, end="")
    else:
        try:
            out.write_text(text)
        except OSError as error:
            raise DcronError(f"{out} cannot be written: {error}") from error
        say(f"{out}: position {head.position}, {_signer(head)}")
    if not head.signature:
        note("it is not signed: give the log-ingester a DCRON_AUDIT_KEY", style="yellow")


def _events(client: Client, wanted: dict[str, str], page_size: int) -> Iterator[EventView]:
    """Yield the events over all pages."""
    parameters: dict[str, str | int] = {**wanted, "limit": page_size}
    while True:
        page = client.get(f"{client.log_ingester_url}/api/v1/audit/events", EventList, parameters)
        yield from page.events
        if page.next_cursor is None:
            return
        parameters["cursor"] = page.next_cursor


def _head(client: Client, position: int | None) -> ChainHead:
    parameters = {} if position is None else {"position": position}
    return client.get(f"{client.log_ingester_url}/api/v1/audit/head", ChainHead, parameters, timeout_s=PROOF_TIMEOUT_S)


def read_head(file: Path) -> ChainHead:
    """Return the head in a file; raise DcronError if it holds none."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=ChainHead)
    except OSError as error:
        raise DcronError(f"{file} cannot be read: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DcronError(f"{file} is not a head that `dcron audit head --out` wrote: {error}") from error


def _head_problems(client: Client, found: Verification, head: ChainHead, public_key: str) -> Iterator[str]:
    """Yield what is wrong with a head, or with the log that does not go through it any more."""
    if head.signature or public_key:
        try:
            check_signature(head, public_key)
        except HeadError as error:
            yield str(error)
            return  # then it says nothing about the log
    if head.position >= found.log_end:
        yield (
            f"the log ends at {found.log_end - 1}, and it had reached position {head.position} when the head was "
            f"written: its tail is cut, in Kafka and in the archive alike"
            if found.intact
            else f"the log ends at {found.log_end - 1}, and it had reached position {head.position}: its tail is cut"
        )
        return
    try:
        now = _head(client, head.position)
    except ApiError as error:
        yield f"the chain at position {head.position} cannot be had: {error}"
        return
    if now.log_id != head.log_id:
        yield f"it is of log {head.log_id}, and this is log {now.log_id}"
    elif now.hash != head.hash:
        yield (
            f"the chain does not go through it: at position {head.position} it was at {head.hash}, and is at "
            f"{now.hash} now: that event, or one before it, is not what it was"
        )


def _say_intact(found: Verification, heads: list[tuple[Path, ChainHead]], public_key: str) -> None:
    say(f"intact: {found.log_end} events in the log, {found.archived} in the archive, all the same", style="green")
    if found.head is not None:
        say(f"log {found.log_id}, position {found.head.position}, chain {found.head.hash}")
    for file, head in heads:
        say(f"{file}: the chain goes through it at position {head.position}; {_signer(head)}")
        if not head.signature:
            note(f"{file} is not signed: whoever could write to it could have changed it too", style="yellow")
        elif not public_key:
            note(f"{file} names its own key; give --public-key to know that it is the right one")
    if not heads:
        note("a tail that was cut off both shows only against a head from before: `dcron audit head --out FILE`")


def _signer(head: ChainHead) -> str:
    return f"signed with key {head.key_id}" if head.signature else "not signed"


def _table(events: list[EventView]) -> Table:
    table = Table("position", "at", "actor", "event", "job", "version", "outcome", box=None, header_style="bold")
    for event in events:
        table.add_row(
            str(event.position),
            local(event.at),
            Text(event.actor),
            event.kind,
            Text(_job(event)),
            _version(event),
            _outcome(event),
        )
    return table


def _job(event: EventView) -> str:
    if event.namespace in ("", DEFAULT_NAMESPACE):
        return event.job_name or event.job_id
    return f"{event.namespace}/{event.job_name}"


def _version(event: EventView) -> str:
    before, after = event.version_before, event.version_after
    if before == after:
        return "" if after is None else str(after)
    return f"{'-' if before is None else before} → {'-' if after is None else after}"


def _outcome(event: EventView) -> Text:
    changed = ", ".join(change.field for change in event.changes)
    more = "; ".join(filter(None, (event.detail, changed)))
    return Text(f"{event.outcome}: {more}" if more else event.outcome, OUTCOME_STYLE[event.outcome])
