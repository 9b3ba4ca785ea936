"""How MongoDB is reached: its connection string, and the files of certificates that the settings name.

The string may hold a password, and so it is never shown: neither it nor what the driver says about it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import ConfigurationError, InvalidURI, PyMongoError
from pymongo.uri_parser import parse_uri

from dcron_core.errors import SettingsError
from dcron_core.security import TlsFiles
from dcron_log_ingester.batches import Document

# They would let in anybody who shows any certificate.
_UNSAFE = ("tlsInsecure", "tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames")


def connected(url: str, tls: TlsFiles) -> AsyncIOMotorClient[Document]:
    """Return a client; it connects when it is used. Raises SettingsError."""
    problems = list(_problems(url, tls))
    if problems:
        raise SettingsError(problems)
    try:
        with _files_of(tls) as options:
            return AsyncIOMotorClient(
                url,
                appname="dcron-log-ingester",
                serverSelectionTimeoutMS=3_000,
                connectTimeoutMS=3_000,
                socketTimeoutMS=20_000,
                retryWrites=False,  # the ingest loop repeats whole batches
                **options,
            )
    except (ConfigurationError, InvalidURI, PyMongoError, ValueError, OSError) as error:
        raise SettingsError([_refusal(url, error)]) from None  # its text may hold a part of the password


def _problems(url: str, tls: TlsFiles) -> Iterator[str]:
    try:
        options = parse_uri(url, validate=False, warn=False)["options"] if "+srv:" not in url else {}
    except (PyMongoError, ValueError):
        return  # the driver refuses it in a moment
    lowered = url.lower()
    for name in _UNSAFE:
        if f"{name.lower()}=true" in lowered:
            yield f"DCRON_MONGODB says {name}=true, and dcron always verifies: take it out, and name DCRON_MONGODB_CA"
    if tls.ca and options.get("tls") is False:
        yield "DCRON_MONGODB says tls=false, but DCRON_MONGODB_CA is set: take one of them out"


@contextmanager
def _files_of(tls: TlsFiles) -> Iterator[dict[str, Any]]:
    """Give the driver's options. It wants certificate and key in one file, and reads that at once."""
    if not tls.ca:
        yield {}
    elif not tls.cert:
        yield {"tls": True, "tlsCAFile": tls.ca}
    else:
        with NamedTemporaryFile(prefix="dcron-", suffix=".pem") as both:  # only we may read it
            both.write(Path(tls.cert).read_bytes() + b"\n" + Path(tls.key).read_bytes())
            both.flush()
            yield {"tls": True, "tlsCAFile": tls.ca, "tlsCertificateKeyFile": both.name}


def _refusal(url: str, error: Exception) -> str:
    if "@" in url:
        return (
            f"DCRON_MONGODB is not a MongoDB connection string, says the driver ({type(error).__name__}); it is not "
            "shown, since it holds a password. Are user and password percent-encoded?"
        )
    return f"DCRON_MONGODB is not a MongoDB connection string: {error}"
