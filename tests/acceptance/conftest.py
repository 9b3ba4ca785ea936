"""A cluster of the test's own on the shared servers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dcron_standalone.servers import LocalServers
from tests.cluster import Cluster
from tests.names import Names


@pytest.fixture
def cluster(servers: LocalServers, names: Names, tmp_path: Path) -> Iterator[Cluster]:
    """Nothing of it runs yet: `cluster.start(masters=…, workers=…)`."""
    with Cluster.running(servers, names, tmp_path) as cluster:
        yield cluster


@pytest.fixture
def private_cluster(private_servers: Callable[..., LocalServers], names: Names, tmp_path: Path) -> Iterator[Cluster]:
    """The same on servers of its own, to be killed and restarted."""
    with Cluster.running(private_servers(), names, tmp_path) as cluster:
        yield cluster
