"""The layout of the keys in etcd (design §4)."""

from msgspec import Struct


class Keys(Struct, frozen=True):
    """Keys under one prefix, which ends with a slash."""

    prefix: str = "/cron/"

    def path(self, key: str) -> str:
        """Return the part of a key that is the same under every prefix."""
        return key.removeprefix(self.prefix)

    @property
    def jobs(self) -> str:
        return f"{self.prefix}jobs/"

    @property
    def ticks(self) -> str:
        return f"{self.prefix}ticks/"

    @property
    def runs(self) -> str:
        return f"{self.prefix}runs/"

    @property
    def executions(self) -> str:
        return f"{self.prefix}executions/"

    @property
    def kills(self) -> str:
        return f"{self.prefix}kills/"

    @property
    def workers(self) -> str:
        return f"{self.prefix}workers/"

    @property
    def clocks(self) -> str:
        return f"{self.prefix}clocks/"

    @property
    def drains(self) -> str:
        return f"{self.prefix}drains/"

    @property
    def users(self) -> str:
        return f"{self.prefix}users/"

    @property
    def tokens(self) -> str:
        return f"{self.prefix}tokens/"

    @property
    def secrets(self) -> str:
        return f"{self.prefix}secrets/"

    @property
    def all_active(self) -> str:
        return f"{self.prefix}active/"

    @property
    def projection(self) -> str:
        return f"{self.prefix}projection"

    @property
    def rebuild(self) -> str:
        return f"{self.prefix}rebuild"

    def job(self, job_id: str) -> str:
        return f"{self.jobs}{job_id}"

    def tick(self, job_id: str) -> str:
        return f"{self.ticks}{job_id}"

    def ticks_of(self, job_id: str) -> str:
        return f"{self.ticks}{job_id}/"

    def worker_tick(self, job_id: str, worker_id: str) -> str:
        return f"{self.ticks_of(job_id)}{worker_id}"

    def marks(self, job_id: str) -> str:
        return f"{self.prefix}marks/{job_id}"

    def run(self, execution_id: str) -> str:
        return f"{self.runs}{execution_id}"

    def execution(self, execution_id: str) -> str:
        return f"{self.executions}{execution_id}"

    def kill(self, execution_id: str) -> str:
        return f"{self.kills}{execution_id}"

    def worker(self, worker_id: str) -> str:
        return f"{self.workers}{worker_id}"

    def clock(self, worker_id: str) -> str:
        return f"{self.clocks}{worker_id}"

    def user(self, name: str) -> str:
        return f"{self.users}{name}"

    def token(self, token_id: str) -> str:
        return f"{self.tokens}{token_id}"

    def secret(self, namespace: str, name: str) -> str:
        return f"{self.secrets}{namespace}/{name}"

    def drain(self, worker_id: str) -> str:
        return f"{self.drains}{worker_id}"

    def active_of(self, job_id: str) -> str:
        return f"{self.all_active}{job_id}/"

    def active(self, job_id: str, execution_id: str) -> str:
        return f"{self.active_of(job_id)}{execution_id}"
