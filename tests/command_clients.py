"""Clients that send commands to several masters, each until it has an answer, and write down what they saw."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx

from tests.job_model import Answer, Definition, JobCommand, Kind
from tests.linearizability import Call
from tests.validators import Sent

KINDS: Sequence[Kind] = ("create", "edit", "patch", "revert", "pause", "resume", "delete", "run")
WEIGHTS = (2, 5, 3, 3, 3, 3, 2, 3)
ON_A_VERSION = ("edit", "patch", "revert")  # sent with If-Match always, the others now and then
NO_ANSWER_YET = (502, 503, 504)
PATIENCE_S = 90.0  # then the outcome is written down as unknown


@dataclass
class Known:
    """What some client was told last about a job; it may have changed since."""

    job_id: str
    version: int


class Clients:
    """A number of clients at once. `sent` is what they saw."""

    def __init__(self, masters: Sequence[httpx.AsyncClient], names: int, seed: int) -> None:
        self.sent: list[Sent] = []
        self.tries = 0
        self.unexpected: list[str] = []  # answers that no command should get
        self._masters = masters
        self._names = [f"job-{number}" for number in range(names)]
        self._known: dict[str, Known] = {}
        self._seed = seed

    async def run(self, clients: int, commands: int) -> None:
        """Send so many commands in all."""
        async with asyncio.TaskGroup() as group:
            for client in range(clients):
                group.create_task(self._client(client, commands // clients))

    async def _client(self, client: int, commands: int) -> None:
        dice = random.Random(f"{self._seed}/{client}")
        for number in range(commands):
            name = dice.choice(self._names)
            known = self._known.get(name)
            kind = dice.choices(KINDS, WEIGHTS)[0] if known else "create"
            await self._send(f"{client}-{number}", name, self._command(kind, f"{client}-{number}", known, dice), dice)

    def _command(self, kind: Kind, key: str, known: Known | None, dice: random.Random) -> JobCommand:
        definition = Definition(key) if kind in ("create", "edit", "patch") else None
        if kind == "create" or known is None:
            return JobCommand("create", "", None, definition)
        expected = known.version if kind in ON_A_VERSION or dice.random() < 0.3 else None
        to_version = dice.randint(1, known.version) if kind == "revert" else 0
        return JobCommand(kind, known.job_id, None, definition, expected, to_version)

    async def _send(self, key: str, name: str, command: JobCommand, dice: random.Random) -> None:
        """Send one command to one master after another until one answers."""
        loop = asyncio.get_running_loop()
        called = loop.time()
        answer = None
        while answer is None and loop.time() < called + PATIENCE_S:
            self.tries += 1
            answer = await _try(dice.choice(self._masters), key, name, command)
            if answer is None:
                await asyncio.sleep(dice.uniform(0.0, 0.1))
        if answer is None:
            self.sent.append(Sent(key, name, Call(command, called)))
            return
        self.sent.append(self._answered(key, name, command, called, loop.time(), answer))

    def _answered(
        self, key: str, name: str, command: JobCommand, called: float, returned: float, answer: httpx.Response
    ) -> Sent:
        body: Any = answer.json() if answer.content else {}
        status = answer.status_code
        if status not in (200, 201, 202, 204, 404, 409) or "Idempotency-Key" in answer.text:
            self.unexpected.append(f"{command}: {status} {answer.text}")
        told = Answer(status, body.get("current_version") or 0)
        if status in (200, 201):
            spec = body["spec"]
            told = Answer(status, body["version"], Definition(spec.get("description", ""), spec.get("enabled", True)))
            command = replace(command, job_id=body["job_id"])
            self._known[name] = Known(body["job_id"], body["version"])
        elif status in (204, 404):
            self._known.pop(name, None)
        elif told.version:
            self._known[name] = Known(command.job_id, told.version)
        return Sent(key, name, Call(replace(command, answer=told), called, returned), body.get("execution_id", ""))


async def _try(master: httpx.AsyncClient, key: str, name: str, command: JobCommand) -> httpx.Response | None:
    """Return the answer; None if there was none, or one that says to ask again."""
    headers = {"Idempotency-Key": key}
    if command.expected is not None:
        headers["If-Match"] = f'"{command.expected}"'
    method, path = _route(command)
    try:
        answer = await master.request(method, path, headers=headers, json=_body(name, command))
    except httpx.TransportError:
        return None
    return None if answer.status_code in NO_ANSWER_YET else answer


def _route(command: JobCommand) -> tuple[str, str]:
    job = f"/api/v1/jobs/{command.job_id}"
    match command.kind:
        case "create":
            return "POST", "/api/v1/jobs"
        case "edit":
            return "PUT", job
        case "patch":
            return "PATCH", job
        case "delete":
            return "DELETE", job
    return "POST", f"{job}/{command.kind}"


def _body(name: str, command: JobCommand) -> dict[str, Any] | None:
    if command.kind == "revert":
        return {"version": command.to_version}
    if command.definition is None:
        return None
    described = {"description": command.definition.fingerprint}
    return described if command.kind == "patch" else {"name": name, "run": {"shell": "true"}, **described}
