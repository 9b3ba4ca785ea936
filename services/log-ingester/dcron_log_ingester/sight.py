"""Which runs whoever asks may see (G11).

A run is of the namespace that its records name: the one that its job was in when it was claimed. Nothing that a job
prints, or how it ends, gets there; the worker takes it from the definition that it runs. Since the id of a run names
its job, and the log of job events says where every job ever was, a record that names another namespace than one of
those is believed by nobody here: whoever can write to etcd or to Kafka, but not to the log of job events, does not
move a run into a namespace of theirs to read its output.

What is out of sight is answered as what is not there.
"""

from collections.abc import Set

from msgspec import Struct

from dcron_core.access.principal import Principal
from dcron_core.executions import job_of
from dcron_core.history import History
from dcron_schemas.api import ExecutionView


class Sight(Struct, frozen=True):
    """The runs for one asker."""

    principal: Principal
    history: History

    async def of(self, execution: ExecutionView) -> bool:
        """Tell whether the run, and so its output, may be seen."""
        shown = self.principal.visible()
        if shown is None:
            return True
        return execution.namespace in shown and await self._ever_in(execution.execution_id, {execution.namespace})

    async def of_some_run_like(self, execution_id: str) -> bool:
        """Tell whether a run with that id could be seen, before anything is known of it but its job."""
        shown = self.principal.visible()
        return shown is None or await self._ever_in(execution_id, shown)

    def of_job(self, job_id: str) -> bool:
        """Tell whether all of a job's past is in sight, as far as the log is read: what is told of it as a whole."""
        shown = self.principal.visible()
        namespaces = self.history.namespaces_of(job_id)
        return shown is None or (bool(namespaces) and namespaces <= shown)

    async def _ever_in(self, execution_id: str, namespaces: Set[str]) -> bool:
        """Tell whether the run's job ever was in one of them; before a no the log is read to its end."""
        job_id = job_of(execution_id)
        if self.history.namespaces_of(job_id).isdisjoint(namespaces):
            await self.history.at_end()
        return not self.history.namespaces_of(job_id).isdisjoint(namespaces)
