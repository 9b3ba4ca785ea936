"""Keys that the tests' services sign with and trust."""

from dcron_core.access.signing import Signatures

SIGNING_KEY, OTHER_SIGNING_KEY = "5a" * 32, "6b" * 32
CLUSTER_KEY, OTHER_CLUSTER_KEY = "7c" * 32, "8d" * 32
PUBLIC_KEY, OTHER_PUBLIC_KEY = (Signatures(key).public_key for key in (SIGNING_KEY, OTHER_SIGNING_KEY))

MASTERS_KEYS = {"signing_key": SIGNING_KEY, "trusted_keys": PUBLIC_KEY, "cluster_key": CLUSTER_KEY}
WORKERS_KEYS = {"trusted_keys": PUBLIC_KEY, "cluster_key": CLUSTER_KEY}
