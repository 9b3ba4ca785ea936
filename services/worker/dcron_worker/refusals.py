"""What stands in etcd and is not run here, because no trusted key vouches for it as it stands (G12).

Each version is told of once, in the log and in the metric, however often it would be due; how many there are now is
told with the worker's registration.
"""

import asyncio
from collections import Counter

from dcron_core.access.signing import REFUSALS, Refusal, Signatures
from dcron_core.errors import SettingsError
from dcron_core.keys import Keys
from dcron_core.settings import WorkerSettings
from dcron_core.telemetry import get_logger
from dcron_worker.metrics import WorkerMetrics

log = get_logger()


class Refusals:
    """The keys under `jobs/` and `runs/` whose values are refused. `changed` is set whenever there are others."""

    def __init__(self, signatures: Signatures, keys: Keys, metrics: WorkerMetrics) -> None:
        self._signatures = signatures
        self._keys = keys
        self._metrics = metrics
        for why in REFUSALS:  # there from the beginning: an alert does not see the first step of what was not there
            metrics.refused.labels(why)
        self._refused: dict[str, Refusal] = {}
        self.changed = asyncio.Event()

    def trusts(self, job_id: str, proof: bytes, revision: int) -> bool:
        """Tell whether a master wrote the definition; refuse it if not."""
        key = self._keys.job(job_id)
        why = self._signatures.refusal(self._keys.path(key), proof)
        if why is not None:
            self.refuse(key, why, revision)
        return why is None

    def refuse(self, key: str, why: Refusal, revision: int) -> None:
        """Take in that the key's value, as of a revision, is refused."""
        self._refused[key] = why
        self._metrics.refused.labels(why).inc()
        self.changed.set()
        log.error(
            "a value in etcd is refused; `dcron log verify` tells what the log says, `dcron log repair` writes that",
            action="definition.refused",
            key=key,
            revision=revision,
            reason=why,
            why=REFUSALS[why],
        )

    def settle(self, key: str) -> bool:
        """Take in that the key is another now, or gone; tell whether it was refused."""
        refused = self._refused.pop(key, None) is not None
        if refused:
            self.changed.set()
        return refused

    def of_job(self, job_id: str) -> Refusal | None:
        """Return why the job's definition is refused; None: it is not, or nobody has looked yet."""
        return self._refused.get(self._keys.job(job_id))

    @property
    def words(self) -> str:
        """How many values are refused, by reason; "": none."""
        return ", ".join(f"{count} {reason}" for reason, count in sorted(Counter(self._refused.values()).items()))


def signatures_of(settings: WorkerSettings) -> Signatures:
    """Return the keys that this worker trusts; raise SettingsError if they do not go together."""
    signatures = Signatures(trusted_keys=settings.trusted_keys, cluster_key=settings.cluster_key)
    if not signatures.verifies:
        log.warning(
            "DCRON_TRUSTED_KEYS is not set: this worker runs whatever is written into etcd, by whomever",
            action="worker.trusts_etcd",
        )
    elif not signatures.confirms:
        problem = (
            "DCRON_CLUSTER_KEY is not set, and DCRON_TRUSTED_KEYS is: retries, dependants and ticks that wait are "
            "confirmed with the cluster's key, and would not run; set it to the masters' one"
        )
        raise SettingsError([problem])
    return signatures
