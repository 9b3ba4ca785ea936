"""Events about few users, tokens and secrets, so that they meet."""

from datetime import timedelta

from hypothesis import strategies as st

from dcron_schemas.events import EventData
from dcron_schemas.identity import Grants
from dcron_schemas.identity_events import (
    AccessRefused,
    LoggedIn,
    LoggedOut,
    LoginLinkMade,
    LoginRefused,
    PasswordSet,
    SecretRemoved,
    SecretSet,
    TokenCreated,
    TokenRevoked,
    UserAdded,
    UserDisabled,
    UserEnabled,
    UserGranted,
    UserRemoved,
)
from tests.virtual_time import BEGINNING

GRANTS: tuple[Grants, ...] = ({"*": "admin"}, {"*": "viewer"}, {})

users = st.sampled_from(["ada", "bob"])
grants = st.sampled_from(GRANTS)
digests = st.sampled_from(["d1", "d2", "d3", "d4"])
ids = st.sampled_from(["1", "2", "3"])
instants = st.integers(1, 12).map(lambda seconds: BEGINNING + timedelta(seconds=seconds))  # events are at 0 to 9

identity_changes: st.SearchStrategy[EventData] = st.one_of(
    *[st.builds(UserAdded, users, grants=grants)] * 3,
    st.builds(UserGranted, users, grants, grants),
    st.builds(PasswordSet, users, st.sampled_from(["v1", "v2"]), st.sampled_from(["", "1", "2"])),
    *[st.builds(kind, users) for kind in (UserDisabled, UserEnabled, UserRemoved)],
    *[st.builds(LoginLinkMade, users, digests, instants)] * 2,
    *[st.builds(LoggedIn, users, st.sampled_from(["password", "link", "link"]), ids, digests, instants, link=digests)]
    * 3,
    st.builds(LoggedOut, users, st.sampled_from(["", "1", "2"])),
    *[st.builds(TokenCreated, ids, users, st.just("token"), digests, instants, st.one_of(st.none(), grants))] * 2,
    st.builds(TokenRevoked, ids, users),
    st.builds(
        SecretSet, st.sampled_from(["a", "b"]), st.sampled_from(["K1", "K2", "K3"]), st.sampled_from(["s1", "s2"])
    ),
    st.builds(SecretRemoved, st.sampled_from(["a", "b"]), st.sampled_from(["K1", "K2", "K3"])),
    st.sampled_from([LoginRefused("ada", "192.0.2.1", "wrong"), AccessRefused("ada", "GET /")]),
)
