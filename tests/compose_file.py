"""deploy/compose.yaml as compose reads it: merged, interpolated, and each service with what it is given."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
SECRETS = "/run/secrets/"
# $$, or ${NAME}, ${NAME:-default}, ${NAME:?what to do}
_REFERENCE = re.compile(r"\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}")


class Service(Struct, frozen=True, kw_only=True):
    """One service of the file."""

    name: str
    text: dict[str, Any]  # as it stands in the file, interpolated

    @property
    def command(self) -> list[str]:
        return [str(word) for word in self.text.get("command", [])]

    @property
    def environment(self) -> dict[str, str]:
        return dict(self.text.get("environment", {}))

    @property
    def health_check(self) -> list[str]:
        """The command without the word CMD; empty if it has none."""
        kind, *command = self.text.get("healthcheck", {}).get("test", ["CMD"])
        assert kind == "CMD", f"{self.name}: a shell is not needed to ask for health"
        return [str(word) for word in command]

    @property
    def secrets(self) -> dict[str, str]:
        """Name in /run/secrets → name in the file's `secrets`."""
        given = {}
        for secret in self.text.get("secrets", []):
            source, target = (secret, secret) if isinstance(secret, str) else (secret["source"], secret["target"])
            given[target] = source
        return given

    @property
    def mounts(self) -> dict[str, str]:
        """Path in the container → what is mounted there."""
        pieces = [mount.removesuffix(":ro").rpartition(":") for mount in self.text.get("volumes", [])]
        return {target: source for source, _, target in pieces}

    @property
    def tmpfs(self) -> list[str]:
        return [path.partition(":")[0] for path in self.text.get("tmpfs", [])]

    @property
    def is_ours(self) -> bool:
        return bool(self.text.get("build", {}).get("target") == "dcron")


def raw() -> dict[str, Any]:
    """Return the file, merged but not interpolated."""
    parsed: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return parsed


def services(environ: Mapping[str, str]) -> dict[str, Service]:
    """Return the services as compose makes them of the file in this environment."""
    return {name: Service(name=name, text=interpolated(text, environ)) for name, text in raw()["services"].items()}


def interpolated(value: Any, environ: Mapping[str, str]) -> Any:
    """Return `value` with its references replaced; raise KeyError for one that must be set and is not."""
    if isinstance(value, dict):
        return {key: interpolated(each, environ) for key, each in value.items()}
    if isinstance(value, list):
        return [interpolated(each, environ) for each in value]
    return _REFERENCE.sub(lambda found: _meaning(found, environ), value) if isinstance(value, str) else value


def _meaning(found: re.Match[str], environ: Mapping[str, str]) -> str:
    name, kind, rest = found.groups()
    if name is None:
        return "$"
    if environ.get(name):
        return environ[name]
    if kind == "-":
        return str(rest)
    raise KeyError(f"{name} is not set: {rest}")
