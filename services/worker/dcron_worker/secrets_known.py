"""The secrets that this worker knows, as they stand in etcd: sealed. What a run needs is opened for its start.

A value is then in the worker's memory until the output of the run has been read, since it is masked there.
"""

from collections.abc import Mapping

from dcron_core.access.sealing import Sealer
from dcron_core.errors import SealError
from dcron_core.jobs.secret_references import with_secrets
from dcron_core.ports.store import KeyValue
from dcron_schemas.codec import decode_state
from dcron_schemas.identity import SecretEntry
from dcron_worker.errors import SecretError


class SecretsKnown:
    """What is under `secrets/`: `take` follows it."""

    def __init__(self, cluster_key: str) -> None:
        self._sealer = Sealer(cluster_key)
        self._sealed: dict[str, str] = {}  # namespace/name → sealed text

    def take(self, place: str, item: KeyValue | None) -> None:
        """Take in what stands at namespace/name; None: nothing any more."""
        self._sealed.pop(place, None)
        if item is not None:
            self._sealed[place] = decode_state(SecretEntry, item.value).sealed

    def value(self, namespace: str, name: str) -> str:
        """Return the value of a secret; raise SecretError, which names the secret and never shows its value."""
        sealed = self._sealed.get(f"{namespace}/{name}")
        if sealed is None:
            raise SecretError(
                f"there is no secret {name!r} in the namespace {namespace!r}; set it, or correct the name"
            )
        try:
            return self._sealer.open(namespace, name, sealed)
        except SealError as error:
            raise SecretError(f"the secret {name!r} cannot be used on this worker: {error}") from None

    def revealed(self, namespace: str, texts: Mapping[str, str]) -> tuple[dict[str, str], frozenset[str]]:
        """Return the texts with their secrets in place, and the values that are in them now; raise SecretError."""
        values: dict[str, str] = {}

        def value_of(name: str) -> str:
            if name not in values:
                values[name] = self.value(namespace, name)
            return values[name]

        revealed = {}
        for key, text in texts.items():
            try:
                revealed[key] = with_secrets(text, value_of)
            except ValueError as error:  # a job from before this was looked at
                raise SecretError(f"{key}: {error}") from None
        return revealed, frozenset(values.values())
