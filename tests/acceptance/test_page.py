"""The page in Chromium, against the real services: what `services/web/e2e` says, in `make test`."""

import os
import subprocess
from pathlib import Path

from tests.cluster import TOKEN, Cluster

WEB = Path(__file__).resolve().parents[2] / "services" / "web"
BUILT = WEB.parent / "master" / "dcron_master" / "page" / "index.html"
LONGEST_S = 600


def test_the_page_does_in_a_browser_what_it_promises(cluster: Cluster) -> None:
    """G9, G11: each test of `e2e` passes; no console error, nothing asked of other hosts, no finding of axe."""
    assert BUILT.is_file(), "the page is not built: make web"
    master = cluster.add("master", "DCRON_MASTER_PORT")
    ingester = cluster.add(
        "log-ingester", "DCRON_LOG_INGESTER_PORT", cluster._ingester_port, DCRON_ALLOWED_ORIGINS=master.url
    )
    cluster.start(masters=0, ingesters=0, workers=2)
    environment = {
        **os.environ,
        "DCRON_PAGE": master.url,
        "DCRON_INGESTER": ingester.url,
        "DCRON_TOKEN": TOKEN,
        "CI": "1",
    }
    done = subprocess.run(
        ["npx", "--no-install", "playwright", "test"],
        cwd=WEB,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
