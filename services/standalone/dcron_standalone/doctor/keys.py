"""Judges keys by their ids: what masters sign with is trusted everywhere, and secrets open where they are needed."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from dcron_standalone.doctor.finding import Finding, Look

PART = "keys"


class Holder(Struct, frozen=True):
    """A service and the ids of its keys, each as `use:id`."""

    name: str
    kind: str  # master, worker or log-ingester
    keys: tuple[str, ...]

    def ids(self, use: str) -> tuple[str, ...]:
        return tuple(key.partition(":")[2] for key in self.keys if key.startswith(f"{use}:"))


def judged(holders: Sequence[Holder]) -> Look:
    """Return what is to be said of all services whose keys are known."""
    masters = [each for each in holders if each.kind == "master"]
    workers = [each for each in holders if each.kind == "worker"]
    findings = [*_trust(holders, masters), *_unsigned(masters, workers), *_cluster(masters, workers)]
    return Look(PART, f"of {len(holders)} services compared by their ids", tuple(findings), known=bool(holders))


def _trust(holders: Iterable[Holder], masters: Sequence[Holder]) -> Iterator[Finding]:
    signing = {key: master.name for master in masters for key in master.ids("signing")}
    for holder in holders:
        trusted = holder.ids("trusted")
        if holder.kind == "master" or not trusted:
            continue
        for key in signing.keys() - set(trusted):
            what = f"{holder.name} does not trust key {key}, which {signing[key]} signs with: it refuses all of that"
            yield Finding(PART, what, "add the master's public key to its DCRON_TRUSTED_KEYS, and restart it")
    for holder in holders:
        if holder.kind == "log-ingester" and signing and not holder.ids("trusted"):
            what = f"{holder.name} trusts no key: it takes no access tokens, and no user can look at runs"
            yield Finding(PART, what, "set DCRON_TRUSTED_KEYS to the masters' public keys, and restart it")


def _unsigned(masters: Sequence[Holder], workers: Sequence[Holder]) -> Iterator[Finding]:
    careless = [worker.name for worker in workers if not worker.ids("trusted")]
    if careless:
        what = f"no key is trusted by {', '.join(careless)}: whoever can write to etcd can run commands there"
        yield Finding(PART, what, "set DCRON_TRUSTED_KEYS on every worker", "warning")
    if any(worker.ids("trusted") for worker in workers):
        for master in (each for each in masters if not each.ids("signing")):
            what = f"{master.name} does not sign, and workers run only what is signed"
            yield Finding(PART, what, "set DCRON_SIGNING_KEY (or _FILE) on every master")


def _cluster(masters: Sequence[Holder], workers: Sequence[Holder]) -> Iterator[Finding]:
    for master in masters:
        seals = master.ids("cluster")[:1]
        closed = [worker.name for worker in workers if seals and seals[0] not in worker.ids("cluster")]
        if closed:
            what = f"{', '.join(closed)} cannot open what {master.name} seals: key {seals[0]} is not among theirs"
            yield Finding(PART, what, "give masters and workers the same DCRON_CLUSTER_KEY, and restart them")
        for other in masters:
            if other.ids("cluster")[:1] != seals and other.name > master.name:
                what = f"{master.name} and {other.name} seal with different keys"
                yield Finding(PART, what, "give all masters the same DCRON_CLUSTER_KEY, in the same order", "warning")
