"""Passwords: argon2id, whose result is sealed with the cluster's key and for one user.

Whoever has the log or etcd alone cannot even begin to guess: without the cluster's key there is nothing to hold a guess
against. Checking takes its time and memory on purpose, so it is done in threads and two at a time; a user who is not
there takes as long as one who is.
"""

import asyncio

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from dcron_core.access.sealing import Sealer
from dcron_core.errors import SealError
from dcron_core.telemetry import get_logger

SHORTEST, LONGEST = 12, 256  # characters
PURPOSE = b"dcron passwords v1"
AT_ONCE = 2  # 64 MiB each

log = get_logger()


def password_problem(user: str, password: str) -> str:
    """Return why a password is not taken; "" if it is."""
    if not SHORTEST <= len(password) <= LONGEST:
        return f"a password has {SHORTEST} to {LONGEST} characters"
    if user.lower() in password.lower() and len(password) < 2 * SHORTEST:
        return "the password contains the user's name"
    if len(set(password)) < 5:
        return "the password has fewer than 5 different characters"
    return ""


class Passwords:
    """Makes and checks verifiers."""

    def __init__(self, cluster_key: str, hasher: PasswordHasher | None = None) -> None:
        self._sealer = Sealer(cluster_key, PURPOSE)
        # RFC 9106, the second recommended option: 64 MiB, three passes, four lanes.
        self._hasher = hasher or PasswordHasher(
            time_cost=3, memory_cost=64 << 10, parallelism=4, hash_len=32, salt_len=16, type=Type.ID
        )
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._nobodys = ""  # a hash that nothing fits

    async def verifier(self, user: str, password: str) -> str:
        """Return what is kept of a password; raise SealError if there is no key."""
        return self._sealer.seal("users", user, await self._hashed(password))

    async def fits(self, user: str, password: str, verifier: str) -> bool:
        """Tell whether it is the password that the verifier was made from; of no verifier: False, as slowly."""
        if not self._nobodys:
            self._nobodys = await self._hashed("nobody has this password")
        known = self._opened(user, verifier)
        async with self._turns:
            fits = await asyncio.to_thread(self._verified, known or self._nobodys, password)
        return fits and bool(known)

    async def _hashed(self, password: str) -> str:
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    def _opened(self, user: str, verifier: str) -> str:
        if not verifier:
            return ""
        try:
            return self._sealer.open("users", user, verifier)
        except SealError as error:
            log.error("a password cannot be checked", action="passwords.sealed", user=user, error=str(error))
            return ""

    def _verified(self, known: str, password: str) -> bool:
        try:
            return self._hasher.verify(known, password)
        except (VerificationError, InvalidHashError):
            return False
