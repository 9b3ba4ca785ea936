"""What is wrong with files of certificates and with logins is told at start, by the settings' names."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from dcron_core.errors import SettingsError
from dcron_core.security import Security, TlsFiles
from dcron_core.settings import LogIngesterSettings, MasterSettings, ToolSettings, load
from tests.certificates import DAY, Authority, Pair

TOKEN = "0123456789abcdef"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.sign("ours")


def problems(
    kind: type[MasterSettings | LogIngesterSettings | ToolSettings] = MasterSettings, /, **environ: object
) -> str:
    """Return all that is wrong, as one text; nothing if nothing is."""
    try:
        load(kind, {"DCRON_TOKEN": TOKEN} | {f"DCRON_{name.upper()}": str(value) for name, value in environ.items()})
    except SettingsError as error:
        return "\n".join(error.problems)
    return ""


@pytest.mark.parametrize("name", ["etcd", "kafka"])
def test_what_is_right_is_no_problem(authority: Authority, pair: Pair, name: str) -> None:
    ours = {f"{name}_cert": pair.cert, f"{name}_key": pair.key}
    assert not problems(**{f"{name}_ca": authority.file}, **ours)
    assert not problems(**{f"{name}_ca": authority.file, f"{name}_user": "u", f"{name}_password": "p"})
    assert not problems(tls_cert=pair.cert, tls_key=pair.key)


@pytest.mark.parametrize("name", ["etcd", "kafka", "mongodb", "tls"])
def test_a_certificate_and_its_key_belong_together(authority: Authority, pair: Pair, name: str) -> None:
    kind = LogIngesterSettings if name == "mongodb" else MasterSettings
    authorities = {} if name == "tls" else {f"{name}_ca": authority.file}
    for has, lacks, file in (("cert", "key", pair.cert), ("key", "cert", pair.key)):
        said = problems(kind, **authorities, **{f"{name}_{has}": file})
        assert said == (
            f"DCRON_{name.upper()}_{has.upper()} is set, but DCRON_{name.upper()}_{lacks.upper()} is not: "
            "they belong together"
        )


@pytest.mark.parametrize("name", ["etcd", "kafka"])
def test_nothing_secret_goes_in_plaintext(pair: Pair, name: str) -> None:
    upper = name.upper()
    said = problems(
        **{f"{name}_user": "u", f"{name}_password": "p", f"{name}_cert": pair.cert, f"{name}_key": pair.key}
    )
    assert f"DCRON_{upper}_USER is set, but DCRON_{upper}_CA is not" in said
    assert f"DCRON_{upper}_CERT is set, but DCRON_{upper}_CA is not" in said


@pytest.mark.parametrize("name", ["etcd", "kafka"])
def test_a_user_and_a_password_belong_together(authority: Authority, name: str) -> None:
    upper = name.upper()
    said = problems(**{f"{name}_ca": authority.file, f"{name}_user": "u"})
    assert said.startswith(f"DCRON_{upper}_USER is set, but DCRON_{upper}_PASSWORD (or DCRON_{upper}_PASSWORD_FILE)")
    said = problems(**{f"{name}_ca": authority.file, f"{name}_password": "p"})
    assert said.startswith(f"DCRON_{upper}_PASSWORD is set, but DCRON_{upper}_USER is not")


def test_a_password_comes_from_a_file(authority: Authority, tmp_path: Path) -> None:
    for name in ("password", "mongodb"):
        (tmp_path / name).write_text("mongodb://u:hidden@m\n" if name == "mongodb" else "hidden\n")
    environ = {"DCRON_TOKEN": TOKEN, "DCRON_KAFKA_CA": str(authority.file), "DCRON_KAFKA_USER": "u"}
    environ |= {
        "DCRON_KAFKA_PASSWORD_FILE": str(tmp_path / "password"),
        "DCRON_MONGODB_FILE": str(tmp_path / "mongodb"),
    }
    settings = load(LogIngesterSettings, environ)
    assert settings.kafka_security.password == "hidden"
    assert settings.mongodb == "mongodb://u:hidden@m"


def test_files_that_cannot_be_used_are_named(authority: Authority, pair: Pair, tmp_path: Path) -> None:
    missing, nonsense, other = tmp_path / "missing", tmp_path / "nonsense", authority.sign("other")
    nonsense.write_text("nonsense")
    assert f"DCRON_ETCD_CA='{missing}' cannot be read: No such file" in problems(etcd_ca=missing)
    assert f"DCRON_ETCD_CA='{nonsense}' does not hold certificates" in problems(etcd_ca=nonsense)
    assert f"DCRON_TLS_CERT='{missing}' cannot be read" in problems(tls_cert=missing, tls_key=pair.key)
    assert f"DCRON_TLS_CERT='{nonsense}' does not hold a certificate" in problems(tls_cert=nonsense, tls_key=pair.key)
    assert f"DCRON_TLS_KEY='{missing}' cannot be read" in problems(tls_cert=pair.cert, tls_key=missing)
    assert f"DCRON_TLS_KEY='{nonsense}' does not hold a private key" in problems(tls_cert=pair.cert, tls_key=nonsense)
    assert f"DCRON_TLS_KEY='{other.key}' is not the key of the certificate in DCRON_TLS_CERT" in problems(
        tls_cert=pair.cert, tls_key=other.key
    )


def test_a_key_with_a_password_is_told(pair: Pair) -> None:
    key = load_pem_private_key(pair.key.read_bytes(), None)
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")))
    assert "is encrypted" in problems(tls_cert=pair.cert, tls_key=pair.key)


def test_certificates_outside_their_time_are_told(authority: Authority) -> None:
    old = authority.sign("old", begins=-2 * DAY, ends=-DAY)
    early = authority.sign("early", begins=DAY, ends=2 * DAY)
    assert f"DCRON_KAFKA_CERT='{old.cert}' has expired at" in problems(
        kafka_ca=authority.file, kafka_cert=old.cert, kafka_key=old.key
    )
    assert f"DCRON_TLS_CERT='{early.cert}' is valid from" in problems(tls_cert=early.cert, tls_key=early.key)
    assert "all certificates in it have expired" in problems(etcd_ca=old.cert)


def test_the_tools_look_at_what_they_use_only(tmp_path: Path) -> None:
    """Who runs `dcron log` need not be able to read the key of a service's port."""
    assert not problems(ToolSettings, tls_cert=tmp_path / "missing", tls_key=tmp_path / "missing")
    assert problems(ToolSettings, etcd_ca=tmp_path / "missing")


def test_clients_verify_the_host_and_nobody_speaks_an_old_tls(authority: Authority, pair: Pair) -> None:
    context = TlsFiles("DCRON_KAFKA", str(authority.file), str(pair.cert), str(pair.key)).client_context()
    served = TlsFiles("DCRON_TLS", cert=str(pair.cert), key=str(pair.key)).server_context()
    assert context is not None
    assert served is not None
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert min(context.minimum_version, served.minimum_version) >= ssl.TLSVersion.TLSv1_2


def test_without_files_there_is_no_tls_and_no_remedy_for_what_is_not_about_it() -> None:
    assert TlsFiles("DCRON_KAFKA").client_context() is None
    assert TlsFiles("DCRON_TLS").server_context() is None
    assert not Security(TlsFiles("DCRON_KAFKA")).remedy("ConnectionRefusedError: [Errno 111] Connect call failed")
