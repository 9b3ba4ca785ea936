"""Users, tokens and secrets as a master reads and changes them: read from the log alone, changed by commands.

Who may come in is decided by what the log says and never by what stands in etcd, so that whoever can write to etcd
lets nobody in (G11). Reads hold every command that was acknowledged before.
"""

from msgspec import Struct

from dcron_core.access.directory import Directory
from dcron_core.errors import UnavailableError
from dcron_core.history import History
from dcron_core.telemetry import get_logger

log = get_logger()


class IdentityLog(Struct, frozen=True):
    """The directory, as the history of the log has it."""

    history: History

    def known(self) -> Directory:
        """Return the directory as far as this master has read; raise UnavailableError until it has read all once."""
        if self.history.stopped is not None:
            raise UnavailableError(str(self.history.stopped))
        if not self.history.caught_up.is_set():
            raise UnavailableError("this master is still reading who may come in; it does so when it starts")
        return self.history.table.directory

    async def now(self) -> Directory:
        """Return the directory with all that is in the log by now."""
        await self.history.at_end()
        return self.history.table.directory

    async def settled(self) -> None:
        """After a command: wait until this master goes by what came of it. The command stands in any case."""
        try:
            await self.history.at_end()
        except UnavailableError as error:
            log.warning("a change of who may come in is read later", action="identity.late", error=str(error))
