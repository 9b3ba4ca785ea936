"""Keys for one purpose each, derived from one of the settings: what is known of one tells nothing of the others."""

from base64 import urlsafe_b64encode

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derived_key(key: str, purpose: bytes) -> bytes:
    """Return 256 bits for `purpose` as URL-safe base64, from a key of hexadecimal digits."""
    return urlsafe_b64encode(HKDF(SHA256(), length=32, salt=None, info=purpose).derive(bytes.fromhex(key)))
