"""The log on Apache Kafka."""

from dcron_core.adapters.kafka.log import KafkaLog

__all__ = ["KafkaLog"]
