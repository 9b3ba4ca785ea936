"""Heads of the chain, signed: what somebody keeps elsewhere to show later that nothing before was changed or cut. Pure.

The signature (Ed25519, RFC 8032) is over the canonical bytes of log id, position, hash and instant. They may never
change: people hold heads that were signed years ago.
"""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec.structs import replace

from dcron_core.errors import HeadError
from dcron_schemas.audit import ChainHead

TAG = b"dcron chain head, version 1\0"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def head_bytes(head: ChainHead) -> bytes:
    """Return the bytes that are signed: each text behind its length (4 bytes, big endian), each number in 8 bytes.

    Raises HeadError for a head that no chain has.
    """
    log_id, value = head.log_id.encode(), head.hash.encode()
    if head.position < 0 or head.at.tzinfo is None:
        raise HeadError(f"position {head.position} at {head.at.isoformat()} is no head: a position is 0 or more, "
                        "and an instant has a zone")  # fmt: skip
    return b"".join((
        TAG,
        len(log_id).to_bytes(4, "big"), log_id,
        head.position.to_bytes(8, "big"),
        len(value).to_bytes(4, "big"), value,
        ((head.at - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True),
    ))  # fmt: skip


def signed(head: ChainHead, private_key: str) -> ChainHead:
    """Return the head with its signature; as it is if the key is empty."""
    if not private_key:
        return head
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(private_key))
    public = key.public_key().public_bytes_raw()
    return replace(
        head, key_id=key_id(public), public_key=public.hex(), signature=key.sign(head_bytes(head)).hex()
    )  # fmt: skip


def check_signature(head: ChainHead, public_key: str = "") -> None:
    """Raise HeadError unless the head is signed, by that key (empty: by the key that it names itself)."""
    if not head.signature:
        raise HeadError("it is not signed; the log-ingester that gave it had no DCRON_AUDIT_KEY")
    if public_key and public_key.lower() != head.public_key.lower():
        raise HeadError(f"it is signed with key {head.public_key}, not with {public_key.lower()}")
    try:
        public = bytes.fromhex(head.public_key)
        Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(head.signature), head_bytes(head))
    except (InvalidSignature, ValueError, OverflowError) as error:
        raise HeadError("its signature is not of its log id, position, hash and instant: it was changed") from error
    if head.key_id != key_id(public):
        raise HeadError(f"its key_id {head.key_id!r} is not that of its public key, {key_id(public)}")


def key_id(public_key: bytes) -> str:
    """Return the short name of a public key."""
    return sha256(public_key).hexdigest()[:16]
