"""The command line: every failure is a line on stderr that says what to do, and an exit code that is not 0."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest

from dcron_schemas.api import FieldProblem, Problem
from dcron_schemas.audit import FieldChange
from dcron_schemas.job import JobSpec, Run
from dcron_standalone import client as client_module
from dcron_standalone.cli import main
from dcron_standalone.client import ApiError, Client
from dcron_standalone.data_directory import Access
from dcron_standalone.ports import LOOPBACK, free_port

SPEC = JobSpec(name="a", run=Run(shell="true"))
TOKEN = "0123456789abcdef"


def run_main(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command line in this process; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["dcron", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


@pytest.fixture(autouse=True)
def no_dcron(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the developer's own environment reaches the tests."""
    monkeypatch.delenv("DCRON_URL", raising=False)
    monkeypatch.delenv("DCRON_TOKEN", raising=False)
    monkeypatch.setenv("DCRON_DATA", str(tmp_path))


class Answers(HTTPServer):
    """Gives one prepared answer after the other; None breaks the connection."""

    def __init__(self, *answers: tuple[int, bytes] | None) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.answers = list(answers)
        self.keys: list[str] = []

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Answers

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.keys.append(self.headers["Idempotency-Key"])
        answer = self.server.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer[0])
        self.send_header("Content-Length", str(len(answer[1])))
        self.end_headers()
        self.wfile.write(answer[1])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def answers(request: pytest.FixtureRequest) -> Iterator[Answers]:
    with Answers(*request.param) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def problem(status: int, *errors: FieldProblem, detail: str = "") -> tuple[int, bytes]:
    return status, msgspec.json.encode(Problem(title="refused", status=status, detail=detail, errors=errors))


def test_nobody_answering_names_the_address_and_what_starts_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://{LOOPBACK}:{free_port()}"
    monkeypatch.setenv("DCRON_URL", url)
    monkeypatch.setenv("DCRON_TOKEN", TOKEN)
    assert run_main(monkeypatch, "job", "ls") == 1
    assert capsys.readouterr().err == f"dcron: nothing answers at {url}: is dcron running? `make up` starts it\n"


def test_no_known_dcron_is_one_line_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(monkeypatch, "job", "ls") == 1
    assert "`make up` starts one" in capsys.readouterr().err


def test_settings_that_do_not_add_up_are_all_told_and_exit_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DCRON_SLOTS", "none")
    monkeypatch.setenv("DCRON_SLTS", "3")
    assert run_main(monkeypatch, "worker") == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if not line.startswith("dcron: DCRON_")] == []
    assert {line.split()[1].partition("=")[0] for line in lines} == {"DCRON_SLOTS", "DCRON_SLTS", "DCRON_TOKEN"}


@pytest.mark.parametrize("arguments", [["jbo"], ["job", "apply"], ["up", "--workers", "0"], ["job", "show"]])
def test_misuse_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run_main(monkeypatch, *arguments) != 0
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("dcron: ")


def test_a_bad_file_is_told_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """There is no dcron to send it to, and the file is what is complained about."""
    (tmp_path / "a.yaml").write_text("name: a\nrun: {shell: x}\nschedul: {every: 1s}\n")
    assert run_main(monkeypatch, "job", "apply", "-f", str(tmp_path / "a.yaml")) == 1
    assert "a.yaml:3: schedul: unknown field" in capsys.readouterr().err


@pytest.mark.parametrize("answers", [[problem(503)] * 2, [None, problem(503)]], indirect=True)
def test_a_command_is_tried_twice_under_one_key(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a command whose answer was lost is not done twice (G1)."""
    monkeypatch.setattr(client_module, "RETRY_AFTER_S", 0.0)
    client = Client(Access(answers.url, TOKEN))
    with pytest.raises(ApiError, match="refused"):
        client.create(SPEC)
    client.close()
    assert len(answers.keys) == 2
    assert len(set(answers.keys)) == 1
    assert len(answers.keys[0]) == 32


@pytest.mark.parametrize(
    "answers",
    [[problem(422, FieldProblem(field="timezone", message="no such zone", value="X", remedy="write UTC"), detail="d")]],
    indirect=True,
)
def test_a_problem_answer_becomes_one_line_with_field_value_and_remedy(answers: Answers) -> None:
    client = Client(Access(answers.url, TOKEN))
    with pytest.raises(ApiError) as caught:
        client.create(SPEC)
    client.close()
    assert str(caught.value) == "refused: timezone: no such zone ('X'); write UTC"
    assert len(answers.keys) == 1, "a refusal is not tried again"


CONFLICT = Problem(
    title="the job has changed",
    status=409,
    detail="job 'a' is at version 2, the command was meant for version 1",
    current_version=2,
    expected_version=1,
    current=SPEC,
    difference=(
        FieldChange(field="timeout", before="5m", after=None),
        FieldChange(field="tags", before=None, after=["x"]),
    ),
)


@pytest.mark.parametrize("answers", [[(409, msgspec.json.encode(CONFLICT))]], indirect=True)
def test_a_rival_edit_is_told_with_the_version_now_and_the_difference_field_by_field(answers: Answers) -> None:
    client = Client(Access(answers.url, TOKEN))
    with pytest.raises(ApiError) as caught:
        client.create(SPEC)
    client.close()
    assert str(caught.value).splitlines() == [
        "the job has changed: job 'a' is at version 2, the command was meant for version 1",
        "  from version 2, as it is now, to what was asked for:",
        '    timeout: "5m" → none',
        '    tags: none → ["x"]',
    ]


@pytest.mark.parametrize("answers", [[(200, b"<html>a proxy's page")]], indirect=True)
def test_an_answer_that_is_not_dcrons_is_told(answers: Answers) -> None:
    client = Client(Access(answers.url, TOKEN))
    with pytest.raises(ApiError, match="not dcron's"):
        client.create(SPEC)
    client.close()
