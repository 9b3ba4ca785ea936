"""Secrets in runs: put in at the start, masked in all that is written, told by their names when they cannot be had."""

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from dcron_core.access.sealing import MOST_BYTES, Sealer
from dcron_core.ports.store import Delete, Put, Transaction
from dcron_schemas.codec import encode
from dcron_schemas.identity import SecretEntry
from dcron_schemas.records import ExecutionFinished, OutputChunk
from dcron_worker.output import CHUNK_BYTES
from tests.services import EXECUTIONS, JOB_EVENTS, KEYS, Ports
from tests.signing_keys import MASTERS_KEYS, WORKERS_KEYS
from tests.unit.worker.test_executors import PATIENCE_S, ask_for_run, end_and_output, put, spec
from tests.unit.worker.test_http_call import answers, server

KEY = "1f" * 32
VALUE = "s3cret ☂ value"
ENV = {"TOKEN": "${secret:TOKEN}"}


def secret(value: str = VALUE, name: str = "TOKEN", namespace: str = "default", key: str = KEY) -> Put:
    ports = Ports()
    entry = SecretEntry(
        namespace=namespace,
        name=name,
        sealed=Sealer(key).seal(namespace, name, value),
        updated_at=ports.clock.now(),
        updated_by="ann",
    )
    return Put(KEYS.secret(namespace, name), encode(entry))


async def run_with(
    fields: dict[str, Any], data: Path, *secrets: Put, cluster_key: str = KEY
) -> tuple[ExecutionFinished, dict[str, str], Ports]:
    """Run a job once on a worker that has those secrets; return its end, its output by stream, and the ports."""
    ports = Ports()
    await put(ports, *secrets)
    async with asyncio.timeout(PATIENCE_S), ports.worker(data, cluster_key=cluster_key):
        await ask_for_run(ports, spec(**fields))
        await ports.wait_for(ExecutionFinished)
    finished, output = end_and_output(ports.records())
    return finished, {name: text_of(output, name) for name in ("stdout", "stderr")}, ports


async def run_of_output(script: str, data: Path, value: Put) -> tuple[ExecutionFinished, list[OutputChunk]]:
    """Run a script with the secret TOKEN that it does not print; return its end and its output."""
    _, _, ports = await run_with({"run": {"shell": "unset TOKEN; " + script}, "env": ENV}, data, value)
    return end_and_output(ports.records())


def text_of(output: list[OutputChunk], stream: str) -> str:
    return "".join(chunk.text for chunk in output if chunk.stream == stream)


async def all_that_was_written(ports: Ports) -> bytes:
    """Return each value in etcd and each record of the log, but the sealed secrets."""
    items = (await ports.store.read_prefix(KEYS.prefix)).items
    values = [item.value for item in items if not item.key.startswith(KEYS.secrets)]
    for partition in ports.log.partitions(EXECUTIONS):
        values += [record.value for record in partition.read(0, 1_000_000)]
    return b"\n".join(values)


async def test_a_run_has_its_secret_and_nobody_sees_it(tmp_path: Path) -> None:
    """G11: the program gets the value; what is stored of the run, in etcd and in the log, holds it nowhere."""
    script = (
        'echo "$TOKEN"; echo "u:$TOKEN" | base64 >&2; printf %s "$TOKEN" | wc -c; printf "%s\\n" "$LITERAL"; exit 3'
    )
    env = {"TOKEN": "Bearer ${secret:TOKEN}", "LITERAL": "$${secret:TOKEN}"}
    finished, output, ports = await run_with({"run": {"shell": script}, "env": env}, tmp_path, secret())
    assert (finished.outcome, finished.exit_code) == ("failed", 3)
    assert output["stdout"] == f"Bearer ***\n{len(f'Bearer {VALUE}'.encode())}\n${{secret:TOKEN}}\n"
    assert "***" in output["stderr"]
    written = await all_that_was_written(ports)
    assert VALUE.encode() not in written
    assert b"s3cret" not in written


@pytest.mark.parametrize("pause", ["", "sleep 0.2;"])
async def test_it_is_masked_over_reads_chunks_and_streams(pause: str, tmp_path: Path) -> None:
    """G11: a value that comes in parts, each in a read of its own, with a line of the other stream in between."""
    script = f'for part in s3c "ret ☂ va" lue; do printf %s "$part"; {pause} echo error >&2; done; echo " end"'
    finished, output, _ = await run_with({"run": {"shell": script}, "env": ENV}, tmp_path, secret())
    assert finished.outcome == "succeeded"
    assert output == {"stdout": "*** end\n", "stderr": "error\n" * 3}


async def test_each_line_of_a_value_is_masked_and_what_only_begins_like_one_is_not(tmp_path: Path) -> None:
    value = "-----BEGIN-----\nfirst line\nxy\nlast line\n"
    script = 'echo "$TOKEN" | head -n 2; echo last li; printf "[%s]" "$TOKEN"; printf first'
    _, output, _ = await run_with({"run": {"shell": script}, "env": ENV}, tmp_path, secret(value))
    assert output["stdout"] == "***\n***\nlast li\n[***\n]first"


async def test_it_is_masked_where_the_output_is_cut_and_undecodable_bytes_stay_where_they_are(tmp_path: Path) -> None:
    """G11: the bound cuts what is masked already, so that no part of a value is left on either side."""
    script = 'i=0; while [ $i -lt 400 ]; do printf "%s\\377%s\\342\\202" "$i" "$TOKEN"; i=$((i+1)); done'
    for limit in range(600, 608):
        job = {"run": {"shell": script}, "env": ENV, "limits": {"output_bytes": limit}}
        finished, output, _ = await run_with(job, tmp_path / str(limit), secret())
        assert finished.output_cut_bytes > 0
        head, _, tail = output["stdout"].partition("\n[dcron: ")
        tail = tail.partition("]\n")[2]
        assert head.startswith("0\ufffd***\ufffd1\ufffd***\ufffd2")
        assert tail.endswith("399\ufffd***\ufffd")
        assert set(head + tail) <= set("0123456789*\ufffd")


async def test_what_was_held_back_does_not_make_a_chunk_too_large(tmp_path: Path) -> None:
    """Nearly all of a large value comes, and then something else: all of it is output, in chunks as usual."""
    value = "x" * (MOST_BYTES - 1) + "y"
    script = f"head -c {MOST_BYTES - 1} /dev/zero | tr '\\0' x; sleep 0.3; head -c 30000 /dev/zero | tr '\\0' z"
    finished, output = await run_of_output(script, tmp_path, secret(value))
    assert finished.outcome == "succeeded"
    assert max(len(chunk.text) for chunk in output) <= CHUNK_BYTES
    assert text_of(output, "stdout") == "x" * (MOST_BYTES - 1) + "z" * 30000


async def test_live_output_is_not_held_back(tmp_path: Path) -> None:
    """A line is on its way while the run goes on, with a secret in it or without; the run waits until it was seen."""
    ports, gate = Ports(), tmp_path / "gate"
    os.mkfifo(gate)
    await put(ports, secret())
    job = spec(run={"shell": 'echo before; echo "$TOKEN"; read _ < "$GATE"; echo over'}, env=ENV | {"GATE": str(gate)})
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path / "data", cluster_key=KEY):
        await ask_for_run(ports, job)
        while text_of([each for each in ports.records() if isinstance(each, OutputChunk)], "stdout") != "before\n***\n":
            await ports.log.appended.wait(1.0)
        await asyncio.to_thread(gate.write_text, "go\n")
        await ports.wait_for(ExecutionFinished)


@pytest.mark.parametrize(
    ("secrets", "cluster_key", "why"),
    [
        ((), KEY, "there is no secret 'TOKEN' in the namespace 'default'"),
        ((secret(namespace="other"),), KEY, "there is no secret 'TOKEN' in the namespace 'default'"),
        ((secret(),), "", "the secret 'TOKEN' cannot be used on this worker: DCRON_CLUSTER_KEY is not set"),
        ((secret(),), "2e" * 32, "cannot be opened with DCRON_CLUSTER_KEY"),
        ((Put(KEYS.secret("default", "TOKEN"), secret(namespace="other").value),), KEY, "sealed for another place"),
        ((Put(KEYS.secret("default", "TOKEN"), secret(name="B").value),), KEY, "sealed for another place"),
        ((Put(KEYS.secret("default", "TOKEN"), b"{"),), KEY, "there is no secret 'TOKEN'"),
    ],
)
@pytest.mark.parametrize("is_call", [False, True])
async def test_a_secret_that_cannot_be_had_is_a_recorded_failure(
    is_call: bool, secrets: tuple[Put, ...], cluster_key: str, why: str, tmp_path: Path
) -> None:
    """G6, G11: the run ends once, nothing is started, and the reason names the secret, never its value."""
    reference = {"X-Token": "${secret:TOKEN}"}
    call = {"run": {"http": {"url": "http://127.0.0.1:9/", "headers": reference}}}
    job = call if is_call else {"run": {"shell": "echo started"}, "env": ENV}
    finished, output, ports = await run_with(job, tmp_path, *secrets, cluster_key=cluster_key)
    assert (finished.outcome, finished.started_at, output["stdout"]) == ("failed", None, "")
    assert "TOKEN" in finished.error
    assert why in finished.error
    assert VALUE.encode() not in await all_that_was_written(ports)


async def test_what_is_retried_is_retried_as_often_as_the_job_says(tmp_path: Path) -> None:
    job = {"run": {"shell": "echo"}, "env": ENV, "retry": {"attempts": 1, "backoff": "0s"}}
    ports = Ports()
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, cluster_key=KEY):
        await ask_for_run(ports, spec(**job))
        await ports.wait_for(ExecutionFinished, 2)
        while (await ports.store.read_prefix(KEYS.runs)).items or (
            await ports.store.read_prefix(KEYS.executions)
        ).items:
            await ports.log.appended.wait(0.05)
    ends = [record for record in ports.records() if isinstance(record, ExecutionFinished)]
    assert [(end.execution.attempt, end.outcome) for end in ends] == [(1, "failed"), (2, "failed")]


async def test_a_secret_is_followed_as_it_is_set_and_removed(tmp_path: Path) -> None:
    """The next run has the new value; without one it says so."""
    ports = Ports()
    job = spec(run={"shell": 'printf %s "$TOKEN" | wc -c'}, env=ENV)
    await put(ports, secret("four"))
    async with asyncio.timeout(PATIENCE_S), ports.worker(tmp_path, cluster_key=KEY):
        changes: list[Put | Delete] = [secret("four"), secret("sixsix"), Delete(KEYS.secret("default", "TOKEN"))]
        for number, change in enumerate(changes):
            await ports.store.transact(Transaction((), (change,)))
            await ask_for_run(ports, job, f"id.r{number}.1")
            await ports.wait_for(ExecutionFinished, number + 1)
    records = ports.records()
    texts = {each.execution_id: each.text for each in records if isinstance(each, OutputChunk)}
    assert texts == {"id.r0.1": "4\n", "id.r1.1": "6\n"}
    errors = {each.execution.execution_id: each.error for each in records if isinstance(each, ExecutionFinished)}
    assert (errors["id.r0.1"], errors["id.r1.1"]) == ("", "")
    assert "there is no secret 'TOKEN'" in errors["id.r2.1"]


async def test_an_older_cluster_key_still_opens_and_a_job_sees_no_secret_that_it_does_not_name(tmp_path: Path) -> None:
    old = "2e" * 32
    secrets = (secret("0ld-value", name="OLD", key=old), secret("other-value", name="OTHER"))
    job = {"run": {"shell": "env; echo ${#OLD}"}, "env": {"OLD": "${secret:OLD}"}}
    finished, output, _ = await run_with(job, tmp_path, *secrets, cluster_key=f"{KEY},{old}")
    assert finished.outcome == "succeeded"
    assert "OLD=***\n" in output["stdout"]
    assert output["stdout"].endswith("\n9\n")
    assert "other" not in output["stdout"].lower()


async def test_a_start_that_fails_does_not_tell_the_value(tmp_path: Path) -> None:
    job = {"run": {"argv": ["no-such-program"]}, "env": {"PATH": "/bin:/${secret:TOKEN}"}}
    finished, _, _ = await run_with(job, tmp_path, secret())
    assert finished.error == "there is no program 'no-such-program' in PATH=/bin:/***"


async def test_a_call_sends_its_secret_and_nobody_sees_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """G11: in a header of the call; masked in the answer's head and body, in why it failed, and not in the log."""
    caplog.set_level(logging.DEBUG)
    value, seen = "s3cret+/value", dict[str, str]()

    async def answer(request: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter) -> None:
        seen.update(headers)
        await answers(f"403 No {value}", f"not {value}\n".encode(), f"X-Echo: {value}")(request, headers, body, writer)

    async with server(answer) as url:
        call = {"url": url, "headers": {"authorization": "Bearer ${secret:TOKEN}", "X-Plain": "$${secret:A}"}}
        finished, output, ports = await run_with({"run": {"http": call}}, tmp_path, secret(value))
    assert (seen["authorization"], seen["x-plain"]) == (f"Bearer {value}", "${secret:A}")
    assert finished.error == "it was answered 403 No ***; expected is 2xx"
    assert output["stdout"] == "not ***\n"
    assert "x-echo: ***" in output["stderr"]
    assert value not in caplog.text
    assert value.encode() not in await all_that_was_written(ports)


async def test_a_secret_that_no_header_may_hold_is_told_and_not_sent(tmp_path: Path) -> None:
    call = {"url": "http://127.0.0.1:9/", "headers": {"X-Token": "${secret:TOKEN}"}}
    for value in ("two\nlines", "☂ not ASCII"):
        finished, _, ports = await run_with({"run": {"http": call}}, tmp_path / value[:3], secret(value))
        assert finished.error.startswith("the header X-Token cannot be sent")
        assert value.encode() not in await all_that_was_written(ports)


async def test_whoever_reads_definition_history_or_log_sees_the_reference_only(tmp_path: Path) -> None:
    """G11: from the command to the end of the run: each answer of the API, each event and each record."""
    ports = Ports()
    job = {"name": "uses-it", "run": {"shell": 'echo "$TOKEN"'}, "env": ENV, "schedule": {"every": "1h"}}
    async with (
        asyncio.timeout(PATIENCE_S),
        ports.master(**MASTERS_KEYS) as (_, client),
        ports.worker(tmp_path, **WORKERS_KEYS),
    ):
        kept = await client.put("/api/v1/secrets/default/TOKEN", json={"value": VALUE})
        made = await client.post("/api/v1/jobs", json=job)
        path = f"/api/v1/jobs/{made.json()['job_id']}"
        asked = await client.post(f"{path}/run", json={})
        (finished,) = await ports.wait_for(ExecutionFinished)
        changed = await client.patch(path, json={"description": "changed"}, headers={"If-Match": '"1"'})
        pages = ("/api/v1/jobs", path, f"{path}/history", "/api/v1/secrets")
        answers = [kept, made, asked, changed, *[await client.get(page) for page in pages]]
        written = await all_that_was_written(ports)
    for answer in answers:
        assert answer.status_code < 300, answer.text
        assert VALUE not in answer.text
    assert made.json()["spec"]["env"] == ENV
    assert isinstance(finished, ExecutionFinished)
    assert finished.outcome == "succeeded"
    (events,) = ports.log.partitions(JOB_EVENTS)
    for data in (written, *(record.value for record in events.read(0, 1_000_000))):
        assert VALUE.encode() not in data
        assert b"s3cret" not in data
    assert b"${secret:TOKEN}" in b"".join(record.value for record in events.read(0, 1_000_000))
