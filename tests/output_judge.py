"""The validators of G9 under faults: what jobs printed, what is stored, and what viewers saw of it.

Each job keeps a witness of its own beside its output: what it is about to print, and when. A validator returns what
is wrong, as text for people; nothing: the guarantee held. It shares no code with what it judges.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

READ_WITHIN_S = 3.0  # what a job printed longer before its worker was killed is on the worker's disk
STREAMS = ("stdout", "stderr")


@dataclass(frozen=True)
class Printed:
    """A line of the witness: written down before it was printed."""

    at: float  # seconds since 1970
    stream: str
    text: str  # with its line feed


@dataclass(frozen=True)
class Piece:
    """A chunk of output as it is stored, or as it was seen."""

    seq: int
    stream: str
    text: str


@dataclass(frozen=True)
class Run:
    """What is stored of one run."""

    execution_id: str
    status: str
    worker_id: str
    pieces: Sequence[Piece]  # in the order of their ids
    output_chunks: int | None = None  # as its end says


@dataclass
class View:
    """What one viewer saw of a run, over all its connections."""

    name: str
    execution_id: str
    pieces: list[Piece] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # what came in the wrong order within one connection
    status: str = ""  # as the last frame said
    seen_then: int = 0  # pieces that had been seen when the last frame came
    connections: int = 0
    gaps: int = 0  # frames that said so


def witness(text: str) -> list[Printed]:
    """Read what a job wrote down; a last line that was cut by its end was not printed."""
    lines = text.split("\n")[:-1]
    return [Printed(float(at), stream, said + "\n") for at, stream, said in (line.split(" ", 2) for line in lines)]


def stored_is_what_was_printed(
    run: Run, printed: Sequence[Printed], killed_at: Mapping[str, Sequence[float]]
) -> list[str]:
    """All lines, once and in order. Only of a run whose worker was killed, the last ones may be missing.

    Those are what the job had printed and the worker had not read, or not put on its disk: nothing that is older than
    `READ_WITHIN_S`. `killed_at` says when each worker was killed.
    """
    problems = [*_chunks_without_hole(run)]
    kills = [at for at in killed_at.get(run.worker_id, ()) if not printed or at >= printed[0].at]
    cut = run.status == "lost"
    if cut and not kills:
        problems.append(f"it is lost, but {run.worker_id} was not killed while it ran")
    elif not cut and run.status != "succeeded":
        problems.append(f"it is {run.status}")
    for stream in STREAMS:
        said = [line for line in printed if line.stream == stream]
        stored = "".join(piece.text for piece in run.pieces if piece.stream == stream)
        certain = [line for line in said if not cut or (kills and line.at < min(kills) - READ_WITHIN_S)]
        problems += _beginning(stream, stored, _text(said), len(_text(certain)))
    return [f"{run.execution_id}: {problem}" for problem in problems]


def _chunks_without_hole(run: Run) -> Iterable[str]:
    seqs = [piece.seq for piece in run.pieces]
    if seqs != list(range(len(seqs))):
        yield f"chunks are numbered {_spans(seqs)}"
    if run.status != "lost" and run.output_chunks != len(seqs):
        yield f"its end says {run.output_chunks} chunks, and {len(seqs)} are stored"


def _beginning(stream: str, stored: str, said: str, at_least: int) -> Iterable[str]:
    """Yield what is wrong unless `stored` is what was said up to somewhere, from `at_least` characters on."""
    if not said.startswith(stored):
        differs = next(
            (n for n, (a, b) in enumerate(zip(stored, said, strict=False)) if a != b), min(len(stored), len(said))
        )
        near = slice(max(0, differs - 40), differs + 40)
        yield f"{stream} differs at character {differs}: stored {stored[near]!r}, printed {said[near]!r}"
    elif len(stored) < at_least:
        missing = said[len(stored) : at_least]
        yield f"{stream} ends {missing.count(chr(10))} lines too early, before {missing[:80]!r}"


def viewers_saw_what_is_stored(run: Run, view: View) -> list[str]:
    """Exactly the stored chunks, in order. A view may end at `lost` before the last of them came; it says so."""
    problems = list(view.problems)
    if not view.status:
        problems.append("the view did not come to its end")
    elif view.status != run.status and view.status != "lost":  # a true end that comes later supersedes `lost`
        problems.append(f"it saw the run end as {view.status}, and {run.status} is stored")
    seen, stored = [piece.seq for piece in view.pieces], [piece.seq for piece in run.pieces]
    if seen != stored:
        problems.append(f"it saw chunks {_spans(seen)}, and {_spans(stored)} are stored")
    elif other := [a.seq for a, b in zip(view.pieces, run.pieces, strict=True) if a != b]:
        problems.append(f"it saw chunks {_spans(other)} otherwise than they are stored")
    if view.status not in ("", "lost") and view.seen_then != len(view.pieces):
        problems.append(f"the last frame came after {view.seen_then} of {len(view.pieces)} chunks")
    return [f"{view.name} of {run.execution_id}: {problem}" for problem in problems]


def _text(lines: Sequence[Printed]) -> str:
    return "".join(line.text for line in lines)


def _spans(seqs: Sequence[int]) -> str:
    """Return the numbers as spans, such as 0-4, 6-9."""
    spans = []
    for _, group in groupby(enumerate(seqs), key=lambda numbered: numbered[1] - numbered[0]):
        members = [seq for _, seq in group]
        spans.append(f"{members[0]}-{members[-1]}")
    return ", ".join(spans) or "none"
