"""Job files: several documents, YAML 1.2, and problems told with file, line and remedy."""

from pathlib import Path

import pytest

from dcron_schemas.job import JobSpec, Run
from dcron_standalone.job_files import JobFileError, definition_text, read_jobs

REPOSITORY = Path(__file__).resolve().parents[3]


def written(tmp_path: Path, text: str) -> str:
    file = tmp_path / "jobs.yaml"
    file.write_text(text)
    return str(file)


def problems_of(tmp_path: Path, text: str) -> list[str]:
    """What is told about the text, without the directory."""
    with pytest.raises(JobFileError) as caught:
        read_jobs(written(tmp_path, text))
    return [problem.removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("name: a\nrun: {shell: x}\n", ["a"]),
        ("name: a\nrun: {shell: x}\n---\nname: b\nrun: {shell: x}\n", ["a", "b"]),
        ("- name: a\n  run: {shell: x}\n- name: b\n  run: {shell: x}\n", ["a", "b"]),
        ('{"name": "a", "run": {"shell": "x"}}', ["a"]),
        ("---\n---\nname: a\nrun: {shell: x}\n---\n", ["a"]),
    ],
)
def test_a_file_holds_one_job_or_several(tmp_path: Path, text: str, names: list[str]) -> None:
    assert [job.name for job in read_jobs(written(tmp_path, text))] == names


def test_yaml_is_read_by_version_1_2(tmp_path: Path) -> None:
    """By version 1.1, which PyYAML speaks, `no` would be false and 12:30:00 the number 45000."""
    text = "name: no\nrun: {argv: [on, yes, 12:30:00, 2026-01-01]}\n"
    (job,) = read_jobs(written(tmp_path, text))
    assert job.name == "no"
    assert job.run.argv == ("on", "yes", "12:30:00", "2026-01-01")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: a\nrunn: {shell: x}\nrun: {shell: x}\n", ["jobs.yaml:2: runn: unknown field", "did you mean run?"]),
        ("name: a\nrun:\n  shell: x\n  shel: y\n", ["jobs.yaml:4: run.shel", "did you mean shell?"]),
        ("# a comment\n\nname: a\n", ["jobs.yaml:3: run: is required"]),
        (
            "name: a\nrun: {shell: x}\ntimezone: Europe/Berlim\n",
            ["jobs.yaml:3: timezone", "did you mean Europe/Berlin?"],
        ),
        ("name: a\nname: b\nrun: {shell: x}\n", ["jobs.yaml:2:", "'name' is there twice"]),
        ("name: [a\nrun: {shell: x}\n", ["jobs.yaml:2: is not valid YAML"]),
        ("name: a\nrun: {argv: [x, 1]}\n", ["jobs.yaml:2: run.argv[1]"]),
        ("[a]: b\n", ["jobs.yaml:1: is not valid YAML"]),
        ("name: !!python/name:os.system a\n", ["jobs.yaml:1: is not valid YAML"]),
        ("just words\n", ["jobs.yaml:1: the job: not an object"]),
        ("", ["holds no job"]),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_remedy(tmp_path: Path, text: str, expected: list[str]) -> None:
    (problem,) = problems_of(tmp_path, text)
    assert [part for part in expected if part not in problem] == []


def test_all_problems_of_all_jobs_are_told_at_once(tmp_path: Path) -> None:
    text = "name: a\nrun: {shell: x}\ntimezone: X\n---\nname: b\nrun: {}\n"
    assert [problem.split(" ")[0] for problem in problems_of(tmp_path, text)] == ["jobs.yaml:3:", "jobs.yaml:6:"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(JobFileError, match=r"nothing\.yaml: cannot be read: No such file"):
        read_jobs(str(tmp_path / "nothing.yaml"))
    (tmp_path / "latin.yaml").write_bytes(b"name: \xe4\n")
    with pytest.raises(JobFileError, match="is not UTF-8"):
        read_jobs(str(tmp_path / "latin.yaml"))


@pytest.mark.parametrize(
    "words", ["no", "010", "1e5", "12:30", "~", "", "two\nlines\n", "ends\nwithout", "ä: 'b'", "  x"]
)
def test_what_is_shown_is_read_back_as_it_was(tmp_path: Path, words: str) -> None:
    spec = JobSpec(name="a", run=Run(argv=("echo", words)), env={"WORDS": words})
    assert read_jobs(written(tmp_path, definition_text(spec))) == [spec]


@pytest.mark.parametrize("file", sorted((REPOSITORY / "examples").rglob("*.yaml")), ids=lambda file: str(file.name))
def test_the_examples_are_valid(file: Path) -> None:
    assert read_jobs(str(file))
