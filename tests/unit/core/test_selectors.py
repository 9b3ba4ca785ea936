"""Label selectors: which workers match, and errors that name the place."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcron_core.selectors import Condition, parse_selector

HERE = {"zone": "berlin", "tier": "web", "kubernetes.io/arch": "arm64", "gpu": ""}


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("", True),
        ("  ", True),
        ("zone=berlin", True),
        ("zone==berlin", True),
        ("zone = paris", False),
        ("rack=1", False),
        ("zone!=paris", True),
        ("zone!=berlin", False),
        ("rack!=1", True),  # a worker without the label is not one with that value
        ("zone in (paris, berlin)", True),
        ("zone in (paris)", False),
        ("rack in (1)", False),
        ("zone notin (paris, rome)", True),
        ("zone notin (berlin)", False),
        ("rack notin (1)", True),
        ("gpu", True),  # also with an empty value
        ("rack", False),
        ("!rack", True),
        ("! gpu", False),
        ("zone=berlin,tier=web,!rack", True),
        ("zone=berlin, tier=batch", False),
        ("kubernetes.io/arch in (arm64)", True),
        ("in=1", False),  # a label may be called as a word of the language is
        ("notin", False),
    ],
)
def test_which_workers_match(selector: str, matches: bool) -> None:
    assert parse_selector(selector).matches(HERE) is matches


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("zone=", "at character 6 there is the end, where a value should be"),
        ("=berlin", "at character 1 there is '=', where a label, or ! and a label should be"),
        ("zone=a b", "at character 8 there is 'b', where a comma or the end should be"),
        ("zone=a,", "at character 8 there is the end, where a label, or ! and a label should be"),
        ("zone in a", "at character 9 there is 'a', where ( should be"),
        ("zone in ()", "at character 10 there is ')', where a value should be"),
        ("zone in (a", "at character 11 there is the end, where ) should be"),
        ("zone in (a b)", "at character 12 there is 'b', where ) should be"),
        ("!", "at character 2 there is the end, where a label should be"),
        ("zone > 1", "at character 6 there is '>', where letters and digits"),
        ("zone=bürlin", "at character 7 there is 'ü'"),
    ],
)
def test_an_error_names_the_place_and_what_would_be_right(selector: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{selector!r}: {message}")):
        parse_selector(selector)


@given(st.text(alphabet="ab=!(), innot\t", max_size=30))
def test_any_text_is_a_selector_or_an_error(text: str) -> None:
    try:
        selector = parse_selector(text)
    except ValueError:
        return
    selector.matches({"a": "b"})


WORDS = st.sampled_from(["a", "b", "c", "zone", "x.y/z"])


@given(st.lists(st.tuples(WORDS, st.sampled_from(["in", "notin"]), st.frozensets(WORDS, min_size=1)), min_size=1))
def test_what_is_written_is_what_is_read(parts: list[tuple[str, str, frozenset[str]]]) -> None:
    text = ",".join(f"{label} {kind} ({', '.join(sorted(values))})" for label, kind, values in parts)
    assert parse_selector(text).conditions == tuple(
        Condition(label, "in" if kind == "in" else "notin", values) for label, kind, values in parts
    )
