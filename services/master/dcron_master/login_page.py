"""The login page, made here and without a script: it has to work before anything else does. Pure.

Its style stands in it, and is named by its hash in the page's own content security policy. `Referrer-Policy` is
`same-origin`, as only then a browser says with the form where it comes from (`Origin`).
"""

from base64 import b64encode
from hashlib import sha256
from html import escape
from urllib.parse import quote

from litestar import MediaType, Response
from litestar.datastructures import Cookie
from msgspec import Struct

STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:22rem;margin:14vh auto;padding:0 1rem}"
    "h1{font-size:1.5rem;margin:0 0 1.5rem}"
    "label{display:block;margin:0 0 1rem}"
    "input{display:block;box-sizing:border-box;width:100%;font:inherit;padding:.5rem;margin-top:.25rem}"
    "button,.provider{display:block;box-sizing:border-box;width:100%;font:inherit;padding:.6rem;text-align:center;"
    "color:#fff;background:#1f5fbf;border:0;border-radius:.3rem;text-decoration:none;cursor:pointer}"
    ".provider{margin-top:1rem;background:#444}"
    ".problem{padding:.6rem .8rem;border-left:.25rem solid #c0392b;background:#c0392b1a}"
    ".hint{margin-top:2rem;font-size:.875rem;opacity:.8}"
)
_STYLE_HASH = b64encode(sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class LoginPage(Struct, frozen=True, kw_only=True):
    """What the page shows."""

    next_path: str = "/"  # where to go then
    user: str = ""
    problem: str = ""
    provider: str = ""  # the name of the OIDC provider; "": there is none
    status: int = 200
    retry_after_s: int = 0


def safe_path(wanted: str) -> str:
    """Return a path on this origin: what was wanted, or `/` if that leads elsewhere."""
    elsewhere = not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or len(wanted) > 2000
    return "/" if elsewhere or any(ord(each) < 0x21 or each == "\\" for each in wanted) else wanted


def login_response(page: LoginPage) -> Response[str]:
    """Return the login page as an answer."""
    headers = HEADERS | ({"Retry-After": str(page.retry_after_s)} if page.retry_after_s else {})
    return Response(_html(page), media_type=MediaType.HTML, status_code=page.status, headers=headers)


def onward_response(path: str, cookies: list[Cookie]) -> Response[str]:
    """Return a page that goes to `path` by itself.

    After a redirect that began on another site, such as a provider's, a browser would not send our strict cookies.
    """
    target = escape(path, quote=True)
    html = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>dcron</title><style>{STYLE}</style>'
        f'<meta http-equiv="refresh" content="0; url={target}"><p><a href="{target}">go on</a></p>'
    )
    return Response(html, media_type=MediaType.HTML, headers=HEADERS, cookies=cookies)


def _html(page: LoginPage) -> str:
    problem = f'<p class="problem" role="alert">{escape(page.problem)}</p>' if page.problem else ""
    provider = ""
    if page.provider:
        address = f"/login/oidc?next={quote(page.next_path, safe='')}"
        provider = f'<a class="provider" href="{escape(address)}">Log in with {escape(page.provider)}</a>'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Log in — dcron</title><style>{STYLE}</style></head><body><h1>dcron</h1>{problem}"
        '<form method="post" action="/login">'
        f'<input type="hidden" name="next" value="{escape(page.next_path)}">'
        '<label>User <input name="user" autocomplete="username" autocapitalize="none" required '
        f'value="{escape(page.user)}"></label>'
        '<label>Password <input name="password" type="password" autocomplete="current-password" required></label>'
        f'<button>Log in</button></form>{provider}<p class="hint">No password yet? A login link lets you in once: '
        "an administrator makes one; on one machine <code>dcron link</code> does.</p></body></html>"
    )
