"""Names of keys: enough to tell whether two services have the same one, and nothing more."""

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dcron_core.jobs.heads import key_id
from dcron_core.settings import CommonSettings, parse_names

ID_DIGITS = 16
_CLUSTER = b"dcron: id of a cluster key\n"  # so that it is no digest that anything else knows the key by


def public_key_id(key: str) -> str:
    """Return the id of an Ed25519 public key of 64 hexadecimal digits, as signatures name it."""
    return key_id(bytes.fromhex(key))


def signing_key_id(key: str) -> str:
    """Return the id of the public key that belongs to a private one."""
    return public_key_id(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key)).public_key().public_bytes_raw().hex())


def cluster_key_id(key: str) -> str:
    """Return the id of a key that is shared; the key is random, so that nobody finds it by its id."""
    return sha256(_CLUSTER + bytes.fromhex(key)).hexdigest()[:ID_DIGITS]


def key_ids(settings: CommonSettings) -> tuple[str, ...]:
    """Return `use:id` of each key that a service has: `trusted`, `signing`, `cluster` (the first one seals)."""
    signing = getattr(settings, "signing_key", "")
    cluster = parse_names(getattr(settings, "cluster_key", ""))
    return (
        *(f"trusted:{public_key_id(key)}" for key in parse_names(settings.trusted_keys)),
        *((f"signing:{signing_key_id(signing)}",) if signing else ()),
        *(f"cluster:{cluster_key_id(key)}" for key in cluster),
    )
