"""`dcron kill`: the end of a run."""

from dcron_standalone.client import ApiError
from dcron_standalone.job_commands import connected
from dcron_standalone.log_commands import EXECUTION_ID
from dcron_standalone.terminal import say


def kill_run(execution: str) -> None:
    """End a run: SIGTERM to its processes, SIGKILL after the job's kill_grace.

    Parameters
    ----------
    execution
        The run's id, as `dcron job run` prints it.
    """
    if not EXECUTION_ID.match(execution):
        raise ApiError(f"{execution!r} is not an execution's id; `dcron job run` and `dcron logs NAME` print them")
    with connected() as client:
        say(f"{client.kill(execution).execution_id} is asked to end")
