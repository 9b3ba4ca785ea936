"""Real servers for the tests that ask for them.

* `servers`: etcd, Kafka and MongoDB's protocol, started once, when the first test asks; shared by all tests.
* `names`: a key prefix, a topic prefix, a database and a consumer group of the test's own on them.
* `private_servers`: a factory of servers of the test's own, to be killed and restarted.
* `cluster`, `private_cluster`: dcron's services as processes on the one or the other, started by the test.

Tests that use servers are marked so. The servers die with pytest, however that ends.
"""

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dcron_standalone.servers import LocalServers
from tests.cluster import Cluster
from tests.names import Names

REPOSITORY = Path(__file__).resolve().parent.parent
SERVER_FIXTURES = {"servers", "private_servers"}
PrivateServers = Callable[..., LocalServers]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SERVER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.servers)


@pytest.fixture(scope="module", autouse=True)
def _short_collections() -> None:
    """Keep what is left of the modules before out of Python's search for cycles.

    After some thousand tests a search takes more than a second, in which whatever a test measures stands still.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tools() -> Path:
    """Where `make setup` put Kafka's jars and SecantusDB."""
    return Path(os.environ.get("DCRON_TOOLS", REPOSITORY / ".tools"))


@pytest.fixture(scope="session")
def servers(tools: Path) -> Iterator[LocalServers]:
    """The three servers, for the whole test session. Do not stop them: other tests use them too."""
    with TemporaryDirectory(prefix="dcron-tests-") as data, LocalServers(Path(data), tools) as running:
        yield running


@pytest.fixture
def names() -> Names:
    """Names of the test's own on the shared servers."""
    return Names.new()


@pytest.fixture
def private_servers(tools: Path) -> Iterator[PrivateServers]:
    """`private_servers("etcd", "kafka")` starts those (none named: all three), for this test alone."""
    with ExitStack() as stack:

        def start(*wanted: str) -> LocalServers:
            data = stack.enter_context(TemporaryDirectory(prefix="dcron-tests-"))
            every = ("etcd", "kafka", "mongodb")
            return stack.enter_context(LocalServers(Path(data), tools, wanted or every))

        yield start


@pytest.fixture
def cluster(servers: LocalServers, names: Names, tmp_path: Path) -> Iterator[Cluster]:
    """Nothing of it runs yet: `cluster.start(masters=…, workers=…)`."""
    with Cluster.running(servers, names, tmp_path) as cluster:
        yield cluster


@pytest.fixture
def private_cluster(private_servers: PrivateServers, names: Names, tmp_path: Path) -> Iterator[Cluster]:
    """The same on servers of its own, to be killed and restarted."""
    with Cluster.running(private_servers(), names, tmp_path) as cluster:
        yield cluster
