"""The documents, held against the code: what they name is there, and what people need to know of is in them."""

import re
from functools import cache
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from dcron_core.http.probes import Readiness
from dcron_core.settings import ALL_SETTINGS, variables_of
from dcron_log_ingester.metrics import Metrics
from dcron_master.metrics import MasterMetrics
from dcron_standalone.api_documents import documents
from dcron_worker.metrics import WorkerMetrics

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
OPERATIONS = (DOCS / "operations.md").read_text()
API = (DOCS / "api.md").read_text()
GUARANTEES = (DOCS / "guarantees.md").read_text()
PAGES = [*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md"), REPOSITORY / "schemas" / "README.md"]
READINESS = CollectorRegistry()
READINESS.register(Readiness())
REGISTRIES = [READINESS, MasterMetrics().registry, WorkerMetrics().registry, Metrics().registry]
UNDOCUMENTED_ROUTES = {"/login"}  # told in words


@cache
def files_of_tests() -> dict[str, set[str]]:
    """Return the test files by name, with the names of their tests."""
    found: dict[str, set[str]] = {}
    for file in (REPOSITORY / "tests").rglob("*.py"):
        found.setdefault(file.name, set()).update(re.findall(r"def (test_\w+)", file.read_text()))
    return found


def anchors_of(page: Path) -> set[str]:
    """Return what can be linked to in a page, as GitHub and most others name it."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def names_of(registry: CollectorRegistry) -> set[str]:
    """Return dcron's names that a scrape shows, without the parts of histograms."""
    families = (family for family in registry.collect() if family.name.startswith("dcron_"))
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in families}


@pytest.mark.parametrize("settings", ALL_SETTINGS, ids=lambda settings: settings.__name__)
def test_every_setting_is_documented_with_its_default(settings: type[msgspec.Struct]) -> None:
    """Each variable of a service has a row, and the row's default is the code's."""
    rows = dict(re.findall(r"^\| `(DCRON_\w+)` \|([^|]*)\|", OPERATIONS, flags=re.MULTILINE))
    fields = {field.name: field for field in msgspec.structs.fields(settings)}
    for variable, name in variables_of(settings).items():
        assert variable in rows, f"{variable} has no row in docs/operations.md"
        if variable.endswith("_FILE") or fields[name].required:
            continue
        default = str(fields[name].default) or "empty"
        assert rows[variable].strip("` ") == default, f"the default of {variable} in docs/operations.md"


def test_every_variable_in_the_documents_is_one() -> None:
    """A row of a variable that no service reads would send people astray."""
    known = set().union(*(variables_of(settings) for settings in ALL_SETTINGS))
    assert set(re.findall(r"^\| `(DCRON_\w+)` \|", OPERATIONS, flags=re.MULTILINE)) <= known


def test_every_metric_is_documented_and_every_documented_one_is_there() -> None:
    """What a scrape can show has a row in docs/operations.md, and nothing else has."""
    rows = re.findall(r"^\| (`dcron_.*?) \| \w+", OPERATIONS, flags=re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(dcron_\w+)", row)} == set().union(
        *map(names_of, REGISTRIES)
    )


async def test_every_route_is_documented() -> None:
    """What the services say of their APIs has a row in docs/api.md; a route of a kind may be told by its last part."""
    for service, document in (await documents()).items():
        for path in set(document["paths"]) - UNDOCUMENTED_ROUTES:
            if not path.startswith(("/api/v1", "/ws")):
                continue
            known = re.sub(r"\{letter\}", "{id}", path)
            short = f"…/{path.rsplit('/', 1)[1]}`"
            assert f"{known}`" in API or f"{known}?" in API or short in API, (
                f"{path} of {service} is not in docs/api.md"
            )


def test_every_test_that_the_guarantees_name_is_there() -> None:
    """A promise stands on its tests: none may have gone, or have got another name."""
    files = files_of_tests()
    missing = {name for name in re.findall(r"\b(test_\w+\.py)\b", GUARANTEES) if name not in files}
    paths = {path for path in re.findall(r"`(tests/[\w/]+\.py)\b", GUARANTEES) if not (REPOSITORY / path).exists()}
    every = set().union(*files.values())
    gone = {name for name in re.findall(r"::(test_\w+)", GUARANTEES) if name not in every}
    assert not missing | paths | gone


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links within the repository name a file that is there, and a heading in it."""
    for target in re.findall(r"\]\(((?!https?:|mailto:)[^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{target} in {page.name}"
        if anchor:
            assert anchor in anchors_of(linked), f"{target} in {page.name}"
