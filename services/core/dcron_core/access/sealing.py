"""Secrets, sealed with the key that masters and workers share: readable for them alone.

A sealed text says inside for which namespace and name it was made, so that nobody who can write etcd or the log gives
a job the secret of another. Several keys stand for a rotation: the first one seals, all of them open.
"""

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from msgspec import Struct

from dcron_core.access.derived_keys import derived_key
from dcron_core.errors import SealError

MOST_BYTES = 32 << 10
PURPOSE = b"dcron secrets v1"


class _Contents(Struct, frozen=True):
    namespace: str
    name: str
    value: str


class Sealer:
    """Seals and opens with the keys of `DCRON_CLUSTER_KEY`: 64 hexadecimal digits each, several with commas."""

    def __init__(self, cluster_key: str, purpose: bytes = PURPOSE) -> None:
        keys = [derived_key(key, purpose) for key in cluster_key.split(",") if key]
        self._fernet = MultiFernet([Fernet(key) for key in keys]) if keys else None

    def seal(self, namespace: str, name: str, value: str) -> str:
        """Return `value` sealed; raise SealError if there is no key, or the value is none."""
        size = len(value.encode())
        if not 1 <= size <= MOST_BYTES or "\0" in value:
            raise SealError(f"a secret's value has 1 to {MOST_BYTES} bytes and no NUL; this one has {size} bytes")
        contents = msgspec.json.encode(_Contents(namespace, name, value))
        return self._with_key().encrypt(contents).decode()

    def open(self, namespace: str, name: str, sealed: str) -> str:
        """Return the value; raise SealError if it was not sealed with one of our keys, for this namespace and name."""
        where = f"secret {name!r} of namespace {namespace!r}"
        try:
            contents = msgspec.json.decode(self._with_key().decrypt(sealed.encode("utf-8", "replace")), type=_Contents)
        except (InvalidToken, msgspec.DecodeError):
            raise SealError(
                f"{where} cannot be opened with DCRON_CLUSTER_KEY: it was altered, or sealed with a key that is not "
                "there any more; add that key behind the present one, or set the secret again"
            ) from None
        if (contents.namespace, contents.name) != (namespace, name):
            raise SealError(f"{where} was sealed for another place and was moved; set it again")
        return contents.value

    def _with_key(self) -> MultiFernet:
        if self._fernet is None:
            raise SealError(
                "DCRON_CLUSTER_KEY is not set: without it there are no secrets; set the masters' and workers'"
            )
        return self._fernet
