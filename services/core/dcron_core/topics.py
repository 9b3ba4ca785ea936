"""The topics as they should be (design §4). Whichever service comes first creates what does not exist."""

from datetime import timedelta

from dcron_core.durations import parse_duration
from dcron_core.ports.log import Topic
from dcron_core.settings import KafkaSettings


def topics(settings: KafkaSettings) -> list[Topic]:
    """Return job events and dead letters, kept for ever, and executions, kept until MongoDB surely has them."""
    retention_ms = parse_duration(settings.execution_retention) // timedelta(milliseconds=1)
    replication = settings.topic_replication
    return [
        Topic(settings.job_events_topic, partitions=1, replication=replication),
        Topic(settings.executions_topic, settings.execution_partitions, retention_ms, replication),
        Topic(settings.dead_letter_topic, partitions=1, replication=replication),
    ]
