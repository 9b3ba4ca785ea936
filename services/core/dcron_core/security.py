"""How we speak to a server in private: TLS by files of PEM, a user with a password, and what is wrong in words.

TLS is on when there is something to trust: then there is no way back to plaintext, and a server must show a
certificate that one of the trusted authorities signed for the very host that we asked for. All that is wrong is told
by the name of the setting, whose names begin with `prefix`.
"""

import ssl
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from msgspec import Struct

# What the libraries say of a broken handshake, in small letters, and what to do about it. The first that fits counts.
_REMEDIES = (
    (
        ("hostname mismatch", "address mismatch", "hostname verification", "is not in peer certificate"),
        "its certificate is for other names: it must have the host that {prefix} says",
    ),
    (("certificate has expired", "certificate is not yet valid"), "its certificate must be renewed there"),
    (
        ("certificate_verify_failed", "certificate verify failed"),
        "its certificate is not of an authority in {prefix}_CA",
    ),
    (
        ("saslauthenticationfailed",),
        "it refuses {prefix}_USER with its {prefix}_PASSWORD",
    ),
    (
        ("saslmechanism",),
        "{prefix}_MECHANISM must be one of those that it has",
    ),
    (
        ("wrong_version_number", "wrong version number", "http request", "http_request"),
        "it speaks plaintext there, which {prefix}_CA rules out: give the port where it speaks TLS",
    ),
    (
        ("alert bad certificate", "alert_bad_certificate", "certificate required", "certificate_required",
         "alert unknown ca", "alert_unknown_ca", "tsi_data_corrupted"),  # the last is what gRPC makes of an alert
        "it wants a certificate of an authority that it trusts from us: see {prefix}_CERT and {prefix}_KEY",
    ),
)  # fmt: skip
_BROKEN = ("closed", "reset", "eof", "broken pipe", "shut down")
_BROKEN_TLS = (
    "it broke off: perhaps it speaks plaintext there, which {prefix}_CA rules out, "
    "or wants a certificate ({prefix}_CERT and {prefix}_KEY) or a user with a password from us"
)
_BROKEN_PLAIN = "it broke off: if it speaks TLS there, set {prefix}_CA"


class TlsFiles(Struct, frozen=True):
    """The files: whom to trust, and what to show. Empty: none."""

    prefix: str  # of the settings' names
    ca: str = ""
    cert: str = ""
    key: str = ""

    def problems(self, now: datetime) -> Iterator[str]:
        """Yield what is wrong with the files."""
        if bool(self.cert) != bool(self.key):
            has, lacks = ("CERT", "KEY") if self.cert else ("KEY", "CERT")
            yield f"{self.prefix}_{has} is set, but {self.prefix}_{lacks} is not: they belong together"
        if self.ca:
            yield from self._authority_problems(now)
        if self.cert:
            yield from self._certificate_problems(now)

    def client_context(self) -> ssl.SSLContext | None:
        """Return what a client of ours connects with; None: plaintext."""
        if not self.ca:
            return None
        context = ssl.create_default_context(cafile=self.ca)  # verifies, the host's name too
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.cert:
            context.load_cert_chain(self.cert, self.key)
        return context

    def server_context(self) -> ssl.SSLContext | None:
        """Return what a port of ours is served with; None: plaintext."""
        if not self.cert:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.cert, self.key)
        return context

    def pem(self) -> tuple[bytes, bytes | None, bytes | None]:
        """Return what is in the files, as gRPC takes it: whom to trust, our key, our certificate."""
        if not self.cert:
            return Path(self.ca).read_bytes(), None, None
        return Path(self.ca).read_bytes(), Path(self.key).read_bytes(), Path(self.cert).read_bytes()

    def _authority_problems(self, now: datetime) -> Iterator[str]:
        name = f"{self.prefix}_CA={self.ca!r}"
        try:
            authorities = x509.load_pem_x509_certificates(Path(self.ca).read_bytes())
        except (OSError, ValueError) as error:
            yield f"{name} {_unreadable(error, 'certificates of authorities')}"
            return
        if all(each.not_valid_after_utc < now for each in authorities):
            yield f"{name}: all certificates in it have expired"

    def _certificate_problems(self, now: datetime) -> Iterator[str]:
        name = f"{self.prefix}_CERT={self.cert!r}"
        try:
            certificate = x509.load_pem_x509_certificates(Path(self.cert).read_bytes())[0]
        except (OSError, ValueError) as error:
            yield f"{name} {_unreadable(error, 'a certificate')}"
            return
        if certificate.not_valid_after_utc < now:
            yield f"{name} has expired at {certificate.not_valid_after_utc.isoformat()}: renew it"
        if certificate.not_valid_before_utc > now:
            yield f"{name} is valid from {certificate.not_valid_before_utc.isoformat()} on only: is the clock right?"
        if self.key:
            yield from self._key_problems(certificate)

    def _key_problems(self, certificate: x509.Certificate) -> Iterator[str]:
        name = f"{self.prefix}_KEY={self.key!r}"
        try:
            key = load_pem_private_key(Path(self.key).read_bytes(), password=None)
        except TypeError:
            yield f"{name} is encrypted: dcron reads keys without a password, from a file that only it may read"
        except (OSError, ValueError) as error:
            yield f"{name} {_unreadable(error, 'a private key')}"
        else:
            spki = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
            if key.public_key().public_bytes(*spki) != certificate.public_key().public_bytes(*spki):
                yield f"{name} is not the key of the certificate in {self.prefix}_CERT={self.cert!r}"


class Security(Struct, frozen=True):
    """How to reach one kind of server."""

    tls: TlsFiles
    user: str = ""
    password: str = ""
    mechanism: str = ""  # of SASL, where there is a choice

    @property
    def prefix(self) -> str:
        return self.tls.prefix

    def problems(self, now: datetime) -> Iterator[str]:
        """Yield what is wrong with the settings."""
        prefix = self.prefix
        if bool(self.user) != bool(self.password):
            has, lacks = ("USER", "PASSWORD") if self.user else ("PASSWORD", "USER")
            file = f" (or {prefix}_PASSWORD_FILE)" if lacks == "PASSWORD" else ""
            yield f"{prefix}_{has} is set, but {prefix}_{lacks}{file} is not: they belong together"
        for name, value in (("USER", self.user), ("CERT", self.tls.cert), ("KEY", self.tls.key)):
            if value and not self.tls.ca:
                yield f"{prefix}_{name} is set, but {prefix}_CA is not: without it all would go in plaintext"
        yield from self.tls.problems(now)

    def remedy(self, said: str) -> str:
        """Return what to do about a connection that failed as the library `said`, to be put behind it; or nothing."""
        lowered = said.lower()
        if self.tls.ca:
            for signs, remedy in _REMEDIES:
                if any(sign in lowered for sign in signs):
                    return f" ({remedy.format(prefix=self.prefix)})"
        if any(sign in lowered for sign in _BROKEN):
            return f" ({(_BROKEN_TLS if self.tls.ca else _BROKEN_PLAIN).format(prefix=self.prefix)})"
        return ""


def plaintext(prefix: str) -> Security:
    """Return how to reach a server on a network that needs no protection."""
    return Security(TlsFiles(prefix))


def _unreadable(error: Exception, wanted: str) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror}"
    return f"does not hold {wanted} in PEM"
