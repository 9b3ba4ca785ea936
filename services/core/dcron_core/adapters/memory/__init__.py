"""The ports in memory: for unit tests and the simulation. `tests/contract` holds them to the real servers."""

from dcron_core.adapters.memory.log import MemoryLog
from dcron_core.adapters.memory.store import MemoryStore

__all__ = ["MemoryLog", "MemoryStore"]
