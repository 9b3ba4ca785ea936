"""The page: the login link, and the web build's files.

Any path that is no file of the build answers with `index.html`, so that the page's own routes can be
opened and reloaded.
"""

from mimetypes import guess_type
from pathlib import Path, PurePosixPath

from litestar import MediaType, Response, get
from litestar.config.compression import CompressionConfig
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import File, Redirect

from dcron_core.access.credentials import matches
from dcron_core.access.link_cookie import COOKIE, cookie_value
from dcron_core.access.rules import ANYBODY_LOGGED_IN, OPEN, ruled
from dcron_core.http.problems import ProblemError

BUILD = Path(__file__).parent / "page"
COOKIE_LIFE_S = 30 * 24 * 3600
# A third of the bytes on a phone's line; the API's answers are small, and are compressed by a proxy if at all.
COMPRESSION = CompressionConfig(backend="gzip", gzip_compress_level=6, exclude=["^/api/"])
LINK_NEEDED = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>dcron</title><body><h1>dcron</h1>"
    "<p>This page needs the login link that <code>dcron up</code> printed when it started. "
    "<code>dcron link</code> prints it again.</p>"
)
NOT_BUILT = "The page is not built: run `make web`. The API is there: /api/openapi.json\n"


@get("/login", opt=ruled(OPEN), include_in_schema=False, sync_to_thread=False)
def login(token_secret: NamedDependency[str], token: FromQuery[str] = "") -> Redirect | Response[str]:
    """Set the cookie from the token of the printed link, and go to the page."""
    if not token:
        return Response(LINK_NEEDED, media_type=MediaType.HTML, status_code=401)
    if not token_secret or not matches(token, token_secret):
        raise ProblemError(
            401, "not logged in", "this link's token is not this system's; `dcron link` prints the right one"
        )
    cookie = Cookie(
        key=COOKIE, value=cookie_value(token_secret), httponly=True, samesite="strict", max_age=COOKIE_LIFE_S, path="/"
    )
    return Redirect("/", status_code=303, cookies=[cookie], headers={"Cache-Control": "no-store"})


@get(["/", "/{path:path}"], opt=ruled(ANYBODY_LOGGED_IN), include_in_schema=False, sync_to_thread=False)
def page(path: FromPath[str] = "/") -> File | Response[str]:
    """Serve a file of the web build."""
    wanted = PurePosixPath(path.lstrip("/"))
    if wanted.parts[:1] in (("api",), ("ws",)):
        raise ProblemError(404, "not found", f"there is no {path}; /api/openapi.json lists what there is")
    file = BUILD / wanted
    if ".." in wanted.parts or not file.is_file():
        file = BUILD / "index.html"
    if not file.is_file():
        return Response(NOT_BUILT, media_type=MediaType.TEXT, status_code=503)
    lasting = file.parent.name == "assets"  # their names hold their hash
    cache = "public, max-age=31536000, immutable" if lasting else "no-cache"
    media_type = guess_type(file.name)[0] or "application/octet-stream"
    return File(file, media_type=media_type, content_disposition_type="inline", headers={"Cache-Control": cache})


def page_policy(log_ingester_url: str) -> str:
    """Return the content security policy of the page: it is of this origin, and talks to it and the log-ingester."""
    live = log_ingester_url.replace("http", "ws", 1)
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        f"connect-src 'self' {log_ingester_url} {live}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
