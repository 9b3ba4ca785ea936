"""`dcron log …`: the log of job events held against etcd, mended, backed up, and brought back.

All but `skip` speak to etcd and Kafka themselves, with the addresses of the environment or of the local stack: they
are needed most when no master is ready. `skip` is a command to a master.

What they write is signed with DCRON_SIGNING_KEY, or the local stack's key; without one, they say that no worker with
DCRON_TRUSTED_KEYS will run it (G12).
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from cyclopts import App, Parameter
from cyclopts.validators import Number
from msgspec import Struct

from dcron_core.access.signing import Signatures
from dcron_core.adapters.etcd import EtcdStore
from dcron_core.adapters.kafka import KafkaLog
from dcron_core.errors import DcronError, UnavailableError
from dcron_core.job_log import JobLog
from dcron_core.keys import Keys
from dcron_core.settings import ToolSettings, load
from dcron_core.telemetry import configure_logging
from dcron_core.topics import topics
from dcron_master.backup import export, import_file
from dcron_master.drift import Drift
from dcron_master.inspection import Inspection, inspect
from dcron_master.log_file import check_file
from dcron_master.rebuild import rebuild
from dcron_master.recovery import Verified, repair, verify
from dcron_master.snapshot import read_projection
from dcron_schemas.state import Projection
from dcron_standalone.data_directory import DataDirectory, private_file
from dcron_standalone.job_commands import connected
from dcron_standalone.terminal import note, say

DRIFTED = 1  # exit code
MOST_SHOWN = 100  # keys; --json has them all

T = TypeVar("T")
Offset = Annotated[int, Parameter(validator=Number(gte=0))]
Flag = Annotated[bool, Parameter(negative="")]

app = App(name="log", help="The log of job events: verify, repair, rebuild, back up, mend.")


class Servers(Struct, frozen=True):
    """etcd and Kafka, as the tools see them."""

    settings: ToolSettings
    store: EtcdStore
    log: KafkaLog

    @property
    def job_log(self) -> JobLog:
        return JobLog(self.log, self.settings.job_events_topic)

    @property
    def keys(self) -> Keys:
        return Keys(self.settings.etcd_prefix)

    @property
    def signatures(self) -> Signatures:
        return Signatures(self.settings.signing_key, self.settings.trusted_keys)


def tool_settings(environ: Mapping[str, str] = os.environ) -> ToolSettings:
    """Return where the servers are: what the environment does not say, the local stack's file does."""
    directory = DataDirectory(Path(environ.get("DCRON_DATA", ".dcron")))
    stack = directory.read_servers()
    known = stack.environment() if stack else {}
    if stack and directory.signing_key_file.exists() and not {"DCRON_ETCD", "DCRON_SIGNING_KEY"} & environ.keys():
        known["DCRON_SIGNING_KEY_FILE"] = str(directory.signing_key_file)
    return load(ToolSettings, {**known, **environ})


@app.command(name="verify")
def verify_table(*, json: Flag = False) -> None:
    """Fold the log from zero and compare with etcd, also while masters run. Exits with 1 if they differ.

    Signatures are checked against DCRON_TRUSTED_KEYS and the key of DCRON_SIGNING_KEY.

    Parameters
    ----------
    json
        Print all of it as JSON.
    """
    verified = _with_log(lambda servers: verify(servers.store, servers.job_log, servers.keys, servers.signatures))
    if not tool_settings().trusted_keys and not tool_settings().signing_key:
        note("signatures were not checked: neither DCRON_TRUSTED_KEYS nor DCRON_SIGNING_KEY is set", style="yellow")
    if json:
        say(msgspec.json.encode(verified).decode())
    else:
        _say_verified(verified)
    if not verified.clean:
        sys.exit(DRIFTED)


@app.command(name="repair")
def repair_table() -> None:
    """Write into etcd what differs from the log, or is not signed by a trusted key, also while masters run.

    It is signed with DCRON_SIGNING_KEY (or DCRON_SIGNING_KEY_FILE), which is to be a master's.
    """
    repaired = _with_log(lambda servers: repair(servers.store, servers.job_log, servers.keys, servers.signatures))
    _warn_if_unsigned()
    for line in _drift_lines(repaired.written):
        say(line)
    done = f"{len(repaired.written)} keys written" if repaired.written else "nothing to repair"
    say(f"{done}: etcd's job table is the log at position {repaired.position}, {repaired.jobs} jobs")


@app.command(name="resign")
def resign_table() -> None:
    """Sign all that masters wrote into etcd anew with DCRON_SIGNING_KEY, also while they run: to change the key.

    First add the new public key to DCRON_TRUSTED_KEYS of every service and start each again; then give the masters
    the new DCRON_SIGNING_KEY. Then run this, and wait until requests for runs from before are done. Then take the old
    key out of DCRON_TRUSTED_KEYS. No tick is missed on the way. What differs from the log is mended too.
    """
    if not tool_settings().signing_key:
        raise DcronError("DCRON_SIGNING_KEY (or DCRON_SIGNING_KEY_FILE) is not set: there is no key to sign with")
    done = _with_log(
        lambda servers: repair(servers.store, servers.job_log, servers.keys, servers.signatures.own_only())
    )
    say(f"{len(done.written)} values were written; now all of {done.jobs} jobs and all else are signed with this key")


@app.command(name="rebuild")
def rebuild_table() -> None:
    """Make the job table again in an etcd that lost it. Workers and masters may run.

    It is signed with DCRON_SIGNING_KEY (or DCRON_SIGNING_KEY_FILE), which is to be a master's.
    """
    rebuilt = _with_log(lambda servers: rebuild(servers.store, servers.job_log, servers.keys, servers.signatures))
    _warn_if_unsigned()
    say(f"etcd's job table is the log at position {rebuilt.position} again: {rebuilt.jobs} jobs")
    if rebuilt.removed:
        say(f"{rebuilt.removed} keys of no job were removed")
    if rebuilt.stopped:
        raise DcronError(f"the log could not be read to its end: {rebuilt.stopped}")


@app.command(name="export")
def export_log(file: Path | None = None, /) -> None:
    """Write the whole log to a file, for a backup.

    Parameters
    ----------
    file
        Where to; it must not exist. None: to stdout.
    """
    if file is None:
        _with_log(_export_to_stdout)
        return
    if file.exists():
        raise DcronError(f"{file} exists; choose another name, or remove it")
    try:
        _with_log(partial(_export_to_file, file))
    except OSError as error:
        raise DcronError(f"{file} cannot be written: {error}") from error


async def _export_to_stdout(servers: Servers) -> None:
    await export(servers.job_log, sys.stdout.buffer.write)
    sys.stdout.buffer.flush()


async def _export_to_file(file: Path, servers: Servers) -> None:
    with private_file(file) as write:
        exported = await export(servers.job_log, write)
    note(f"{file}: log {exported.log_id}, {exported.records} records")


@app.command(name="import")
def import_log(file: Path, /) -> None:
    """Bring the log back from a file, into an empty topic or one that holds a part of it. Stop the masters first.

    Parameters
    ----------
    file
        What `dcron log export` wrote.
    """
    checked = check_file(file)

    async def bring_back(servers: Servers) -> None:
        wanted = [each for each in topics(servers.settings) if each.name == servers.settings.job_events_topic]
        await servers.log.ensure_topics(wanted)
        projection = await _projection(servers)
        done = await import_file(checked, servers.log, servers.settings.job_events_topic, projection)
        say(f"log {done.log_id}: {done.appended} records brought back, {done.before} were there; all compared")
        if done.beyond:
            say(f"the topic goes on after them with {done.beyond} records that the file does not have")
        if projection is not None and projection.position >= checked.count + done.beyond:
            note(
                f"etcd's job table is at position {projection.position}, beyond the log's end: masters will refuse to "
                f"start. To go back to this log, remove {servers.keys.projection} from etcd; then `dcron log rebuild`",
                style="yellow",
            )

    _run(bring_back)


@app.command(name="show")
def show_record(*, offset: Offset) -> None:
    """Show a record of the log as it stands, and what it means or why it cannot be read.

    Parameters
    ----------
    offset
        Its position in the log.
    """
    seen = _with_log(lambda servers: inspect(servers.job_log, offset))
    for line in _inspection_lines(seen):
        say(line)


@app.command(name="skip")
def skip_record(*, offset: Offset, reason: str) -> None:
    """Step over a record that cannot be read, now and whenever the log is replayed. It is an event of its own.

    Parameters
    ----------
    offset
        The record's position in the log.
    reason
        Why it is given up, for whoever reads the log later.
    """
    with connected() as client:
        skipped = client.skip_record(offset, reason)
    say(f"offset {skipped.offset} is stepped over, as position {skipped.position} of the log says")
    note("look with `dcron log verify`; another record that cannot be read is named there")


def _warn_if_unsigned() -> None:
    if not tool_settings().signing_key:
        note(
            "DCRON_SIGNING_KEY is not set: what is written is not signed; workers with DCRON_TRUSTED_KEYS refuse it",
            style="yellow",
        )


def _with_log(work: Callable[[Servers], Awaitable[T]]) -> T:
    """Do `work` on the servers, once it is known that there is a log."""

    async def checked(servers: Servers) -> T:
        async with servers.log.reader(servers.settings.job_events_topic):  # says so if there is no such topic
            pass
        return await work(servers)

    return _run(checked)


def _run(work: Callable[[Servers], Awaitable[T]]) -> T:
    settings = tool_settings()
    configure_logging("error", "console")

    async def run() -> T:
        async with _opened(settings) as servers:
            return await work(servers)

    return asyncio.run(run())


@asynccontextmanager
async def _opened(settings: ToolSettings) -> AsyncIterator[Servers]:
    async with (
        EtcdStore.open(settings.etcd, security=settings.etcd_security) as store,
        KafkaLog.open(settings.kafka, security=settings.kafka_security) as log,
    ):
        yield Servers(settings, store, log)


async def _projection(servers: Servers) -> Projection | None:
    """Return etcd's position; None, and say so, if etcd does not answer."""
    try:
        item = await servers.store.get(servers.keys.projection)
    except UnavailableError as error:
        note(f"not compared with etcd's job table: {error}", style="yellow")
        return None
    return None if item is None else read_projection(item)


def _say_verified(verified: Verified) -> None:
    if verified.problem:
        say(verified.problem)
    if verified.lag is None:  # the two could not be compared
        return
    for line in _drift_lines(verified.drifts):
        say(line)
    where = f"position {verified.position} of log {verified.log_id}"
    behind = f"; etcd is {verified.lag} events behind the log's end" if verified.lag else ""
    if not verified.drifts:
        say(f"etcd's job table is the fold of the log at {where}: {verified.jobs} jobs{behind}")
    else:
        say(f"{len(verified.drifts)} keys differ from the fold at {where}{behind}; `dcron log repair` writes them")


def _drift_lines(drifts: tuple[Drift, ...]) -> list[str]:
    lines = []
    for drift in drifts[:MOST_SHOWN]:
        lines.append(f"{drift.kind:<10} {drift.key}  {drift.name}".rstrip())
        for change in drift.changes:
            was, now = (msgspec.json.encode(value).decode() for value in (change.before, change.after))
            lines.append(f"             {change.field}: the log says {was}, etcd {now}")
        if drift.detail:
            lines.append(f"             {drift.detail}")
    if len(drifts) > MOST_SHOWN:
        lines.append(f"… and {len(drifts) - MOST_SHOWN} more keys; `dcron log verify --json` lists them all")
    return lines


def _inspection_lines(seen: Inspection) -> list[str]:
    lines = [
        f"offset   {seen.offset}",
        f"key      {seen.key!r}",
        f"at       {seen.at.isoformat()}",
        f"sha256   {seen.sha256}",
        f"bytes    {len(seen.value)}",
    ]
    try:
        lines.append(f"text     {seen.value.decode()!r}")
    except UnicodeDecodeError:
        lines.append(f"hex      {seen.value.hex()}")
    if seen.event is not None:
        lines.append(f"event    {type(seen.event.data).__name__}")
        lines.append(msgspec.json.format(msgspec.json.encode(seen.event), indent=2).decode())
        return lines
    lines.append(f"{seen.reading}: {seen.why}")
    if seen.skipped_at is not None:
        lines.append(f"stepped over, as position {seen.skipped_at} says")
    elif seen.reading == "unreadable":
        lines.append(f"to step over it: dcron log skip --offset {seen.offset} --reason …")
    return lines
