"""The settings of the services, read from the environment in one place.

Each service has one frozen Struct; a field `etcd_prefix` is the variable `DCRON_ETCD_PREFIX`. A field that
holds a secret can also come from a file: `DCRON_TOKEN_FILE`. `load` reports everything that is wrong at
once, unknown `DCRON_*` variables included.
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from dcron_core.durations import parse_duration
from dcron_core.errors import SettingsError
from dcron_schemas.types import Duration

VARIABLE_PREFIX = "DCRON_"
SECRETS = ("token", "metrics_token", "audit_key", "signing_key", "cluster_key", "oidc_client_secret")

Port = Annotated[int, Meta(ge=0, le=65535)]  # 0: any free one
Count = Annotated[int, Meta(ge=1)]
SpoolBytes = Annotated[int, Meta(ge=16 << 20)]  # less could not hold what is under way
HexKey = Annotated[str, Meta(pattern=r"^([0-9a-f]{64})?$")]
HexKeys = Annotated[str, Meta(pattern=r"^([0-9a-f]{64}(,[0-9a-f]{64})*)?$")]
Secret = Annotated[str, Meta(min_length=16)]
OptionalSecret = Annotated[str, Meta(pattern=r"^(.{16,})?$")]


class CommonSettings(Struct, frozen=True, kw_only=True):
    """What every service has."""

    token: Secret  # the bearer token that all requests but the probes need
    metrics_token: OptionalSecret = ""  # a bearer token that lets in to /metrics, and to nothing else; "": none
    request_rate: Annotated[float, Meta(gt=0)] = 2000  # requests a second of one user; of a stranger's address a tenth
    trusted_keys: HexKeys = ""  # Ed25519 public keys of the masters, 64 hexadecimal digits each, with commas
    host: str = "127.0.0.1"  # address to listen on
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    shutdown_timeout: Duration = "20s"  # for each phase of an orderly stop


class KafkaSettings(CommonSettings, frozen=True, kw_only=True):
    """And how to reach Kafka, and what the topics are like. (Structs inherit in one line only.)"""

    kafka: str = "127.0.0.1:9092"  # bootstrap servers, host:port, several with commas
    topic_prefix: str = "cron."  # of the names of all topics
    topic_replication: Count = 1  # of topics that dcron creates
    execution_partitions: Count = 6  # of cron.executions, when dcron creates it
    execution_retention: Duration = "7d"  # how long Kafka keeps what MongoDB has stored

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

    etcd: str = "127.0.0.1:2379"  # host:port, several with commas
    etcd_prefix: Annotated[str, Meta(pattern=r"^/.*/$|^/$")] = "/cron/"  # begins and ends with a slash


class ToolSettings(EtcdSettings, frozen=True, kw_only=True):
    """What `dcron log` reads: where the servers are. It speaks to them itself and needs no token."""

    token: str = ""


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
    cluster_key: HexKeys = ""  # the masters' one: opens secrets
    run_as_allowed: str = ""  # users besides the worker's own that jobs may run as, several with commas


class LogIngesterSettings(KafkaSettings, frozen=True, kw_only=True):
    """The log-ingester's."""

    log_ingester_port: Port = 8701
    mongodb: str = "mongodb://127.0.0.1:27017"  # a MongoDB connection string
    mongodb_database: str = "cron"
    consumer_group: str = "dcron-log-ingester"
    batch_size: Count = 2000  # records
    batch_age: Duration = "50ms"  # how long the first record of a batch waits for the others
    retention: Duration = "30d"  # of executions and output
    audit_key: HexKey = ""  # Ed25519 private key that signs chain heads, 64 hexadecimal digits; empty: not signed
    allowed_origins: str = ""  # origins of the page, such as http://127.0.0.1:8700; several with commas


ALL_SETTINGS: tuple[type[CommonSettings], ...] = (MasterSettings, WorkerSettings, LogIngesterSettings)
# Read by the command line and the local stack, not by a service.
CLIENT_VARIABLES = frozenset({"DCRON_URL", "DCRON_DATA", "DCRON_TOKEN", "DCRON_TOKEN_FILE", "DCRON_TOOLS"})

S = TypeVar("S", bound=CommonSettings)


def variables_of(kind: type[Struct]) -> dict[str, str]:
    """Return variable name → field name for one service's settings, the `_FILE` forms included."""
    names = {VARIABLE_PREFIX + name.upper(): name for name in kind.__struct_fields__}
    secrets = (name for name in SECRETS if name in kind.__struct_fields__)
    return names | {f"{VARIABLE_PREFIX}{name.upper()}_FILE": name for name in secrets}


def known_variables() -> frozenset[str]:
    """Return every variable that any part of dcron reads."""
    return frozenset().union(*(variables_of(kind) for kind in ALL_SETTINGS)) | CLIENT_VARIABLES


def load(kind: type[S], environ: Mapping[str, str]) -> S:
    """Return the settings of one service from `environ`; raise SettingsError with all that is wrong."""
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
    return msgspec.convert(values, kind)


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
