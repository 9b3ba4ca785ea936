"""The alert rules: each is read as Prometheus reads it, and looks at metrics that running services have."""

import asyncio
import re
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.scrapes import Scrape, all_services, scrape
from tests.services import Ports

REPOSITORY = Path(__file__).resolve().parents[2]
ALERTS = REPOSITORY / "deploy" / "prometheus" / "alerts.yaml"
RUNBOOKS = "docs/operations.md"
GUARANTEES = {f"G{number}" for number in range(1, 13)}
FROM_PROMETHEUS = {"up"}  # made by the scrape itself
FROM_THE_SCRAPE = {"instance", "job"}  # labels
Rule = dict[str, Any]


@cache
def rules() -> tuple[Rule, ...]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return tuple(rule for group in groups for rule in group["rules"])


def selectors_of(expression: str) -> list[promql_parser.VectorSelector]:
    """Return what an expression looks at; raise if Prometheus would not take it."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def grouped_by(expression: str) -> set[str]:
    """Return the labels that an expression groups or joins by."""
    by = re.findall(r"\b(?:by|on) \(([^)]*)\)", expression)
    return {label.strip() for labels in by for label in labels.split(",")}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Each name that a query can have, of all three services, and its labels."""

    async def scraped() -> list[Scrape]:
        async with all_services(Ports(), tmp_path_factory.mktemp("worker")) as clients:
            return [await scrape(name, client) for name, client in clients.items()]

    names: dict[str, set[str]] = {}
    for each in asyncio.run(scraped()):
        add_names(each, names)
    return names


def add_names(scraped: Scrape, names: dict[str, set[str]]) -> None:
    for name in scraped.names:
        names.setdefault(name, set())
    for family in scraped.families:
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_each_rule_looks_at_metrics_that_there_are(rule: Rule, live: dict[str, set[str]]) -> None:
    selectors = selectors_of(rule["expr"])
    assert selectors, "it looks at nothing"
    labels = set(FROM_THE_SCRAPE)
    for selector in selectors:
        assert selector.name is not None
        assert selector.name in live.keys() | FROM_PROMETHEUS, f"no service has {selector.name}"
        known = live.get(selector.name, set()) | FROM_THE_SCRAPE
        labels |= known
        for matcher in selector.matchers.matchers:
            assert matcher.name in known, f"{selector.name} has no label {matcher.name}"
    assert grouped_by(rule["expr"]) <= labels
    counters = {each.name for each in selectors if str(each.name).endswith("_total")}
    for counter in counters:
        pattern = rf"(rate|increase)\({counter}(\{{[^}}]*\}})?\["
        assert re.search(pattern, rule["expr"]), f"{counter} only grows: its rate or increase is what tells"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_each_rule_says_what_is_wrong_and_where_to_read_on(rule: Rule) -> None:
    assert re.fullmatch(r"Dcron[A-Z]\w+", rule["alert"])
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["labels"]["guarantee"] in GUARANTEES | {"health"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}#{rule['alert'].lower()}"
    shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    if promql_parser.parse(rule["expr"]).__class__ is promql_parser.AggregateExpr or grouped_by(rule["expr"]):
        assert shown <= grouped_by(rule["expr"]) | FROM_THE_SCRAPE


def test_each_rule_has_its_runbook_and_each_runbook_its_rule() -> None:
    headings = set(re.findall(r"^#+ (Dcron\w+)$", (REPOSITORY / RUNBOOKS).read_text(), flags=re.MULTILINE))
    assert headings == {rule["alert"] for rule in rules()}


def test_there_is_a_rule_for_each_guarantee_and_for_plain_health() -> None:
    """G1 to G12: each has something that tells when it is, or may be, broken."""
    assert {rule["labels"]["guarantee"] for rule in rules()} == GUARANTEES | {"health"}
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))


def test_an_expression_that_prometheus_refuses_is_found() -> None:
    with pytest.raises(ValueError):
        selectors_of("sum by (instance) (rate(dcron_x_total[5m])")
    assert [each.name for each in selectors_of("rate(a_total[5m]) > 1 and on (job) b{x='y'} == 0")] == ["a_total", "b"]
