"""Whether a log is the one that etcd's job table was made from."""

from dcron_core.errors import LogMismatchError
from dcron_core.job_log import JobLog
from dcron_core.keys import Keys
from dcron_schemas.state import Projection


async def require_its_log(job_log: JobLog, keys: Keys, projection: Projection) -> None:
    """Raise LogMismatchError if the log is shorter than the projection's position, or another one."""
    topic = job_log.topic
    bounds = await job_log.bounds()
    if bounds.end <= projection.position:
        raise LogMismatchError(
            f"topic {topic} ends at offset {bounds.end - 1}, but etcd's {keys.projection} is at "
            f"position {projection.position}: the log is shorter than what was made of it; restore the topic "
            "from a backup (`dcron log import`), or, if this log is the true one, remove that key from etcd, and "
            "`dcron log rebuild` makes the job table again from the log"
        )
    log_id = await job_log.log_id()
    if projection.log_id and log_id != projection.log_id:
        raise LogMismatchError(
            f"topic {topic} is log {log_id}, but etcd's {keys.projection} is of log "
            f"{projection.log_id}: check DCRON_KAFKA, DCRON_TOPIC_PREFIX, DCRON_ETCD and DCRON_ETCD_PREFIX; if this "
            "log is the true one, remove that key from etcd, and `dcron log rebuild` makes the job table again from "
            "the log"
        )
