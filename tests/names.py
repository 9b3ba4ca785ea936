"""Names of a test's own, so that tests share the servers without seeing each other."""

from dataclasses import dataclass
from uuid import uuid4


@dataclass(frozen=True)
class Names:
    """Unique in the servers' lifetime."""

    unique: str

    @classmethod
    def new(cls) -> "Names":
        return cls(uuid4().hex[:12])

    @property
    def etcd_prefix(self) -> str:
        return f"/cron-{self.unique}/"

    @property
    def topic_prefix(self) -> str:
        return f"cron-{self.unique}."

    @property
    def database(self) -> str:
        return f"cron_{self.unique}"

    @property
    def consumer_group(self) -> str:
        return f"dcron-{self.unique}"
