"""The HTTP routes of dead letters: list them, look into one, replay them."""

import base64
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from dcron_core.access.rules import SYSTEM, ruled
from dcron_core.http.parameters import refuse_unknown_parameters
from dcron_core.http.problems import ProblemError
from dcron_core.ports.log import Record
from dcron_log_ingester.batches import Document
from dcron_log_ingester.cursors import Cursor, cursor_text
from dcron_log_ingester.dead_letters import letter_id, own_headers, position_of
from dcron_log_ingester.parameters import bad, cursor_of, span_of
from dcron_log_ingester.replayer import Replayer
from dcron_log_ingester.store import LetterFilter, LetterRecords
from dcron_schemas.api import FieldProblem
from dcron_schemas.dead_letters import (
    DeadLetter,
    DeadLetterDetail,
    DeadLetterList,
    Header,
    LetterState,
    Reason,
    ReplayResult,
    ReplayWanted,
)

TAG = "dead letters"
MOST_LETTERS = 500  # in one answer
MOST_REPLAYED = 200  # by one request
SHOWN_BYTES = 64 << 10  # of a payload

Limit = Annotated[int, QueryParameter(ge=1, le=MOST_LETTERS, description="most entries in the answer")]
Reasons = Annotated[list[Reason] | None, QueryParameter(description="repeatable")]


def dead_letter_routes(letters: LetterRecords, replayer: Replayer) -> Sequence[HTTPRouteHandler]:
    """Return the route handlers."""

    @get("/api/v1/dead-letters", opt=ruled(SYSTEM("operator")), tags=[TAG])
    async def list_dead_letters(
        request: Request[Any, Any, Any],
        reason: Reasons = None,
        topic: FromQuery[str | None] = None,
        letter_state: Annotated[LetterState | None, QueryParameter(name="state")] = None,
        start: FromQuery[str | None] = None,
        end: FromQuery[str | None] = None,
        limit: Limit = 50,
        cursor: FromQuery[str | None] = None,
    ) -> DeadLetterList:
        """List dead letters, the last one first; `cursor` is the `next_cursor` of the page before."""
        refuse_unknown_parameters(request, {"reason", "topic", "state", "start", "end", "limit", "cursor"})
        since, until = span_of(start, end)
        wanted = LetterFilter(
            reasons=tuple(dict.fromkeys(reason or ())), topic=topic, state=letter_state, start=since, end=until
        )
        found = await letters.find(wanted, cursor_of(cursor), limit + 1)
        return DeadLetterList(letters=tuple(map(_view, found[:limit])), next_cursor=_next(found, limit))

    @get("/api/v1/dead-letters/{letter:str}", opt=ruled(SYSTEM("operator")), tags=[TAG])
    async def get_dead_letter(letter: FromPath[str]) -> DeadLetterDetail:
        """Return one letter with its headers and its payload."""
        known = await letters.one(letter)
        if known is None:
            raise ProblemError(
                404,
                "no such dead letter",
                f"there is no dead letter {letter[:80]!r}; they are named as the list shows them, such as 0-17",
                errors=(FieldProblem(field="letter", value=letter[:80], message="not known"),),
            )
        return _detail(_view(known), await replayer.letter(letter))

    @post("/api/v1/dead-letters/replay", opt=ruled(SYSTEM("operator")), tags=[TAG], status_code=200)
    async def replay_dead_letters(data: JSONBody[ReplayWanted]) -> ReplayResult:
        """Send letters back to where they came from: those named, or all that wait, a page at a time."""
        _check(data)
        if data.ids:
            names = tuple(dict.fromkeys(data.ids))
            return await replayer.replay([(name, await letters.one(name)) for name in names], again=data.again)
        wanted = LetterFilter(reasons=data.reasons, topic=data.topic, state="waiting", start=data.start, end=data.end)
        found = await letters.find(wanted, cursor_of(data.cursor), MOST_REPLAYED + 1)
        page = found[:MOST_REPLAYED]
        result = await replayer.replay([(_view(each).id, each) for each in page], again=False)
        return msgspec.structs.replace(result, next_cursor=_next(found, MOST_REPLAYED))

    return [list_dead_letters, get_dead_letter, replay_dead_letters]


def _check(wanted: ReplayWanted) -> None:
    """Raise ProblemError for a wish that does not say one thing."""
    if bool(wanted.ids) == wanted.all:
        raise bad("ids", ", ".join(wanted.ids), "not alone" if wanted.all else "missing", "give ids, or all: true")
    if len(wanted.ids) > MOST_REPLAYED:
        raise bad("ids", f"{len(wanted.ids)} of them", "too many", f"give {MOST_REPLAYED} at most, or all: true")
    for name in wanted.ids:
        if position_of(name) is None:
            raise bad("ids", name, "not a letter's name", "name them as the list shows them, such as 0-17")
    for field, instant in (("start", wanted.start), ("end", wanted.end)):
        if instant is not None and instant.tzinfo is None:
            raise bad(field, instant.isoformat(), "without a zone", "write it like 2026-03-01T12:00:00Z, with a zone")
    if wanted.ids and (wanted.reasons or wanted.topic or wanted.start or wanted.end or wanted.cursor):
        raise bad("ids", ", ".join(wanted.ids), "not alone", "reasons, topic, start, end and cursor go with all: true")
    if wanted.all and wanted.again:
        raise bad("again", "true", "for ids only", "all: true replays those that wait")


def _next(found: Sequence[Document], limit: int) -> str | None:
    """Return the cursor of the page behind the first `limit` of those found."""
    return cursor_text(Cursor(found[limit - 1]["at"], found[limit - 1]["_id"])) if len(found) > limit else None


def _view(document: Document) -> DeadLetter:
    partition, _, offset = document["_id"].partition("-")
    return msgspec.convert({**document, "id": letter_id(int(partition), int(offset))}, DeadLetter)


def _detail(letter: DeadLetter, record: Record | None) -> DeadLetterDetail:
    if record is None:
        return DeadLetterDetail(letter=letter, headers=(), payload=None, encoding="utf-8", payload_cut=False)
    payload, encoding = _shown(record.value)
    return DeadLetterDetail(
        letter=letter,
        headers=tuple(Header(name=name, value=value.decode(errors="replace")) for name, value in own_headers(record)),
        payload=payload,
        encoding=encoding,
        payload_cut=len(record.value) > SHOWN_BYTES or letter.cut,
    )


def _shown(value: bytes) -> tuple[str, Literal["utf-8", "base64"]]:
    """Return as much of a payload as is shown: as text, if it is text."""
    shown = value if len(value) <= SHOWN_BYTES else _whole_characters(value[:SHOWN_BYTES])
    try:
        return shown.decode(), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(shown).decode(), "base64"


def _whole_characters(value: bytes) -> bytes:
    """Return text without the character that was cut at its end; anything else as it is."""
    for end in range(len(value), len(value) - 4, -1):
        with suppress(UnicodeDecodeError):
            value[:end].decode()
            return value[:end]
    return value
