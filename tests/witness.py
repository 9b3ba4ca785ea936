"""Holds every revision of etcd against the naive fold of the log: the validator of G2 and G3.

G2: the jobs, users, tokens and secrets are those of the log at the position that stands beside them. G3: the position
grows, unless the store was emptied; and no run is asked for twice. G12: with a public key, each of them and every
request is signed with it.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dcron_core.keys import Keys
from dcron_core.ports.store import KeyValue, Removed
from tests.naive_directory import People
from tests.naive_fold import Jobs, NaiveFold


class Witness:
    """Shown every revision of the store, in order; what was wrong with one is in `problems`."""

    def __init__(self, naive: NaiveFold, keys: Keys, public_key: str = "") -> None:
        self._public_key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)) if public_key else None
        self.problems: list[str] = []
        self.revision = 0
        self.position = -1
        self.requests_from = 0
        self.jobs: Jobs = {}  # as the store has them
        self.people: People = {}  # likewise: users, tokens, secrets
        self.runs: set[str] = set()
        self.ever_asked: set[str] = set()  # runs, also those of a store that was emptied since
        self.states: list[tuple[int, Jobs, People]] = []  # every one that the store was in, with its position
        self.emptying = False
        self._naive = naive
        self._keys = keys

    def see(self, events: Sequence[KeyValue | Removed]) -> None:
        """Take in one revision."""
        self.revision = events[0].mod_revision
        for event in events:
            value = None if isinstance(event, Removed) else self._unsealed(event)
            if event.key == self._keys.projection:
                self._advance(value)
            elif event.key.startswith(self._keys.jobs):
                job_id = event.key.removeprefix(self._keys.jobs)
                self.jobs = {**self.jobs, job_id: value} if value else _without(self.jobs, job_id)
            elif event.key.startswith((self._keys.users, self._keys.tokens, self._keys.secrets)):
                key = event.key.removeprefix(self._keys.prefix)
                self.people = {**self.people, key: value} if value else _without(self.people, key)
            elif event.key.startswith(self._keys.runs):
                self._ask(event)
        if self.position >= 0:  # else it was emptied: until it has a position, its job keys are of no table
            self._check()
            self.states.append((self.position, self.jobs, self.people))

    def _unsealed(self, item: KeyValue) -> Any:
        """Return what was signed."""
        value = json.loads(item.value)
        keys = self._keys
        signed = (keys.jobs, keys.runs, keys.users, keys.tokens, keys.secrets)
        if self._public_key is None or not item.key.startswith(signed):
            return value
        try:
            _, signature = value.pop("signature").split(":")
            rest = b"{" + item.value.partition(b",")[2]
            path = item.key.removeprefix(keys.prefix).encode()
            message = b"dcron/v1\n" + path + b"\n" + sha256(rest).digest()
            self._public_key.verify(urlsafe_b64decode(signature + "=="), message)
        except (InvalidSignature, KeyError, ValueError) as error:
            self.problems.append(f"{item.key} is not signed: {error!r}")
        return value

    def _advance(self, projection: Any) -> None:
        position = -1 if projection is None else projection["position"]
        if position <= self.position and not self.emptying:
            self.problems.append(f"the position fell from {self.position} to {position}")
        elif projection and projection["log_id"] != self._naive.log_id:
            self.problems.append(f"position {position} is of log {projection['log_id']}, not {self._naive.log_id}")
        self.position = position
        self.requests_from = projection["requests_from"] if projection else 0

    def _ask(self, event: KeyValue | Removed) -> None:
        execution_id = event.key.removeprefix(self._keys.runs)
        if isinstance(event, Removed):
            self.runs.discard(execution_id)
            return
        if execution_id in self.ever_asked:
            self.problems.append(f"the run {execution_id} was asked for twice")
        self.runs.add(execution_id)
        self.ever_asked.add(execution_id)

    def _check(self) -> None:
        naive, position = self._naive, self.position
        if not naive.reachable(position):
            self.problems.append(f"position {position} is beyond one that cannot be read: {naive.stuck_at()}")
        elif self.jobs != naive.jobs_at(position):
            self.problems.append(f"at position {position} the store has {self.jobs}, the log {naive.jobs_at(position)}")
        elif self.people != naive.people_at(position):
            people = naive.people_at(position)
            self.problems.append(f"at position {position} the store has {self.people}, the log {people}")
        elif self.runs != naive.runs_at(position, self.requests_from):
            self.problems.append(f"at position {position} the store has the runs {self.runs}")


def _without(jobs: Jobs, job_id: str) -> Jobs:
    return {each: value for each, value in jobs.items() if each != job_id}
