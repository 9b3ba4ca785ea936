"""What the three services show Prometheus, asked of running ones as Prometheus does: on memory ports, by HTTP."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import msgspec
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from dcron_core.settings import LogIngesterSettings
from dcron_log_ingester.service import LogIngester, open_log_ingester
from tests.services import TOKEN, Ports

NO_MONGODB = "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=100"


@asynccontextmanager
async def log_ingester(ports: Ports) -> AsyncIterator[tuple[LogIngester, httpx.AsyncClient]]:
    """Run a log-ingester on the memory log; there is no MongoDB."""
    values = {"token": TOKEN, "log_ingester_port": 0, "mongodb": NO_MONGODB, "shutdown_timeout": "1s"}
    settings = msgspec.convert(values, LogIngesterSettings, strict=False)
    async with (
        open_log_ingester(settings, ports.clock, ports.ids, ports.log) as service,
        ports.client(service.port) as client,
    ):
        yield service, client


class Scrape:
    """One service's answer to `/metrics`."""

    def __init__(self, service: str, text: str) -> None:
        self.service = service
        # when a series began is told beside each counter and histogram
        self.families = [each for each in _families(text) if not each.name.endswith("_created")]

    @property
    def names(self) -> set[str]:
        """The names that a query can have, those that have no series yet included."""
        shown = {sample.name for family in self.families for sample in family.samples}
        return shown | {f"{each.name}_total" if each.type == "counter" else each.name for each in self.families}

    def value(self, name: str, **labels: str) -> float:
        """Return the value of one series."""
        (found,) = (
            sample.value
            for family in self.families
            for sample in family.samples
            if sample.name == name and sample.labels == labels
        )
        return found


def _families(text: str) -> Iterator[Metric]:
    return iter(text_string_to_metric_families(text))


async def scrape(service: str, client: httpx.AsyncClient) -> Scrape:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return Scrape(service, answer.text)


@asynccontextmanager
async def all_services(ports: Ports, data: Path) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """Run one of each; give a client of each one's HTTP face."""
    async with AsyncExitStack() as stack:
        _, master = await stack.enter_async_context(ports.master())
        worker = await stack.enter_async_context(ports.worker(data))
        _, ingester = await stack.enter_async_context(log_ingester(ports))
        of_worker = await stack.enter_async_context(ports.client(worker.port))
        yield {"master": master, "worker": of_worker, "log-ingester": ingester}
