"""What services log: lines that say whom they are about, and no secret in any of them."""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dcron_core.settings import LogIngesterSettings, MasterSettings, WorkerSettings, secrets_in
from dcron_core.telemetry import about, configure_logging, get_logger
from dcron_log_ingester.service import open_log_ingester
from dcron_schemas.records import ExecutionFinished
from tests.services import TOKEN, Ports

SIGNING_KEY, CLUSTER_KEY, AUDIT_KEY = "a1" * 32, "b2" * 32, "c3" * 32
PUBLIC_KEY = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SIGNING_KEY)).public_key().public_bytes_raw().hex()
PASSWORD = "pa%24%24word-of-mongodb"
MONGODB = f"mongodb://dcron:{PASSWORD}@127.0.0.1:1/?serverSelectionTimeoutMS=100"
QUICK = {"name": "quick", "run": {"argv": ["/bin/false"]}, "schedule": {"cron": "* * * * * *"}, "overlap": "allow"}
LONG = {"name": "long", "run": {"argv": ["/bin/sleep", "60"]}, "kill_grace": "1s", "schedule": {"cron": "0 0 1 1 *"}}
Line = dict[str, Any]


class Written:
    """What the process wrote to stderr so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    @property
    def text(self) -> str:
        self._text += self._capsys.readouterr().err
        return self._text

    @property
    def lines(self) -> list[Line]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def events(self) -> list[Line]:
        """Lines of our own, and not of a library."""
        return [line for line in self.lines if "logger" not in line]


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    """Let a test set up logging as a service does, and see what is written."""
    root = logging.getLogger()
    handlers, level, settings = root.handlers[:], root.level, structlog.get_config()
    for of_the_test_itself in ("httpx", "httpcore", "asyncio"):
        monkeypatch.setattr(logging.getLogger(of_the_test_itself), "disabled", True)
    try:
        yield Written(capsys)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**settings)
        structlog.contextvars.clear_contextvars()


def ends(ports: Ports) -> list[ExecutionFinished]:
    return [record for record in ports.records() if isinstance(record, ExecutionFinished)]


async def test_every_line_says_whom_it_is_about(written: Written, tmp_path: Path) -> None:
    """A request's lines have its id, who asked and the job; a run's have the run, the job and the worker."""
    configure_logging("debug", "json", service="test")
    ports = Ports()
    async with AsyncExitStack() as stack:
        keys = {"cluster_key": CLUSTER_KEY}
        master, client = await stack.enter_async_context(ports.master(signing_key=SIGNING_KEY, **keys))
        stranger = await stack.enter_async_context(ports.client(master.port, "not the token at all"))
        worker = await stack.enter_async_context(ports.worker(tmp_path, trusted_keys=PUBLIC_KEY, **keys))
        created = await client.post("/api/v1/jobs", json=QUICK, headers={"X-Request-Id": "request-one"})
        job_id = created.json()["job_id"]
        await ports.wait_for(ExecutionFinished, 2)
        await client.delete(f"/api/v1/jobs/{job_id}")
        long_id = (await client.post("/api/v1/jobs", json=LONG)).json()["job_id"]
        run = (await client.post(f"/api/v1/jobs/{long_id}/run")).json()["execution_id"]
        async with asyncio.timeout(10):
            while not any(line.get("execution_id") == run for line in written.events):
                await asyncio.sleep(0.05)
        await client.post(f"/api/v1/jobs/{long_id}/executions/{run}/kill", headers={"X-Request-Id": "request-two"})
        async with asyncio.timeout(10):
            while all(end.execution.execution_id != run for end in ends(ports)):
                await ports.log.appended.wait(1.0)
        refused = await client.post("/api/v1/jobs", json=QUICK | {"name": "long"})
        assert refused.status_code == 409
        assert (await stranger.get("/api/v1/jobs?secret=of-the-query")).status_code == 401
        worker_id = worker.worker_id
    lines = written.events
    check_requests(lines, job_id, long_id)
    check_runs(lines, run, worker_id)
    assert "of-the-query" not in written.text


def check_requests(lines: list[Line], job_id: str, long_id: str) -> None:
    of_requests = [line for line in lines if line["action"].startswith(("http.", "command."))]
    assert all(line["request_id"] for line in of_requests)
    commands = [line for line in of_requests if line["action"].startswith("command.")]
    assert all(line["actor"] and line["job_id"] and line["kind"] for line in commands)
    (created,) = [line for line in commands if line["request_id"] == "request-one"]
    assert (created["action"], created["kind"], created["job_id"]) == ("command.applied", "JobCreated", job_id)
    (killed,) = [line for line in commands if line["request_id"] == "request-two"]
    assert (killed["kind"], killed["job_id"]) == ("KillRequested", long_id)
    (rejected,) = [line for line in commands if line["action"] == "command.rejected"]
    assert (rejected["level"], "long" in rejected["why"]) == ("info", True)
    (stranger,) = [line for line in lines if line["action"] == "http.refused"]
    assert (stranger["status"], stranger["path"], stranger["client"]) == (401, "/api/v1/jobs", "127.0.0.1")


def check_runs(lines: list[Line], run: str, worker_id: str) -> None:
    of_runs = [line for line in lines if line["action"].startswith("run.")]
    assert {line["action"] for line in of_runs} >= {"run.began", "run.over", "run.stop"}
    for line in of_runs:
        assert line["worker_id"] == worker_id
        assert line["execution_id"].startswith(line["job_id"])
    (stopped,) = [line for line in of_runs if line["action"] == "run.stop"]
    assert (stopped["execution_id"], stopped["why"]) == (run, "killed by bootstrap")
    for line in lines:
        assert {"action", "event", "level", "timestamp", "service"} <= line.keys()
        if run in json.dumps(line) and not line["action"].startswith("http."):
            assert line["execution_id"] == run, line
    quiet = {line["action"]: line["level"] for line in lines}
    assert {quiet["run.began"], quiet["run.over"], quiet["http.answered"]} == {"debug"}, "what is usual is not said"
    assert not [line for line in lines if line["level"] in {"warning", "error"}], "and nothing went wrong"


async def test_no_secret_is_in_a_line(written: Written, tmp_path: Path) -> None:
    """G11: tokens, keys and passwords, with everything told that can be told, while MongoDB refuses the connection."""
    of_ingester = {"mongodb": MONGODB, "audit_key": AUDIT_KEY, "token": TOKEN, "log_ingester_port": 0}
    ingester = msgspec.convert(of_ingester, LogIngesterSettings)
    configure_logging("debug", "json", secrets_in(ingester), service="test")
    ports = Ports()
    async with AsyncExitStack() as stack:
        master, client = await stack.enter_async_context(ports.master(signing_key=SIGNING_KEY, cluster_key=CLUSTER_KEY))
        worker = await stack.enter_async_context(ports.worker(tmp_path, cluster_key=CLUSTER_KEY))
        service = await stack.enter_async_context(open_log_ingester(ingester, ports.clock, ports.ids, ports.log))
        for port in (master.port, worker.port, service.port):
            async with ports.client(port) as each:
                for path in ("/readyz", "/metrics", f"/login?token={TOKEN}", "/api/v1/executions"):
                    await each.get(path)
        await client.post("/api/v1/jobs", json=QUICK)
        await ports.wait_for(ExecutionFinished)
        async with asyncio.timeout(20):
            while not any(line["action"] == "retry" and line["what"] == "MongoDB" for line in written.events):
                await asyncio.sleep(0.05)
    for secret in (TOKEN, SIGNING_KEY, CLUSTER_KEY, AUDIT_KEY, PASSWORD, "pa$$word-of-mongodb"):
        assert secret not in written.text


def test_a_secret_that_slips_into_a_text_is_taken_out(written: Written) -> None:
    """G11: also in a traceback, in another library's line, and where JSON writes it in another way."""
    quoted = 'it has a "quote"'
    configure_logging("info", "json", [TOKEN, quoted, ""], service="test")
    log = get_logger()
    careless = f"the token is {TOKEN}"
    log.info(careless, action="x", value=[quoted])
    try:
        raise ValueError(TOKEN)
    except ValueError as error:
        log.error("failed", action="y", exc_info=error)
    logging.getLogger("a.library").warning("refused: %s", TOKEN)
    text = written.text
    assert TOKEN not in text
    assert "quote" not in text
    assert text.count("(secret)") == 4
    assert [line["action"] for line in written.events] == ["x", "y"]


@pytest.mark.parametrize(
    ("settings", "secrets"),
    [
        (MasterSettings(token=TOKEN, signing_key=SIGNING_KEY, cluster_key=f"{CLUSTER_KEY},{AUDIT_KEY}"),
         {TOKEN, SIGNING_KEY, CLUSTER_KEY, AUDIT_KEY, f"{CLUSTER_KEY},{AUDIT_KEY}"}),
        (WorkerSettings(token=TOKEN), {TOKEN}),
        (LogIngesterSettings(token=TOKEN, mongodb=MONGODB), {TOKEN, PASSWORD, "pa$$word-of-mongodb"}),
        (LogIngesterSettings(token=TOKEN, mongodb="mongodb://user@host/?a=b@c"), {TOKEN}),
    ],
)  # fmt: skip
def test_the_secrets_of_settings_are_known(settings: MasterSettings, secrets: set[str]) -> None:
    assert secrets_in(settings) == secrets


def test_what_is_about_somebody_is_so_in_tasks_that_begin_there(written: Written) -> None:
    configure_logging("info", "json", service="test")
    log = get_logger()

    async def told() -> None:
        log.info("inside", action="inside")

    async def run() -> None:
        with about(execution_id="e"):
            await asyncio.create_task(told())
        log.info("outside", action="outside")

    asyncio.run(run())
    inside, outside = written.events
    assert (inside["execution_id"], "execution_id" in outside) == ("e", False)
