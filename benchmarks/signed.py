"""The keys of the services that a benchmark starts one by one, and values as their master would write them."""

from dcron_core.access.signing import Signatures
from dcron_core.keys import Keys
from dcron_core.ports.store import Put

SIGNING_KEY, CLUSTER_KEY = "3a" * 32, "4b" * 32
SIGNATURES = Signatures(signing_key=SIGNING_KEY, cluster_key=CLUSTER_KEY)
ENVIRONMENT = {
    "DCRON_SIGNING_KEY": SIGNING_KEY,
    "DCRON_TRUSTED_KEYS": SIGNATURES.public_key,
    "DCRON_CLUSTER_KEY": CLUSTER_KEY,
}


def signed_put(keys: Keys, key: str, value: bytes) -> Put:
    """Return what a master writes."""
    return Put(key, SIGNATURES.signed(keys.path(key), value))
