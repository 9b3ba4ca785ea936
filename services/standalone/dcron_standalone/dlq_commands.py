"""`dcron dlq …`: dead letters, the records of runs that were put aside, and sending them back."""

import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Annotated

import httpx
import msgspec
from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.table import Table
from rich.text import Text

from dcron_core.errors import DcronError
from dcron_schemas.dead_letters import (
    DeadLetter,
    DeadLetterDetail,
    DeadLetterList,
    LetterState,
    NotReplayed,
    Reason,
    ReplayResult,
    ReplayWanted,
)
from dcron_standalone.client import Client, decoded
from dcron_standalone.job_commands import connected
from dcron_standalone.moments import instant_in, local
from dcron_standalone.terminal import complain, note, say, say_table

PAGE = 200
REPLAY_TIMEOUT = httpx.Timeout(120.0, connect=5.0)  # letters are read one by one in their topic
NOT_ALL = 1
STATE_STYLE = {"waiting": "yellow", "replayed": "green"}

app = App(name="dlq", help="Dead letters, records that were put aside: list, show, replay.")

Json = Annotated[bool, Parameter(name="--json", negative="")]
Reasons = Annotated[
    tuple[Reason, ...],
    Parameter(name="--reason", negative="", help="Only with this reason. Can be given several times."),
]
Since = Annotated[str, Parameter(help="Only those put aside since then: an instant, or how long ago (2h).")]
Until = Annotated[str, Parameter(help="Only those put aside before then.")]


@app.command(name="ls")
def list_letters(
    *,
    reason: Reasons = (),
    state: LetterState | None = None,
    topic: str = "",
    since: Since = "",
    until: Until = "",
    limit: Annotated[int, Parameter(validator=Number(gte=1))] = 50,
    as_json: Json = False,
) -> None:
    """List dead letters, the last one first.

    Parameters
    ----------
    state
        Only those that wait, or that were replayed.
    topic
        Only those from this topic.
    limit
        How many.
    as_json
        Print a JSON object for each letter, on a line of its own.
    """
    wanted = {
        "reason": list(reason), "state": state, "topic": topic,
        "start": instant_in("--since", since), "end": instant_in("--until", until),
    }  # fmt: skip
    with connected() as client:
        letters = _letters(client, {name: value for name, value in wanted.items() if value}, limit)
        if as_json:
            for letter in letters:
                print(msgspec.json.encode(letter).decode(), flush=True)
            return
        found = list(letters)
    if not found:
        note("no such dead letters")
        return
    say_table(_table(found))


@app.command(name="show")
def show_letter(letter: str, *, as_json: Json = False) -> None:
    """Show a dead letter: what was wrong with it, where it came from, and what it holds.

    Parameters
    ----------
    letter
        Its id, as `dcron dlq ls` has it.
    as_json
        Print JSON for programs.
    """
    with connected() as client:
        found = client.get(_url(client, letter), DeadLetterDetail)
    if as_json:
        print(msgspec.json.encode(found).decode())
        return
    for name, value in _lines(found.letter):
        note(f"{name:<9} {value}", style=None)
    for header in found.headers:
        note(f"header    {header.name}: {header.value}", style=None)
    if found.payload is None:
        note("Kafka does not hold it any more")
        return
    say(found.payload)
    if found.payload_cut:
        note(f"--- there is more of it: {found.letter.size} bytes")


@app.command(name="replay")
def replay_letters(
    *letters: str,
    all_of_them: Annotated[bool, Parameter(name="--all", negative="")] = False,
    reason: Reasons = (),
    topic: str = "",
    since: Since = "",
    until: Until = "",
    again: Annotated[bool, Parameter(negative="")] = False,
    as_json: Json = False,
) -> None:
    """Send dead letters back to where they came from, to be stored as any other record.

    It does no harm to replay a letter twice. One that fails again becomes a new letter.

    Parameters
    ----------
    letters
        Their ids, as `dcron dlq ls` has them.
    all_of_them
        Every letter that waits; with `--reason`, `--topic`, `--since` and `--until` those that match.
    topic
        Only those from this topic.
    again
        Also those of the ids that were replayed before.
    as_json
        Print JSON for programs.
    """
    if bool(letters) == all_of_them:
        raise DcronError("give the letters' ids, as `dcron dlq ls` has them, or --all")
    if letters and (reason or topic or since or until):
        raise DcronError("--reason, --topic, --since and --until go with --all")
    with connected() as client:
        if letters:
            chunks = [letters[start : start + PAGE] for start in range(0, len(letters), PAGE)]
            results = [_replayed(client, ReplayWanted(ids=ids, again=again)) for ids in chunks]
        else:
            wanted = ReplayWanted(
                all=True, reasons=reason, topic=topic or None,
                start=_instant("--since", since), end=_instant("--until", until),
            )  # fmt: skip
            results = list(_all_replayed(client, wanted))
    _report(results, as_json=as_json)


def _report(results: list[ReplayResult], *, as_json: bool) -> None:
    replayed = tuple(each for result in results for each in result.replayed)
    left: tuple[NotReplayed, ...] = tuple(each for result in results for each in result.not_replayed)
    if as_json:
        print(msgspec.json.encode(ReplayResult(replayed=replayed, not_replayed=left)).decode())
    else:
        for each in replayed:
            say(each)
        note(f"{len(replayed)} replayed; `dcron dlq ls --state waiting` shows what fails again")
    for refused in left:
        complain(f"{refused.id}: {refused.why}")
    if left:
        sys.exit(NOT_ALL)


def _all_replayed(client: Client, wanted: ReplayWanted) -> Iterator[ReplayResult]:
    """Replay page by page, the last letter first, so that what fails again does not come again."""
    while True:
        result = _replayed(client, wanted)
        yield result
        if result.next_cursor is None:
            return
        wanted = msgspec.structs.replace(wanted, cursor=result.next_cursor)


def _replayed(client: Client, wanted: ReplayWanted) -> ReplayResult:
    return decoded(client.command("POST", _url(client, "replay"), body=wanted, timeout=REPLAY_TIMEOUT), ReplayResult)


def _letters(client: Client, wanted: dict[str, object], limit: int) -> Iterator[DeadLetter]:
    def pages() -> Iterator[DeadLetter]:
        parameters = wanted | {"limit": min(limit, PAGE)}
        while True:
            page = client.get(_url(client), DeadLetterList, parameters)
            yield from page.letters
            if page.next_cursor is None:
                return
            parameters["cursor"] = page.next_cursor

    return islice(pages(), limit)


def _instant(flag: str, text: str) -> datetime | None:
    return datetime.fromisoformat(found) if (found := instant_in(flag, text)) else None


def _url(client: Client, *parts: str) -> str:
    return "/".join((f"{client.log_ingester_url}/api/v1/dead-letters", *parts))


def _lines(letter: DeadLetter) -> Iterator[tuple[str, str]]:
    yield "letter", letter.id
    yield "put aside", local(letter.at)
    yield "reason", letter.reason
    yield "error", letter.error
    yield "from", f"{letter.topic or '(it does not say)'}, partition {letter.partition}, offset {letter.offset}"
    yield "key", letter.key
    yield "bytes", str(letter.size)
    yield "tries", str(letter.tries) + (f", before as letter {letter.replay_of}" if letter.replay_of else "")
    replayed = f", {local(letter.replayed_at)}" if letter.replayed_at else ""
    yield "state", f"{letter.state}{replayed}"


def _table(letters: list[DeadLetter]) -> Table:
    table = Table("letter", "put aside", "reason", "state", "tries", "key", "error", box=None, header_style="bold")
    for letter in letters:
        table.add_row(
            letter.id,
            local(letter.at),
            letter.reason,
            Text(letter.state, STATE_STYLE[letter.state]),
            str(letter.tries),
            Text(letter.key),
            Text(letter.error),
        )
    return table
