"""The settings of the services, read from the environment in one place.

Each service has one frozen Struct; a field `etcd_prefix` is the variable `DCRON_ETCD_PREFIX`. A field that
holds a secret can also come from a file: `DCRON_TOKEN_FILE`. `load` reports everything that is wrong at
once, unknown `DCRON_*` variables included.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import unquote

import msgspec
from msgspec import Meta, Struct

from dcron_core.clock import Clock, SystemClock
from dcron_core.durations import parse_duration
from dcron_core.errors import SettingsError
from dcron_core.security import Security, TlsFiles
from dcron_schemas.types import Duration

VARIABLE_PREFIX = "DCRON_"
SECRETS = (
    "token",
    "metrics_token",
    "audit_key",
    "signing_key",
    "cluster_key",
    "oidc_client_secret",
    "etcd_password",
    "kafka_password",
    "mongodb",
    "oidc_client_secret",
)

Port = Annotated[int, Meta(ge=0, le=65535)]  # 0: any free one
Count = Annotated[int, Meta(ge=1)]
SpoolBytes = Annotated[int, Meta(ge=16 << 20)]  # less could not hold what is under way
HexKey = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")]
HexKeys = Annotated[str, Meta(pattern=r"^([0-9a-f]{64}(,[0-9a-f]{64})*)?$")]
Secret = Annotated[str, Meta(min_length=16)]
Addresses = Annotated[str, Meta(pattern=r"^[^/]+$")]  # whether by TLS says another setting, and no https://
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
OptionalSecret = Annotated[str, Meta(pattern=r"^(.{16,})?$")]


class CommonSettings(Struct, frozen=True, kw_only=True):
    """What every service has."""

    token: Secret  # the bearer token that all requests but the probes need
    metrics_token: OptionalSecret = ""  # a bearer token that lets in to /metrics, and to nothing else; "": none
    request_rate: Annotated[float, Meta(gt=0)] = 2000  # requests a second of one user; of a stranger's address a tenth
    trusted_keys: HexKeys = ""  # Ed25519 public keys of the masters, 64 hexadecimal digits each, with commas
    host: str = "127.0.0.1"  # address to listen on
    tls_cert: str = ""  # PEM file: the certificate of our own port, and those between it and its authority
    tls_key: str = ""  # PEM file: its key
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    shutdown_timeout: Duration = "20s"  # for each phase of an orderly stop

    @property
    def own_tls(self) -> TlsFiles:
        """What our own port shows."""
        return TlsFiles("DCRON_TLS", cert=self.tls_cert, key=self.tls_key)

    def securities(self) -> tuple[TlsFiles | Security, ...]:
        """Return all that has certificates and passwords."""
        return (self.own_tls,)


class KafkaSettings(CommonSettings, frozen=True, kw_only=True):
    """And how to reach Kafka, and what the topics are like. (Structs inherit in one line only.)"""

    kafka: Addresses = "127.0.0.1:9092"  # bootstrap servers, host:port, several with commas
    kafka_ca: str = ""  # PEM file: authorities of the brokers' certificates; empty: plaintext
    kafka_cert: str = ""  # PEM file: our certificate for the brokers, if they want one
    kafka_key: str = ""  # PEM file: its key
    kafka_user: str = ""  # for SASL, if the brokers want it
    kafka_password: str = ""
    kafka_mechanism: Mechanism = "SCRAM-SHA-512"  # of SASL
    topic_prefix: str = "cron."  # of the names of all topics
    topic_replication: Count = 1  # of topics that dcron creates
    execution_partitions: Count = 6  # of cron.executions, when dcron creates it
    execution_retention: Duration = "7d"  # how long Kafka keeps what MongoDB has stored

    @property
    def kafka_security(self) -> Security:
        """How to reach Kafka."""
        files = TlsFiles("DCRON_KAFKA", self.kafka_ca, self.kafka_cert, self.kafka_key)
        return Security(files, self.kafka_user, self.kafka_password, self.kafka_mechanism)

    def securities(self) -> tuple[TlsFiles | Security, ...]:
        return self.own_tls, self.kafka_security

    @property
    def job_events_topic(self) -> str:
        return f"{self.topic_prefix}job-events"

    @property
    def executions_topic(self) -> str:
        return f"{self.topic_prefix}executions"

    @property
    def dead_letter_topic(self) -> str:
        return f"{self.topic_prefix}dead-letter"


class EtcdSettings(KafkaSettings, frozen=True, kw_only=True):
    """And how to reach etcd."""

    etcd: Addresses = "127.0.0.1:2379"  # host:port, several with commas
    etcd_ca: str = ""  # PEM file: authorities of etcd's certificates; empty: plaintext
    etcd_cert: str = ""  # PEM file: our certificate for etcd, if it wants one
    etcd_key: str = ""  # PEM file: its key
    etcd_user: str = ""  # if etcd wants one
    etcd_password: str = ""
    etcd_prefix: Annotated[str, Meta(pattern=r"^/.*/$|^/$")] = "/cron/"  # begins and ends with a slash

    @property
    def etcd_security(self) -> Security:
        """How to reach etcd."""
        files = TlsFiles("DCRON_ETCD", self.etcd_ca, self.etcd_cert, self.etcd_key)
        return Security(files, self.etcd_user, self.etcd_password)

    def securities(self) -> tuple[TlsFiles | Security, ...]:
        return self.own_tls, self.kafka_security, self.etcd_security


class ToolSettings(EtcdSettings, frozen=True, kw_only=True):
    """What `dcron log` reads: where the servers are. It speaks to them itself and needs no token."""

    token: str = ""
    signing_key: HexKey = ""  # the masters' one: what `repair`, `rebuild` and `resign` write is signed with it

    def securities(self) -> tuple[TlsFiles | Security, ...]:
        return self.kafka_security, self.etcd_security  # it has no port


class MasterSettings(EtcdSettings, frozen=True, kw_only=True):
    """The master's."""

    master_port: Port = 8700
    log_ingester_url: str = "http://127.0.0.1:8701"  # where a browser or the command line finds executions
    command_timeout: Duration = "10s"  # a command whose outcome is not known by then is answered as unknown
    orphan_grace: Duration = "5s"  # from the end of a worker's registration to the sweep of its entries
    signing_key: HexKey = ""  # Ed25519 private key, 64 hexadecimal digits: signs definitions and access tokens
    cluster_key: HexKeys = (
        ""  # shared by masters and workers, 64 hexadecimal digits: seals secrets; older ones after it
    )
    public_url: str = ""  # where browsers find the master, such as https://dcron.example.org; "": as they ask
    session_life: Duration = "7d"  # of a browser's login
    oidc_issuer: str = ""  # URL of an OpenID Connect provider that people may log in with; "": none
    oidc_client_id: str = ""  # what the provider calls dcron
    oidc_client_secret: str = ""  # what dcron shows the provider
    oidc_name: str = "single sign-on"  # what the button on the login page says
    oidc_scopes: str = "openid profile email"
    oidc_user_claim: str = "preferred_username"  # which claim is the user's name; email counts if it is verified
    oidc_groups_claim: str = "groups"  # which claim lists the groups of a user
    oidc_grants: str = ""  # group:namespace=role, several with commas; "": an admin grants roles by hand
    failpoints: str = ""  # for tests only: name=probability, several with commas, of dying there by SIGKILL


class WorkerSettings(EtcdSettings, frozen=True, kw_only=True):
    """The worker's."""

    worker_port: Port = 8702  # probes and metrics only
    worker_data: str = ".dcron/worker"  # spool and identity; to be kept over restarts, one worker each
    slots: Count = 64  # most runs at a time
    labels: str = ""  # key=value, several with commas
    lease_ttl: Duration = "10s"  # a worker that cannot renew for this long is dead to the others
    claim_ahead: Duration = "500ms"  # how long before its instant a tick may be claimed
    claim_stagger: Duration = "150ms"  # how long the next worker in line waits for the one before
    clock_offset_limit: Duration = "2s"  # a worker whose clock is further from most of the others' claims nothing
    worker_spool_bytes: SpoolBytes = 1 << 30  # most that waits on disk for Kafka; output is cut before results are
    output_bytes: Count = 10 << 20  # most output of one run that is kept, unless the job says otherwise
    cluster_key: HexKeys = ""  # the masters' one: opens secrets, confirms runs that follow from runs
    job_user: str = ""  # whom jobs run as that name nobody; empty: the worker's user, or nobody if that is root
    run_as_allowed: str = ""  # users besides that one that jobs may run as, several with commas


class LogIngesterSettings(KafkaSettings, frozen=True, kw_only=True):
    """The log-ingester's."""

    log_ingester_port: Port = 8701
    mongodb: str = "mongodb://127.0.0.1:27017"  # a MongoDB connection string; it may hold a password
    mongodb_ca: str = ""  # PEM file: authorities of MongoDB's certificates; empty: as the connection string says
    mongodb_cert: str = ""  # PEM file: our certificate for MongoDB, if it wants one
    mongodb_key: str = ""  # PEM file: its key
    mongodb_database: str = "cron"
    consumer_group: str = "dcron-log-ingester"
    batch_size: Count = 2000  # records
    batch_age: Duration = "50ms"  # how long the first record of a batch waits for the others
    retention: Duration = "30d"  # of executions and output
    audit_key: HexKey = ""  # Ed25519 private key that signs chain heads, 64 hexadecimal digits; empty: not signed
    allowed_origins: str = ""  # origins of the page, such as http://127.0.0.1:8700; several with commas

    @property
    def mongodb_security(self) -> Security:
        """How to reach MongoDB, besides what the connection string says."""
        return Security(TlsFiles("DCRON_MONGODB", self.mongodb_ca, self.mongodb_cert, self.mongodb_key))

    def securities(self) -> tuple[TlsFiles | Security, ...]:
        return self.own_tls, self.kafka_security, self.mongodb_security


ALL_SETTINGS: tuple[type[CommonSettings], ...] = (MasterSettings, WorkerSettings, LogIngesterSettings)
# Read by the command line and the local stack, not by a service.
CLIENT_VARIABLES = frozenset({"DCRON_URL", "DCRON_DATA", "DCRON_TOKEN", "DCRON_TOKEN_FILE", "DCRON_TOOLS", "DCRON_CA"})

S = TypeVar("S", bound=CommonSettings)


def variables_of(kind: type[Struct]) -> dict[str, str]:
    """Return variable name → field name for one service's settings, the `_FILE` forms included."""
    names = {VARIABLE_PREFIX + name.upper(): name for name in kind.__struct_fields__}
    secrets = (name for name in SECRETS if name in kind.__struct_fields__)
    return names | {f"{VARIABLE_PREFIX}{name.upper()}_FILE": name for name in secrets}


def known_variables() -> frozenset[str]:
    """Return every variable that any part of dcron reads."""
    return frozenset().union(*(variables_of(kind) for kind in ALL_SETTINGS)) | CLIENT_VARIABLES


def load(kind: type[S], environ: Mapping[str, str], clock: Clock | None = None) -> S:
    """Return the settings of one service from `environ`; raise SettingsError with all that is wrong.

    The files of certificates and keys that they name are looked at too.
    """
    problems = _unknown_variables(environ)
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        variable = VARIABLE_PREFIX + field.name.upper()
        text = _text_of(variable, field.name, environ, problems)
        if text is None:
            if field.required:
                hint = f" (or {variable}_FILE)" if field.name in SECRETS else ""
                problems.append(f"{variable}{hint} is not set; it has no default")
            continue
        value = _converted(variable, text, field.type, field.name, problems)
        if value is not None:
            values[field.name] = value
    if problems:
        raise SettingsError(problems)
    settings = msgspec.convert(values, kind)
    now = (clock or SystemClock()).now()
    if problems := [problem for each in settings.securities() for problem in each.problems(now)]:
        raise SettingsError(problems)
    return settings


def _text_of(variable: str, name: str, environ: Mapping[str, str], problems: list[str]) -> str | None:
    if variable in environ:
        return environ[variable]
    file = environ.get(f"{variable}_FILE") if name in SECRETS else None
    if file is None:
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{variable}_FILE={file!r} cannot be read: {error}")
        return None


def _converted(variable: str, text: str, kind: object, name: str, problems: list[str]) -> object | None:
    shown = "(secret)" if name in SECRETS else repr(text)
    try:
        value: object = msgspec.convert(text, kind, strict=False)
        if kind is Duration:
            parse_duration(text)
    except (msgspec.ValidationError, ValueError) as error:
        problems.append(f"{variable}={shown}: {error}")
        return None
    return value


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    known = known_variables()
    problems = []
    for variable in sorted(environ):
        if variable.startswith(VARIABLE_PREFIX) and variable not in known:
            near = difflib.get_close_matches(variable, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            problems.append(f"{variable} is not a setting of dcron{hint}")
    return problems


def secrets_in(settings: CommonSettings) -> frozenset[str]:
    """Return every secret that the settings hold; of an address, the password in it, as written and as meant."""
    found: set[str] = set()
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if not isinstance(value, str):
            continue
        if "://" in value:
            written = _password_in(value)
            found |= {written, unquote(written)}
        elif name in SECRETS:
            found |= {value, *parse_names(value)}
    return frozenset(filter(None, found))


def _password_in(address: str) -> str:
    """Return what stands between the user and the last @ before the path; the driver is stricter, we need not be."""
    login, at, _ = address.partition("://")[2].partition("/")[0].rpartition("@")
    return login.partition(":")[2] if at else ""


def parse_names(text: str) -> tuple[str, ...]:
    """Return the names in `a,b`."""
    return tuple(filter(None, (piece.strip() for piece in text.split(","))))


def parse_labels(text: str) -> dict[str, str]:
    """Return `a=1,b=2` as a dict; raise SettingsError for anything else."""
    labels = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise SettingsError([f"DCRON_LABELS={text!r}: {part!r} is not key=value"])
        labels[key.strip()] = value.strip()
    return labels
