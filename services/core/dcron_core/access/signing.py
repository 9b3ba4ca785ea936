"""Signatures of what workers run, definitions and requests: write access to etcd alone runs nothing (G12).

A signed value begins with its signature, ``{"signature":"…",``, and goes on as it would without. What is signed is
``dcron/v1``, the key's path without the prefix, and the SHA-256 of the rest, each on a line of its own: the bytes as
they stand, so that releases with other fields agree; the path, so that a value means nothing under another key; and a
digest, so that who reads the value can check it later without keeping it.

Masters sign with Ed25519. What follows from a run (a retry, the run of a dependant, a tick that waits) is written by
workers and sweepers, and carries a code under a key derived from the cluster's key. A `Trust` never takes the one for
the other: the caller says what may be by whom.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

from dcron_core.access.derived_keys import derived_key
from dcron_core.jobs.heads import key_id
from dcron_core.settings import parse_names

Refusal = Literal["unsigned", "unknown_key", "altered", "misplaced"]
REFUSALS: Mapping[Refusal, str] = {
    "unsigned": "it is not signed as it has to be",
    "unknown_key": "it is signed with a key that is not among DCRON_TRUSTED_KEYS",
    "altered": "its signature is not of this value under this key of etcd: one of them was changed",
    "misplaced": "it says that it belongs under another key of etcd",
}

_TAG = b"dcron/v1"
_BEGINS = b'{"signature":"'
_BY_MASTER = re.compile(rb"([0-9a-f]{16}):([A-Za-z0-9_-]{86})")
_BY_MEMBER = re.compile(rb"mac:([A-Za-z0-9_-]{43})")
_LONGEST = 256  # of a signature's text that is kept
_MAC_PURPOSE = b"dcron: runs that follow from runs, version 1"
_DIGEST_BYTES = 32


class Sealed(Struct, frozen=True):
    """A value as it stood in etcd, taken apart."""

    rest: bytes  # what was signed: the value without its signature
    proof: bytes  # digest of the rest and text of the signature, all that a later check needs


def taken_apart(value: bytes) -> Sealed:
    """Split a value from its signature; the text of that is empty if there is none."""
    signature, rest = b"", value
    if value.startswith(_BEGINS):
        end = value.find(b'",', len(_BEGINS), len(_BEGINS) + _LONGEST)
        if end >= 0:
            signature, rest = value[len(_BEGINS) : end], b"{" + value[end + 2 :]
    return Sealed(rest, sha256(rest).digest() + signature)


class Signatures:
    """The keys that one process signs with and trusts. Without any it writes values as they are, and checks nothing.

    Its own public key is trusted too. The first of the cluster's keys makes codes, all of them are accepted.
    """

    def __init__(self, signing_key: str = "", trusted_keys: str = "", cluster_key: str = "") -> None:
        self._keys = signing_key, cluster_key
        self._own = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(signing_key)) if signing_key else None
        self._own_id = b""
        trusted = [Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)) for key in parse_names(trusted_keys)]
        self.public_key = ""  # its own one, in hexadecimal digits
        if self._own is not None:
            public = self._own.public_key()
            trusted.append(public)
            self._own_id, self.public_key = _id_of(public), public.public_bytes_raw().hex()
        self._trusted = {_id_of(key): key for key in trusted}
        self._mac_keys = [_mac_key(key) for key in parse_names(cluster_key)]

    @property
    def signs(self) -> bool:
        """Whether there is a key to sign definitions with."""
        return self._own is not None

    @property
    def verifies(self) -> bool:
        """Whether what is not signed is refused."""
        return bool(self._trusted)

    @property
    def confirms(self) -> bool:
        """Whether there is a key for what follows from runs."""
        return bool(self._mac_keys)

    def own_only(self) -> "Signatures":
        """Return the same, with trust in its own key only."""
        signing_key, cluster_key = self._keys
        return Signatures(signing_key, "", cluster_key)

    def if_signing(self) -> "Signatures":
        """Return itself, or none without a key to sign with: whoever could not mend what is unsigned looks for none."""
        return self if self.signs else NO_SIGNATURES

    def signed(self, path: str, value: bytes) -> bytes:
        """Return the value of the key at `path`, below etcd's prefix, as a master writes it."""
        if self._own is None:
            return value
        signature = self._own.sign(_message(path, sha256(value).digest()))
        return _joined(self._own_id + b":" + _text(signature), value)

    def confirmed(self, path: str, value: bytes) -> bytes:
        """Return the value of what follows from a run, as a worker or sweeper writes it."""
        if not self._mac_keys:
            return value
        code = hmac.digest(self._mac_keys[0], _message(path, sha256(value).digest()), "sha256")
        return _joined(b"mac:" + _text(code), value)

    def refusal_at_sight(self, proof: bytes) -> Refusal | None:
        """Return why a master's value cannot be trusted, as far as it shows without looking at the signature itself."""
        if not self._trusted:
            return None
        parts = _BY_MASTER.fullmatch(proof, _DIGEST_BYTES)
        if parts is None:
            return "unsigned"
        return None if parts[1] in self._trusted else "unknown_key"

    def refusal(self, path: str, proof: bytes) -> Refusal | None:
        """Return why the value of the key at `path` is not what a trusted master wrote there; None: it is."""
        refused = self.refusal_at_sight(proof)
        if refused is not None or not self._trusted:
            return refused
        parts = _BY_MASTER.fullmatch(proof, _DIGEST_BYTES)
        assert parts is not None
        signature, message = _bytes(parts[2]), _message(path, proof[:_DIGEST_BYTES])
        if parts[1] == self._own_id and self._own is not None:
            # Signing gives always the same signature, and takes a third of the time that verifying does.
            return None if hmac.compare_digest(signature, self._own.sign(message)) else "altered"
        try:
            self._trusted[parts[1]].verify(signature, message)
        except InvalidSignature:
            return "altered"
        return None

    def refusal_of_follower(self, path: str, proof: bytes) -> Refusal | None:
        """Return why the value is not what a worker or sweeper of this cluster wrote there; None: it is."""
        if not self._trusted:
            return None
        parts = _BY_MEMBER.fullmatch(proof, _DIGEST_BYTES)
        if parts is None:
            return "unsigned"
        code, message = _bytes(parts[1]), _message(path, proof[:_DIGEST_BYTES])
        right = (hmac.compare_digest(code, hmac.digest(key, message, "sha256")) for key in self._mac_keys)
        return None if any(right) else "altered"


NO_SIGNATURES = Signatures()


def _message(path: str, digest: bytes) -> bytes:
    return b"\n".join((_TAG, path.encode(), digest))


def _joined(signature: bytes, value: bytes) -> bytes:
    return b"".join((_BEGINS, signature, b'",', value[1:]))


def _id_of(key: Ed25519PublicKey) -> bytes:
    return key_id(key.public_bytes_raw()).encode()


def _mac_key(cluster_key: str) -> bytes:
    return urlsafe_b64decode(derived_key(cluster_key, _MAC_PURPOSE))


def _text(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _bytes(text: bytes) -> bytes:
    """Return what the text says; nothing if it is not how `_text` would say it: the last digit has bits to spare."""
    raw = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    return raw if _text(raw) == text else b""
