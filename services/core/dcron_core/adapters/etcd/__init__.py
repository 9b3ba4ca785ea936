"""The key-value store on etcd 3.4 and later."""

from dcron_core.adapters.etcd.store import EtcdStore

__all__ = ["EtcdStore"]
