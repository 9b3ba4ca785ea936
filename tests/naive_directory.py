"""What events about users, tokens and secrets do, once more, as somebody would do it by hand.

It shares no code with what it judges. The state is what etcd holds: key without its prefix → value as JSON.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Json = dict[str, Any]
People = dict[str, Json]  # such as users/ada → the user


class RefusedError(Exception):
    """The event stays in the log and does nothing."""


@dataclass(frozen=True)
class Bounds:
    """How many there may be."""

    sessions: int = 20
    links: int = 5
    tokens: int = 100
    secrets: int = 500


def refuse(reason: bool) -> None:
    if reason:
        raise RefusedError


def after(event: Json, people: People, bounds: Bounds) -> People | None:
    """Return what the event leaves; None: it is about something else."""
    effect = _EFFECTS.get(event["data"]["kind"])
    return None if effect is None else effect(event, event["data"], people, bounds)


def _add(event: Json, data: Json, people: People, _bounds: Bounds) -> People:
    key = f"users/{data['user']}"
    refuse(key in people)
    user = {
        "name": data["user"],
        "display_name": data.get("display_name", ""),
        "grants": data.get("grants", {}),
        "enabled": True,
        "origin": data.get("origin", "local"),
        "created_at": event["at"],
        "created_by": event["actor"],
        "verifier": data.get("verifier", ""),
        "subject": data.get("subject", ""),
        "last_login": None,
        "sessions": [],
        "links": [],
    }
    return people | {key: user}


def _grant(_event: Json, data: Json, people: People, _bounds: Bounds) -> People:
    refuse(_user(people, data)["grants"] != data.get("before", {}))
    return _with(people, data, grants=data["grants"])


def _set_password(_event: Json, data: Json, people: People, _bounds: Bounds) -> People:
    kept = [each for each in _user(people, data)["sessions"] if each["session_id"] == data.get("kept_session", "")]
    return _with(people, data, verifier=data["verifier"], sessions=kept, links=[])


def _disable(_event: Json, data: Json, people: People, _bounds: Bounds) -> People:
    return _with(people, data, enabled=False, sessions=[], links=[])


def _enable(_event: Json, data: Json, people: People, _bounds: Bounds) -> People:
    return _with(people, data, enabled=True)


def _remove(_event: Json, data: Json, people: People, _bounds: Bounds) -> People:
    _user(people, data)
    left = {
        key: value
        for key, value in people.items()
        if key != f"users/{data['user']}" and not (key.startswith("tokens/") and value["user"] == data["user"])
    }
    return _administered(people, left)


def _make_link(event: Json, data: Json, people: People, bounds: Bounds) -> People:
    user = _enabled(people, data)
    refuse(data["digest"] in _digests(people))
    links = [*_lasting(user["links"], event), {"digest": data["digest"], "expires_at": data["expires_at"]}]
    return _with(people, data, links=links[-bounds.links :])


def _log_in(event: Json, data: Json, people: People, bounds: Bounds) -> People:
    user = _enabled(people, data)
    refuse(data["digest"] in _digests(people))
    links = _lasting(user["links"], event)
    if data["how"] == "link":
        left = [each for each in links if each["digest"] != data["link"]]
        refuse(len(left) == len(links))
        links = left
    session = {
        "session_id": data["session_id"],
        "digest": data["digest"],
        "created_at": event["at"],
        "expires_at": data["expires_at"],
        "address": data.get("address", ""),
    }
    sessions = [*_lasting(user["sessions"], event), session][-bounds.sessions :]
    return _with(people, data, links=links, sessions=sessions, last_login=event["at"])


def _log_out(_event: Json, data: Json, people: People, _bounds: Bounds) -> People:
    ended = data.get("session_id", "")
    sessions = [each for each in _user(people, data)["sessions"] if ended and each["session_id"] != ended]
    return _with(people, data, sessions=sessions)


def _create_token(event: Json, data: Json, people: People, bounds: Bounds) -> People:
    _enabled(people, data)
    tokens = {key: value for key, value in people.items() if key.startswith("tokens/")}
    refuse(f"tokens/{data['token_id']}" in tokens)
    refuse(data["digest"] in [each["digest"] for each in tokens.values()])
    theirs = {key: each for key, each in tokens.items() if each["user"] == data["user"]}
    expired = {key for key, each in theirs.items() if _instant(each["expires_at"]) <= _instant(event["at"])}
    refuse(len(theirs) - len(expired) >= bounds.tokens)
    token = {
        "token_id": data["token_id"],
        "digest": data["digest"],
        "user": data["user"],
        "name": data["name"],
        "grants": data.get("grants"),
        "created_at": event["at"],
        "created_by": event["actor"],
        "expires_at": data["expires_at"],
    }
    return {key: each for key, each in people.items() if key not in expired} | {f"tokens/{data['token_id']}": token}


def _revoke_token(_event: Json, data: Json, people: People, _bounds: Bounds) -> People:
    return _less(people, f"tokens/{data['token_id']}")


def _nothing(_event: Json, _data: Json, people: People, _bounds: Bounds) -> People:
    return people


def _set_secret(event: Json, data: Json, people: People, bounds: Bounds) -> People:
    key, prefix = f"secrets/{data['namespace']}/{data['name']}", f"secrets/{data['namespace']}/"
    refuse(key not in people and sum(each.startswith(prefix) for each in people) >= bounds.secrets)
    names = {name: data[name] for name in ("namespace", "name", "sealed")}
    return people | {key: names | {"updated_at": event["at"], "updated_by": event["actor"]}}


def _remove_secret(_event: Json, data: Json, people: People, _bounds: Bounds) -> People:
    return _less(people, f"secrets/{data['namespace']}/{data['name']}")


_EFFECTS: dict[str, Callable[[Json, Json, People, Bounds], People]] = {
    "UserAdded": _add,
    "UserGranted": _grant,
    "PasswordSet": _set_password,
    "UserDisabled": _disable,
    "UserEnabled": _enable,
    "UserRemoved": _remove,
    "LoginLinkMade": _make_link,
    "LoggedIn": _log_in,
    "LoggedOut": _log_out,
    "TokenCreated": _create_token,
    "TokenRevoked": _revoke_token,
    "LoginRefused": _nothing,
    "AccessRefused": _nothing,
    "SecretSet": _set_secret,
    "SecretRemoved": _remove_secret,
}


def _user(people: People, data: Json) -> Json:
    user = people.get(f"users/{data['user']}")
    if user is None:
        raise RefusedError
    return user


def _enabled(people: People, data: Json) -> Json:
    user = _user(people, data)
    refuse(not user["enabled"])
    return user


def _with(people: People, data: Json, **fields: Any) -> People:
    return _administered(people, people | {f"users/{data['user']}": _user(people, data) | fields})


def _administered(before: People, left: People) -> People:
    """Refuse what leaves nobody who may administer the system, if there was somebody."""
    refuse(_administrators(before) > 0 and _administrators(left) == 0)
    return left


def _administrators(people: People) -> int:
    return sum(
        key.startswith("users/") and each["enabled"] and each["grants"].get("*") == "admin"
        for key, each in people.items()
    )


def _digests(people: People) -> list[str]:
    users = [each for key, each in people.items() if key.startswith("users/")]
    return [each["digest"] for user in users for each in (*user["sessions"], *user["links"])]


def _lasting(entries: list[Json], event: Json) -> list[Json]:
    return [each for each in entries if _instant(each["expires_at"]) > _instant(event["at"])]


def _less(people: People, key: str) -> People:
    refuse(key not in people)
    return {each: value for each, value in people.items() if each != key}


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
