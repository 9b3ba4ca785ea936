"""What a run is started with: all that can be made ready before its instant, its secrets in their places."""

from msgspec import Struct

from dcron_schemas.job import HttpCall, JobSpec
from dcron_schemas.records import Execution
from dcron_worker.command import command_of
from dcron_worker.errors import ProcessStartError, SecretError
from dcron_worker.http_call import headers_of
from dcron_worker.mask import Mask
from dcron_worker.program import Program, program_of
from dcron_worker.secrets_known import SecretsKnown
from dcron_worker.users import JobUsers


class ProcessStart(Struct, frozen=True):
    """Of a process."""

    program: Program
    mask: Mask  # of the secrets that its environment holds


class CallStart(Struct, frozen=True):
    """Of a call over HTTP."""

    call: HttpCall
    headers: dict[str, str]  # besides the call's, and instead of them
    mask: Mask  # of the secrets that the headers hold


def process_start(spec: JobSpec, execution: Execution, users: JobUsers, secrets: SecretsKnown) -> ProcessStart:
    """Return what to start; raise ProcessStartError if it cannot be started here."""
    command = command_of(spec, execution, users, secrets)
    mask = Mask(command.secrets)
    try:
        program = program_of(command.argv, command.environment, command.working_directory, command.confinement)
    except ProcessStartError as error:
        raise ProcessStartError(mask.of(str(error))) from None
    return ProcessStart(program, mask)


def call_start(call: HttpCall, namespace: str, execution: Execution, secrets: SecretsKnown) -> CallStart:
    """Return how to call; raise SecretError if that cannot be told here."""
    headers, values = secrets.revealed(namespace, call.headers)
    for name, value in headers.items():
        if not value.isascii() or not (value.isprintable() or not value):
            raise SecretError(
                f"the header {name} cannot be sent: its secret holds what no header may, such as a line end"
            )
    return CallStart(call, {**headers, **headers_of(execution)}, Mask(values))
