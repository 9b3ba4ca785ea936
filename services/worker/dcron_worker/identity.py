"""Who this worker is: an id that lives as long as its data directory."""

import socket
from pathlib import Path

from dcron_core.clock import Clock
from dcron_core.errors import SettingsError
from dcron_core.ids import IdSource


def worker_id_in(directory: Path, clock: Clock, ids: IdSource) -> str:
    """Return the id kept in `directory`; make one the first time. Raises SettingsError if that cannot be."""
    file = directory / "worker-id"
    try:
        directory.mkdir(0o700, parents=True, exist_ok=True)  # what runs have written waits there
        if file.exists():
            return file.read_text(encoding="ascii").strip()
        worker_id = f"{socket.gethostname()}-{ids.uuid7(clock.now())[-12:]}"
        fresh = file.with_suffix(".new")
        fresh.write_text(worker_id + "\n", encoding="ascii")
        fresh.replace(file)
        return worker_id
    except OSError as error:
        raise SettingsError([f"DCRON_WORKER_DATA={str(directory)!r} cannot be used: {error}"]) from error
