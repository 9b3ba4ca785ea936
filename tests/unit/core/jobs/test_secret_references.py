"""`${secret:NAME}`: what it is, how it is written literally, and what is refused."""

import pytest

from dcron_core.errors import InvalidJobError
from dcron_core.jobs.secret_references import secrets_in, with_secrets
from dcron_core.jobs.validation import convert_job


@pytest.mark.parametrize(
    ("text", "revealed", "names"),
    [
        ("", "", ()),
        ("plain $HOME ${HOME} $$ {secret:A}", "plain $HOME ${HOME} $$ {secret:A}", ()),
        ("${secret:A}", "<A>", ("A",)),
        ("a${secret:A}b${secret:_b2}c", "a<A>b<_b2>c", ("A", "_b2")),
        ("${secret:A}${secret:A}", "<A><A>", ("A", "A")),
        ("$${secret:A}", "${secret:A}", ()),
        ("$$${secret:A}", "$<A>", ("A",)),
        ("$$$${secret:A}", "$${secret:A}", ()),
        ("$${secret:", "${secret:", ()),
        ("$${secret:${secret:A}}", "${secret:<A>}", ("A",)),
        ("${secret:" + "n" * 128 + "}", "<" + "n" * 128 + ">", ("n" * 128,)),
    ],
)
def test_what_a_reference_is(text: str, revealed: str, names: tuple[str, ...]) -> None:
    assert with_secrets(text, lambda name: f"<{name}>") == revealed
    assert secrets_in(text) == names


def test_a_value_is_not_looked_at_for_references() -> None:
    assert with_secrets("${secret:A}", lambda _: "${secret:B}") == "${secret:B}"


@pytest.mark.parametrize(
    "text", ["${secret:}", "${secret:A", "${secret:1}", "${secret:a-b}", "${secret:ä}", "${secret:" + "n" * 129 + "}"]
)
def test_what_is_no_name_is_refused_when_the_job_is_saved(text: str) -> None:
    with pytest.raises(ValueError, match="name of a secret"):
        secrets_in(text)
    for fields, field in (
        ({"run": {"shell": ":"}, "env": {"TOKEN": text}}, "env.TOKEN"),
        ({"run": {"http": {"url": "http://a.test/", "headers": {"X-Token": text}}}}, "run.http.headers.X-Token"),
    ):
        with pytest.raises(InvalidJobError) as refused:
            convert_job({"name": "job"} | fields)
        assert field in [problem.field for problem in refused.value.problems]
        assert any("$${secret:" in problem.remedy for problem in refused.value.problems)


def test_a_reference_is_part_of_a_definition_as_it_is() -> None:
    text = "Bearer ${secret:TOKEN}"
    job = convert_job({"name": "job", "run": {"shell": ":"}, "env": {"AUTH": text}})
    assert job.env == {"AUTH": text}
    call = convert_job({"name": "job", "run": {"http": {"url": "http://a.test/", "headers": {"Authorization": text}}}})
    assert call.run.http is not None
    assert call.run.http.headers == {"Authorization": text}
