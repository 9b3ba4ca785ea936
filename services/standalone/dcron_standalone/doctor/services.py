"""Asks a master or log-ingester by HTTP: is it ready, which release is it, what says its clock, which keys has it?"""

from collections.abc import Iterable
from datetime import timedelta
from email.utils import parsedate_to_datetime

import httpx
import msgspec
from msgspec import Struct
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from dcron_core.clock import Clock
from dcron_core.version import VERSION
from dcron_schemas.identity import AccessToken
from dcron_standalone.access_token import API_TOKEN
from dcron_standalone.client import LOOPBACK_HOSTS, trusting
from dcron_standalone.data_directory import Access
from dcron_standalone.doctor.clocks import Difference
from dcron_standalone.doctor.finding import Finding, Look, unanswered
from dcron_standalone.doctor.keys import Holder

TIMEOUT = httpx.Timeout(5.0, connect=3.0)
DATE_UNCERTAIN = timedelta(seconds=1.5)  # HTTP tells whole seconds, and the server looks once a second


class Seen(Struct, frozen=True):
    """What is known of one service."""

    look: Look
    version: str = ""  # "": not known
    holder: Holder | None = None
    difference: Difference | None = None


async def seen_at(kind: str, access: Access, clock: Clock) -> Seen:
    """Ask the service; never raises for what it does or does not answer. Without a token, what anybody may know."""
    url, token = access.url.rstrip("/"), access.token
    async with _client(access) as client:
        try:
            before = clock.now()
            ready = await client.get("/readyz")
            halfway = before + (clock.now() - before) / 2
            metrics = await client.get("/metrics", headers={"Authorization": f"Bearer {token}"} if token else {})
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            return Seen(unanswered(kind, f"{kind} at {url}", why, f"start it (`dcron {kind}`); see its log"))
    difference = None
    if (date := ready.headers.get("Date")) is not None:
        difference = Difference(f"{kind} at {url}", halfway - parsedate_to_datetime(date), DATE_UNCERTAIN)
    findings = [*_not_ready(kind, url, ready), *_refused(kind, url, metrics)]
    families = list(text_string_to_metric_families(metrics.text)) if metrics.status_code == 200 else []
    version = next((labels["version"] for labels in _labels(families, "dcron_build_info")), "")
    holder = Holder(f"{kind} at {url}", kind, _keys(families)) if families else None
    return Seen(Look(kind, f"{version or 'version not known'} at {url}", tuple(findings)), version, holder, difference)


async def token_for_others(access: Access) -> str:
    """Return what to show the log-ingester: an API token is changed into an access token, at the master.

    If that cannot be done, the master's own findings say why; then there is none.
    """
    if API_TOKEN.fullmatch(access.token) is None:
        return access.token
    headers = {"Authorization": f"Bearer {access.token}"}
    try:
        async with _client(access) as client:
            answer = await client.post("/api/v1/session/access", headers=headers)
        return msgspec.json.decode(answer.content, type=AccessToken).token
    except (httpx.HTTPError, msgspec.DecodeError):
        return ""


def _client(access: Access) -> httpx.AsyncClient:
    loopback = httpx.URL(access.url).host in LOOPBACK_HOSTS  # no proxy to our own machine
    return httpx.AsyncClient(base_url=access.url, timeout=TIMEOUT, trust_env=not loopback, verify=trusting(access.ca))


def versions_judged(versions: Iterable[tuple[str, str]]) -> Look:
    """Compare releases, each with whose it is; this command's is one of them."""
    by_version: dict[str, list[str]] = {VERSION: ["this command"]}
    for name, version in versions:
        if version:
            by_version.setdefault(version, []).append(name)
    if len(by_version) == 1:
        return Look("versions", VERSION)
    what = "; ".join(f"{version}: {', '.join(names)}" for version, names in sorted(by_version.items()))
    remedy = "finish the upgrade: log-ingesters, then workers, then masters"
    return Look("versions", f"{len(by_version)} releases", (Finding("versions", what, remedy, "warning"),))


def _not_ready(kind: str, url: str, answer: httpx.Response) -> list[Finding]:
    if answer.status_code == 200:
        return []
    try:
        missing = dict(answer.json()["missing"])
    except (ValueError, KeyError, TypeError):
        what = f"{kind} at {url} answers {answer.status_code} to /readyz, and not as dcron does"
        return [Finding(kind, what, "check DCRON_URL and DCRON_LOG_INGESTER_URL, and the proxy before them")]
    return [
        Finding(kind, f"{kind} at {url} is not ready: {name}: {why}", "see its log, and what is wrong elsewhere here")
        for name, why in missing.items()
    ]


def _refused(kind: str, url: str, metrics: httpx.Response) -> list[Finding]:
    if metrics.status_code == 200:
        return []
    what = f"{kind} at {url} does not show its metrics to this token ({metrics.status_code}): its release and keys are "
    remedy = "use a token of an administrator (DCRON_TOKEN)"
    return [Finding(kind, f"{what}not known", remedy, "warning" if metrics.status_code == 403 else "wrong")]


def _labels(families: Iterable[Metric], name: str) -> list[dict[str, str]]:
    return [sample.labels for family in families for sample in family.samples if sample.name == name]


def _keys(families: Iterable[Metric]) -> tuple[str, ...]:
    shown = sorted(_labels(families, "dcron_key_info"), key=lambda labels: int(labels["order"]))
    return tuple(f"{labels['use']}:{labels['key_id']}" for labels in shown)
