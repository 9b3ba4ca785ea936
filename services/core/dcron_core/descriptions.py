"""What servers say of themselves: how they are set up, for whoever judges whether dcron can rely on them."""

from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct, field


class TopicDescription(Struct, frozen=True):
    """A topic as it is."""

    partitions: int
    replicas: int  # of the partition that has the fewest
    in_sync: int  # replicas that are, of the partition that has the fewest
    leaderless: int  # partitions that nobody leads
    settings: Mapping[str, str]  # as Kafka calls them, defaults included


class LogDescription(Struct, frozen=True):
    """Kafka as it is."""

    brokers: int
    topics: Mapping[str, TopicDescription | None]  # of those that were asked for; None: there is none


class MemberDescription(Struct, frozen=True):
    """A member of etcd. Without `problem` it answered."""

    address: str
    problem: str = ""
    version: str = ""
    size_bytes: int = 0  # of its database
    has_leader: bool = True


class StoreDescription(Struct, frozen=True):
    """etcd as it is."""

    members: tuple[MemberDescription, ...]
    alarms: tuple[str, ...] = ()  # such as NOSPACE
    revision: int = 0  # 0: not known
    compacted: bool = True  # whether its first revision is gone


class CollectionIndexes(Struct, frozen=True):
    """The indexes of a collection, against those that the code makes."""

    collection: str
    missing: tuple[str, ...] = ()
    other: tuple[str, ...] = ()  # of the same name, with other keys or another time to live


class DatabaseDescription(Struct, frozen=True):
    """MongoDB as it is."""

    version: str
    replica_set: str  # "": it is none
    writable: bool
    clock_difference: timedelta | None  # this machine's clock minus its one; None: it does not tell
    indexes: tuple[CollectionIndexes, ...] = field(default_factory=tuple)
