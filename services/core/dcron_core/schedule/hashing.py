"""Numbers that look random and are the same on every machine and for ever: functions of a job's id."""

from hashlib import blake2b


def hashed(job_id: str, what: str) -> int:
    """Return a number below 2^64; other jobs, and other uses of one job, get independent ones."""
    return int.from_bytes(blake2b(f"{job_id} {what}".encode(), digest_size=8).digest())
