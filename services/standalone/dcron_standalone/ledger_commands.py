"""`dcron audit ledger`: what became of every tick."""

from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from msgspec.structs import replace
from rich.table import Table
from rich.text import Text

from dcron_schemas.audit import Ledger, LedgerTick, LedgerTotals
from dcron_standalone.client import Client
from dcron_standalone.job_commands import Namespace, connected
from dcron_standalone.moments import instant_in, local
from dcron_standalone.terminal import note, say, say_table

TICKS_PER_PAGE = 10_000
TIMEOUT_S = 600.0  # a million ticks take minutes
STYLE = {
    "run": "green",
    "skipped": "yellow",
    "withdrawn": "dim",
    "pending": "cyan",
    "beyond": "magenta",
    "excluded": "dim",
}


def show_ledger(
    name: str = "",
    *,
    start: Annotated[str, Parameter(name="--from", show_default=False)] = "",
    end: Annotated[str, Parameter(name="--to", show_default=False)] = "",
    namespace: Namespace = "",
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> None:
    """Account for every tick that the definitions in force implied: run, skipped and why, or UNACCOUNTED.

    What a day of rest or a clock change excludes is listed too: it is no tick. A job on every worker has a line for
    each worker.

    Ends with exit code 1 if a tick ran twice or is unaccounted for.

    Parameters
    ----------
    name
        A job's name, also of one that was deleted, or its id. Left out: all jobs, of which only the ticks that must
        not be are listed.
    start
        Ticks after this instant, such as 2026-03-29T01:00:00Z or 2h; an hour before --to by default.
    end
        Ticks up to this instant; now by default.
    as_json
        Print JSON for programs.
    """
    query: dict[str, Any] = {"limit": TICKS_PER_PAGE}
    if name:
        query |= {"job_id": name} if _is_id(name) else {"job": name}
    if namespace:
        query["namespace"] = namespace
    query |= {
        field: instant_in(flag, text)
        for field, flag, text in (("start", "--from", start), ("end", "--to", end))
        if text
    }
    with connected() as client:
        ledger = _whole(client, query)
    if as_json:
        print(msgspec.json.encode(ledger).decode())
    else:
        _print(ledger)
    if ledger.totals.doubles or ledger.totals.unaccounted:
        raise SystemExit(1)


def _whole(client: Client, query: dict[str, Any]) -> Ledger:
    """Return the ledger with the ticks of all its pages."""
    url = f"{client.log_ingester_url}/api/v1/audit/ledger"
    page = client.get(url, Ledger, query, timeout_s=TIMEOUT_S)
    query |= {"start": page.start.isoformat(), "end": page.end.isoformat()}
    ticks = list(page.ticks)
    while page.next_cursor is not None:
        page = client.get(url, Ledger, {**query, "cursor": page.next_cursor}, timeout_s=TIMEOUT_S)
        ticks += page.ticks
    return replace(page, ticks=tuple(ticks), next_cursor=None)


def _is_id(name: str) -> bool:
    return len(name) == 36 and name.count("-") == 4


def _print(ledger: Ledger) -> None:
    of = f"job {ledger.job_id}" if ledger.job_id else "all jobs"
    note(f"{of}, {local(ledger.start)} to {local(ledger.end)}, definitions of log position {ledger.position}")
    if ledger.ticks:
        say_table(_table(ledger))
    hidden = ledger.totals.doubles + ledger.totals.unaccounted - len(ledger.ticks)
    if not ledger.job_id and hidden > 0:
        note(f"and {hidden} more; ask for a shorter range, or for one job", style="yellow")
    wrong = ledger.totals.doubles or ledger.totals.unaccounted
    say(_totals(ledger.totals), style="bold red" if wrong else "bold green")


def _table(ledger: Ledger) -> Table:
    columns = ("tick", "version", "became", "execution or reason")
    table = Table(*(columns if ledger.job_id else ("job", *columns)), box=None, header_style="bold")
    for tick in ledger.ticks:
        cells = (Text(local(tick.tick)), Text(str(tick.version)), _became(tick), Text(_why(tick), overflow="fold"))
        table.add_row(*(cells if ledger.job_id else (Text(tick.job_id), *cells)))
    return table


def _became(tick: LedgerTick) -> Text:
    if tick.outcome == "unaccounted":
        return Text("UNACCOUNTED", "bold red")
    if tick.claims > 1:
        return Text(f"DOUBLE: {tick.claims} claims", "bold red")
    return Text(tick.outcome, STYLE[tick.outcome])


def _why(tick: LedgerTick) -> str:
    ran = f"{tick.execution_id} {tick.status}" if tick.execution_id else tick.reason or ""
    worker = f"worker {tick.worker_id}" if tick.worker_id else ""
    return "; ".join(part for part in (ran, tick.detail, *_stretch(tick), worker) if part)


def _stretch(tick: LedgerTick) -> tuple[str, ...]:
    """Return how far what is excluded reaches, and whether it is on record."""
    if tick.outcome != "excluded":
        return ()
    count = str(tick.count) if tick.count else "many"
    to = f"{count} times, the last one {local(tick.last_tick)}" if tick.last_tick else ""
    return (to, "" if tick.recorded else "says the definition; no record of a worker")


def _totals(totals: LedgerTotals) -> str:
    skips = ", ".join(f"{count} {reason}" for reason, count in totals.skips.items())
    skipped = f"{sum(totals.skips.values())} skipped" + (f" ({skips})" if skips else "")
    excluded = ", ".join(f"{count} by {reason}" for reason, count in totals.excluded.items())
    return (
        f"{totals.ticks} ticks: {totals.runs} run, {skipped}, {totals.withdrawn} withdrawn, {totals.pending} pending, "
        f"{totals.doubles} doubles, {totals.unaccounted} unaccounted; {totals.beyond} runs beyond"
        + (f"; stretches excluded: {excluded}" if excluded else "")
    )
