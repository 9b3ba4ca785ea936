"""Judges Kafka: its topics are to keep what dcron counts on, on as many brokers as the settings say."""

from collections.abc import Iterator

from dcron_core.descriptions import LogDescription, TopicDescription
from dcron_core.ports.log import Topic
from dcron_standalone.doctor.finding import Finding, Look

PART = "kafka"
SMALLEST_MESSAGE_LIMIT = 512 << 10  # below it Kafka refuses what a worker sends of large output
LOG_REMEDY = "`kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config {setting}`"


def judged(log: LogDescription, wanted: list[Topic]) -> Look:
    """Return what is to be said of the topics, which `wanted` describes as dcron makes them."""
    found = tuple(finding for topic in wanted for finding in _topic(topic, log.topics[topic.name]))
    most = max(topic.replication for topic in wanted)
    if log.brokers < most:
        what = f"{log.brokers} brokers are there, and topics are to be on {most} (DCRON_TOPIC_REPLICATION)"
        found = (*found, Finding(PART, what, "start the others"))
    brokers = f"{log.brokers} broker{'s' if log.brokers != 1 else ''}"
    return Look(PART, f"{brokers}, {len(wanted)} topics", found)


def _topic(wanted: Topic, there: TopicDescription | None) -> Iterator[Finding]:
    if there is None:
        remedy = "check DCRON_TOPIC_PREFIX; masters and log-ingesters create it when they start"
        yield Finding(PART, f"there is no topic {wanted.name}", remedy)
        return
    yield from _kept(wanted, there)
    yield from _copied(wanted, there)
    if there.partitions != wanted.partitions:
        yield _partitions(wanted, there)
    limit = int(there.settings.get("max.message.bytes", SMALLEST_MESSAGE_LIMIT))
    if limit < SMALLEST_MESSAGE_LIMIT:
        what = f"max.message.bytes is {limit}: what dcron sends can be larger, is refused, and is tried for ever"
        yield _setting(wanted, what, "max.message.bytes=1048588")
    if (stamped := there.settings.get("message.timestamp.type")) != "LogAppendTime":
        what = f"message.timestamp.type is {stamped}: the time of a record is what the sender's clock said"
        yield _setting(wanted, what, "message.timestamp.type=LogAppendTime", "warning")


def _kept(wanted: Topic, there: TopicDescription) -> Iterator[Finding]:
    """Yield what takes records away too early."""
    policy = there.settings.get("cleanup.policy", "")
    if policy != "delete":
        what = f"cleanup.policy is {policy}: compaction takes records away that are not the last of their key"
        yield _setting(wanted, what, "cleanup.policy=delete")
    kept = int(there.settings.get("retention.ms", -1))
    if 0 <= kept < (wanted.retention_ms if wanted.retention_ms >= 0 else kept + 1):
        what = f"retention.ms is {kept}: records are deleted after {kept / 86_400_000:.3g} days, "
        what += "and have to be kept for ever" if wanted.retention_ms < 0 else f"not {wanted.retention_ms} ms"
        yield _setting(wanted, what, f"retention.ms={wanted.retention_ms}")
    size = int(there.settings.get("retention.bytes", -1))
    if size >= 0:
        what = f"retention.bytes is {size}: the oldest records are deleted when there are more bytes than that"
        yield _setting(wanted, what, "retention.bytes=-1")


def _copied(wanted: Topic, there: TopicDescription) -> Iterator[Finding]:
    """Yield what loses acknowledged records with one broker, or stops when one is gone."""
    minimum = int(there.settings.get("min.insync.replicas", 1))
    if there.replicas < wanted.replication:
        what = f"topic {wanted.name} is on {there.replicas} brokers, and should be on {wanted.replication}"
        yield Finding(PART, what, "`kafka-reassign-partitions.sh`, or set DCRON_TOPIC_REPLICATION to what is meant")
    if there.leaderless:
        what = f"topic {wanted.name}: {there.leaderless} partitions have no leader, nobody can read or write them"
        yield Finding(PART, what, "start the brokers that hold them")
    elif there.in_sync < min(there.replicas, wanted.replication):
        what = f"topic {wanted.name}: a partition has {there.in_sync} replicas in sync, of {there.replicas}"
        yield Finding(PART, what, "start the broker that is down, or wait until it has caught up")
    if minimum >= there.replicas > 1:
        what = f"min.insync.replicas is {minimum} of {there.replicas} replicas: with one broker down nothing is written"
        yield _setting(wanted, what, f"min.insync.replicas={there.replicas - 1}")
    elif minimum < wanted.replication - 1:
        what = f"min.insync.replicas is {minimum}: a record that is acknowledged may be on so few brokers"
        yield _setting(wanted, what, f"min.insync.replicas={wanted.replication - 1}")


def _partitions(wanted: Topic, there: TopicDescription) -> Finding:
    what = f"topic {wanted.name} has {there.partitions} partitions, and should have {wanted.partitions}"
    if wanted.partitions == 1:
        return Finding(PART, f"{what}: the log has one order only in one partition", "restore it from a backup")
    return Finding(PART, what, "harmless; set DCRON_EXECUTION_PARTITIONS to what is there", "warning")


def _setting(topic: Topic, what: str, setting: str, level: str = "wrong") -> Finding:
    remedy = LOG_REMEDY.format(name=topic.name, setting=setting)
    return Finding(PART, f"topic {topic.name}: {what}", remedy, "warning" if level == "warning" else "wrong")
