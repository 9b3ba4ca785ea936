"""What `dcron doctor` makes of what servers, services and workers say: each thing that is wrong has its words."""

from collections import namedtuple
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from dcron_core.access.key_ids import cluster_key_id, key_ids, public_key_id, signing_key_id
from dcron_core.descriptions import (
    CollectionIndexes,
    DatabaseDescription,
    LogDescription,
    MemberDescription,
    StoreDescription,
    TopicDescription,
)
from dcron_core.ports.log import Topic
from dcron_core.settings import MasterSettings, WorkerSettings
from dcron_standalone.doctor import clocks, disks, etcd, kafka, keys, mongodb
from dcron_standalone.doctor.clocks import Difference
from dcron_standalone.doctor.finding import Finding, Look, Report
from dcron_standalone.doctor.keys import Holder
from dcron_standalone.doctor.services import versions_judged

EVENTS = Topic("cron.job-events", partitions=1)
RUNS = Topic("cron.executions", partitions=6, retention_ms=1000)
SETTINGS = {
    "cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1", "min.insync.replicas": "1",
    "max.message.bytes": "1048588", "message.timestamp.type": "LogAppendTime",
}  # fmt: skip
AS_WANTED = TopicDescription(partitions=1, replicas=1, in_sync=1, leaderless=0, settings=SETTINGS)
MEMBER = MemberDescription("127.0.0.1:2379", version="3.4.23", size_bytes=1000)
DATABASE = DatabaseDescription("7.0", replica_set="rs0", writable=True, clock_difference=None)


def found_in_kafka(wanted: Topic, there: TopicDescription | None, brokers: int = 3) -> tuple[Finding, ...]:
    return kafka.judged(LogDescription(brokers, {wanted.name: there}), [wanted]).findings


def with_setting(name: str, value: str, topic: TopicDescription = AS_WANTED) -> TopicDescription:
    return replace(topic, settings={**topic.settings, name: value})


def test_topics_as_dcron_makes_them_are_all_right() -> None:
    assert found_in_kafka(EVENTS, AS_WANTED) == ()
    assert found_in_kafka(RUNS, with_setting("retention.ms", "1000", replace(AS_WANTED, partitions=6))) == ()
    three = replace(with_setting("min.insync.replicas", "2"), replicas=3, in_sync=3)
    assert found_in_kafka(replace(EVENTS, replication=3), three) == ()


@pytest.mark.parametrize(
    ("wanted", "there", "words", "remedy"),
    [
        (EVENTS, None, "there is no topic cron.job-events", "DCRON_TOPIC_PREFIX"),
        (EVENTS, with_setting("retention.ms", "604800000"), "after 7 days, and have to be kept", "retention.ms=-1"),
        (RUNS, with_setting("retention.ms", "10", replace(AS_WANTED, partitions=6)), "not 1000 ms", "ms=1000"),
        (EVENTS, with_setting("retention.bytes", "1000"), "retention.bytes is 1000", "retention.bytes=-1"),
        (EVENTS, with_setting("cleanup.policy", "compact"), "cleanup.policy is compact", "cleanup.policy=delete"),
        (EVENTS, with_setting("cleanup.policy", "compact,delete"), "cleanup.policy is", "cleanup.policy=delete"),
        (EVENTS, with_setting("max.message.bytes", "100000"), "max.message.bytes is 100000", "max.message.bytes="),
        (EVENTS, replace(AS_WANTED, partitions=2), "has 2 partitions, and should have 1", "backup"),
        (EVENTS, replace(AS_WANTED, leaderless=1), "1 partitions have no leader", "start the brokers"),
        (replace(EVENTS, replication=3), AS_WANTED, "is on 1 brokers, and should be on 3", "kafka-reassign"),
        (replace(EVENTS, replication=3), replace(AS_WANTED, replicas=3, in_sync=3), "min.insync.replicas is 1", "=2"),
        (EVENTS, replace(with_setting("min.insync.replicas", "3"), replicas=3, in_sync=3), "is 3 of 3", "=2"),
        (
            replace(EVENTS, replication=3),
            replace(with_setting("min.insync.replicas", "2"), replicas=3, in_sync=2),
            "2 replicas in sync, of 3",
            "start the broker",
        ),
    ],
)  # fmt: skip
def test_a_topic_that_would_lose_records_is_named(
    wanted: Topic, there: TopicDescription | None, words: str, remedy: str
) -> None:
    found = found_in_kafka(wanted, there)
    assert any(words in each.what and remedy in each.remedy and each.level == "wrong" for each in found), found


def test_a_topic_that_is_only_other_than_the_settings_say_is_a_warning() -> None:
    (found,) = found_in_kafka(RUNS, with_setting("retention.ms", "2000", replace(AS_WANTED, partitions=3)))
    assert ("3 partitions" in found.what, found.level) == (True, "warning")
    (found,) = found_in_kafka(EVENTS, with_setting("message.timestamp.type", "CreateTime"))
    assert ("CreateTime" in found.what, found.level) == (True, "warning")


def test_too_few_brokers_are_named() -> None:
    three = replace(with_setting("min.insync.replicas", "2"), replicas=3, in_sync=3)
    (found,) = found_in_kafka(replace(EVENTS, replication=3), three, brokers=2)
    assert "2 brokers are there" in found.what


@pytest.mark.parametrize(
    ("store", "words"),
    [
        (StoreDescription((replace(MEMBER, problem="no answer from etcd: refused"),)), "no answer from etcd: refused"),
        (StoreDescription((replace(MEMBER, has_leader=False),)), "knows no leader"),
        (StoreDescription((replace(MEMBER, version="3.3.9"),)), "3.4 or newer"),
        (StoreDescription((replace(MEMBER, size_bytes=2_000_000_000),)), "2.00 GB"),
        (StoreDescription((MEMBER,), alarms=("NOSPACE",)), "NOSPACE: it takes no writes"),
        (StoreDescription((MEMBER,), revision=200_000, compacted=False), "was ever compacted"),
    ],
)
def test_an_etcd_that_is_not_well_is_named(store: StoreDescription, words: str) -> None:
    (found,) = etcd.judged(store, replicated=False).findings
    assert words in found.what


def test_an_etcd_that_is_well_gives_no_finding() -> None:
    assert etcd.judged(StoreDescription((MEMBER,), revision=200_000), replicated=False).findings == ()
    assert etcd.judged(StoreDescription((MEMBER,), revision=500, compacted=False), replicated=False).findings == ()
    three = tuple(replace(MEMBER, address=f"etcd-{n}:2379") for n in range(3))
    assert etcd.judged(StoreDescription(three), replicated=True).findings == ()
    (found,) = etcd.judged(StoreDescription((MEMBER,)), replicated=True).findings
    assert "with fewer than three" in found.what


@pytest.mark.parametrize(
    ("database", "words"),
    [
        (replace(DATABASE, indexes=(CollectionIndexes("runs", missing=("expiry",)),)), "documents never leave"),
        (replace(DATABASE, indexes=(CollectionIndexes("runs", missing=("newest",)),)), "walks over everything"),
        (replace(DATABASE, indexes=(CollectionIndexes("runs", other=("expiry",)),)), "is not as the log-ingester"),
        (replace(DATABASE, writable=False), "no primary"),
        (replace(DATABASE, replica_set=""), "no replica set"),
    ],
)
def test_a_database_that_is_not_well_is_named(database: DatabaseDescription, words: str) -> None:
    (found,) = mongodb.judged(database, replicated=True).findings
    assert words in found.what
    assert mongodb.judged(replace(DATABASE, replica_set=""), replicated=False).findings == ()


def seconds(other: str, by: float, uncertain: float = 0) -> Difference:
    return Difference(other, timedelta(seconds=by), timedelta(seconds=uncertain))


def test_a_clock_that_is_off_is_named() -> None:
    assert clocks.judged([seconds("MongoDB", 0.4), seconds("master", 3, uncertain=1.5)]).findings == ()
    (found,) = clocks.judged([seconds("MongoDB", 0.4), seconds("worker w", 7)]).findings
    assert found.what == "the clock of worker w is 7.0 s behind this machine's"
    (found,) = clocks.judged([seconds("MongoDB", -60.2), seconds("worker w", -60.1)]).findings
    assert found.what == "this machine's clock is 60.2 s behind the others' (MongoDB, worker w)"
    assert not clocks.judged([]).known


MASTER = Holder("master", "master", ("signing:aa", "cluster:11"))
WORKER = Holder("worker w", "worker", ("trusted:aa", "cluster:11"))
INGESTER = Holder("log-ingester", "log-ingester", ("trusted:aa",))


@pytest.mark.parametrize(
    ("holders", "words", "level"),
    [
        ([MASTER, replace(WORKER, keys=("trusted:bb", "cluster:11"))], "does not trust key aa", "wrong"),
        ([MASTER, replace(WORKER, keys=("cluster:11",))], "can run commands there", "warning"),
        ([replace(MASTER, keys=("cluster:11",)), WORKER], "does not sign", "wrong"),
        ([MASTER, replace(WORKER, keys=("trusted:aa", "cluster:22"))], "cannot open what master seals", "wrong"),
        ([MASTER, replace(WORKER, keys=("trusted:aa",))], "cannot open what master seals", "wrong"),
        ([MASTER, replace(INGESTER, keys=("trusted:bb",))], "does not trust key aa", "wrong"),
        ([MASTER, replace(INGESTER, keys=())], "takes no access tokens", "wrong"),
        ([MASTER, replace(MASTER, name="other", keys=("signing:aa", "cluster:22"))], "different keys", "warning"),
    ],
)
def test_keys_that_do_not_fit_are_named(holders: list[Holder], words: str, level: str) -> None:
    """G12: what masters sign is trusted; who verifies nothing is told so."""
    (found,) = keys.judged(holders).findings
    assert (words in found.what, found.level) == (True, level), found


def test_keys_that_fit_give_no_finding() -> None:
    rotating = replace(WORKER, keys=("trusted:bb", "trusted:aa", "cluster:22", "cluster:11"))
    assert keys.judged([MASTER, WORKER, rotating, INGESTER]).findings == ()


def test_ids_of_keys_tell_nothing_of_the_keys() -> None:
    """G11: what is shown is a digest, and that of the private key is its public key's."""
    signing, cluster = "1" * 64, "2" * 64
    settings = MasterSettings(token="0123456789abcdef", signing_key=signing, cluster_key=f"{cluster},{signing}")
    shown = key_ids(settings)
    assert shown == (
        f"signing:{signing_key_id(signing)}",
        f"cluster:{cluster_key_id(cluster)}",
        f"cluster:{cluster_key_id(signing)}",
    )
    assert len({each.partition(":")[2] for each in shown}) == 3
    assert all(key[:16] not in each for key in (signing, cluster) for each in shown)
    trusting = WorkerSettings(token="0123456789abcdef", trusted_keys=cluster)
    assert key_ids(trusting) == (f"trusted:{public_key_id(cluster)}",)


def test_releases_that_differ_are_named() -> None:
    assert versions_judged([("master", "0.1.0"), ("worker w", "")]).findings == ()
    (found,) = versions_judged([("master", "0.1.0"), ("worker w", "0.0.9")]).findings
    assert "0.0.9: worker w; 0.1.0: this command, master" in found.what


def test_a_disk_without_room_for_its_spool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "1.segment").write_bytes(b"x" * 600)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10_000, 9_000, 1_000))
    assert disks.judged([tmp_path, tmp_path / "none"], spool_bytes=1600).findings == ()
    (found,) = disks.judged([tmp_path], spool_bytes=1601).findings
    assert "its spool may take" in found.what
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10_000, 9_600, 400))
    (found,) = disks.judged([tmp_path], spool_bytes=100).findings
    assert ("4.0% of the disk" in found.what, found.level) == (True, "warning")
    assert not disks.judged([tmp_path / "none"], spool_bytes=1).known


def test_a_report_is_healthy_while_nothing_is_wrong() -> None:
    warning = Finding("kafka", "what", "remedy", "warning")
    assert Report.of([Look("kafka", "seen", (warning,))]).healthy
    assert not Report.of([Look("kafka", "seen", (warning, replace(warning, level="wrong")))]).healthy
