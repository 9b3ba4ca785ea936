"""The HTTP API as the command line uses it."""

import os
import ssl
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec
from msgspec.structs import replace

from dcron_core.clock import SystemClock
from dcron_core.errors import DcronError, SettingsError
from dcron_core.executions import job_of
from dcron_core.ids import IdSource
from dcron_core.security import TlsFiles
from dcron_schemas.api import (
    ExecutionList,
    ExecutionView,
    FieldProblem,
    Info,
    Job,
    JobList,
    OutputPage,
    OutputPiece,
    Problem,
    RunAccepted,
    Stats,
)
from dcron_schemas.audit import (
    Crontab,
    CrontabDifference,
    DeletedJob,
    DeletedJobList,
    JobHistory,
    JobThen,
    RecordSkip,
    RecordSkipped,
    Restore,
    RestorePlan,
    RestoreResult,
    Revert,
)
from dcron_schemas.identity import AccessToken, Session
from dcron_schemas.job import JobSpec
from dcron_standalone.access_token import AccessTokenSource
from dcron_standalone.credentials_file import CredentialsFile, Logins
from dcron_standalone.data_directory import Access, DataDirectory
from dcron_standalone.differences import change_lines

TIMEOUT = httpx.Timeout(15.0, connect=5.0)
RESTORE_TIMEOUT = httpx.Timeout(600.0, connect=5.0)  # a command for each job that is brought back
RETRY_AFTER_S = 1.0
JOBS_PER_PAGE = 500
RUNS_PER_PAGE = 100
IDS_PER_REQUEST = 50
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})

T = TypeVar("T")


class ApiError(DcronError):
    """The API refused, or could not be reached; the message is what to tell the user."""

    def __init__(self, message: str, problem: Problem | None = None) -> None:
        super().__init__(message)
        self.problem = problem


def find_access(environ: Mapping[str, str] = os.environ) -> Access:
    """Return how to reach dcron.

    That is DCRON_URL, with DCRON_TOKEN (or DCRON_TOKEN_FILE) or a login there; else the stack of DCRON_DATA if that is
    set, else the last login, else the local stack.
    """
    stack = DataDirectory(Path(environ.get("DCRON_DATA", ".dcron")))
    local = stack.read_access()
    url, token, ca = environ.get("DCRON_URL"), environ.get("DCRON_TOKEN"), environ.get("DCRON_CA", "")
    if token is None and (file := environ.get("DCRON_TOKEN_FILE")):
        try:
            token = Path(file).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ApiError(f"DCRON_TOKEN_FILE={file!r} cannot be read: {error}") from error
    logins = Logins() if url and token else CredentialsFile(environ).read()
    if url and not token:
        login = logins.by_url.get(url.rstrip("/"))
        if login is None:
            raise ApiError(
                "DCRON_URL is set, but neither DCRON_TOKEN nor DCRON_TOKEN_FILE is, and nobody is logged in there; "
                "`dcron login` logs in"
            )
        token = login.token
    if url and token:
        return Access(url.rstrip("/"), token, ca)
    if logins.current and "DCRON_DATA" not in environ:
        return Access(logins.current, logins.by_url[logins.current].token, ca)
    if local is None:
        raise ApiError(
            f"no dcron is known here: {stack.client_file} is not there. `make up` starts one; "
            "or name one with `dcron login`, with DCRON_URL and DCRON_TOKEN, or another directory with DCRON_DATA"
        )
    return replace(local, ca=ca or local.ca)


def trusting(ca: str) -> ssl.SSLContext:
    """Return what we connect to dcron with, if that speaks TLS; raise SettingsError if `ca` cannot be used."""
    files = TlsFiles("DCRON", ca=ca)
    if problems := list(files.problems(SystemClock().now())):
        raise SettingsError(problems)
    return files.client_context() or ssl.create_default_context()


class Client:
    """Talks to the master, and to the log-ingester that the master names."""

    def __init__(self, access: Access, ids: IdSource | None = None) -> None:
        self.access = access
        self._ids = ids or IdSource()
        self.tls = trusting(access.ca)
        self._http = httpx.Client(
            verify=self.tls,
            headers={"Authorization": f"Bearer {access.token}", "Accept": "application/json"},
            timeout=TIMEOUT,
            trust_env=urlsplit(access.url).hostname not in LOOPBACK_HOSTS,  # no proxy to our own machine
        )
        self._log_ingester_url: str | None = None
        self.tokens = AccessTokenSource(access.token, self._access_token, SystemClock())  # for the log-ingester

    @property
    def log_ingester_url(self) -> str:
        """Where executions and output are served."""
        if self._log_ingester_url is None:
            self._log_ingester_url = self.get(f"{self.access.url}/api/v1/info", Info).log_ingester_url.rstrip("/")
        return self._log_ingester_url

    def close(self) -> None:
        self._http.close()

    def access_user(self) -> str:
        """Return who we are there."""
        return self.get(f"{self.access.url}/api/v1/session", Session).user

    def jobs(self, **query: str) -> Iterator[Job]:
        """Yield all jobs that match `namespace`, `name` or `q`, over all pages."""
        parameters: dict[str, Any] = {key: value for key, value in query.items() if value} | {"limit": JOBS_PER_PAGE}
        while True:
            page = self.get(self.jobs_url(), JobList, parameters)
            yield from page.jobs
            if page.next_cursor is None:
                return
            parameters["cursor"] = page.next_cursor

    def job(self, name: str, namespace: str = "") -> Job | None:
        """Return the job of that name; raise ApiError if several namespaces have one."""
        found = list(self.jobs(name=name, namespace=namespace))
        if len(found) > 1:
            where = ", ".join(job.spec.namespace for job in found)
            raise ApiError(f"there is a job {name!r} in each of {where}; say which with --namespace")
        return found[0] if found else None

    def create(self, spec: JobSpec) -> Job:
        return decoded(self.command("POST", self.jobs_url(), body=spec), Job)

    def update(self, job: Job, spec: JobSpec) -> Job:
        """Replace the definition, if the job still is at the version that was seen."""
        return decoded(self.command("PUT", self.jobs_url(job.job_id), body=spec, version=job.version), Job)

    def patch(self, job: Job, patch: dict[str, Any]) -> Job:
        """Change some fields, whatever version the job is at."""
        return decoded(self.command("PATCH", self.jobs_url(job.job_id), body=patch), Job)

    def revert(self, job: Job, version: int) -> Job:
        """Give the job an earlier version's definition, if it still is at the version that was seen."""
        url = self.jobs_url(job.job_id, "revert")
        return decoded(self.command("POST", url, body=Revert(version=version), version=job.version), Job)

    def restore(self, job_id: str) -> Job:
        """Let a deleted job stand again."""
        return decoded(self.command("POST", self.jobs_url(job_id, "restore")), Job)

    def history(self, job_id: str) -> JobHistory:
        return self.get(self.jobs_url(job_id, "history"), JobHistory)

    def deleted(self, name: str, namespace: str = "") -> tuple[DeletedJob, ...]:
        """Return the deleted jobs of that name, the last one first."""
        return self.get(self.jobs_url("deleted"), DeletedJobList, {"name": name, "namespace": namespace}).jobs

    def jobs_at(self, at: datetime, **query: str) -> Iterator[JobThen]:
        """Yield all jobs as they stood at `at` that match `namespace` or `name`, over all pages."""
        for page in self.crontab(at, **query):
            yield from page.jobs

    def crontab(self, at: datetime, **query: str) -> Iterator[Crontab]:
        """Yield the pages of the crontab as it was."""
        parameters: dict[str, Any] = {key: value for key, value in query.items() if value}
        parameters |= {"at": at.isoformat(), "limit": JOBS_PER_PAGE}
        while True:
            page = self.get(self.audit_url("state"), Crontab, parameters)
            yield page
            if page.next_cursor is None:
                return
            parameters["cursor"] = page.next_cursor

    def crontab_difference(self, start: datetime, end: datetime | None) -> CrontabDifference:
        """Return what is other at `end` (None: now) than at `start`."""
        parameters = {"from": start.isoformat()} | ({"to": end.isoformat()} if end else {})
        return self.get(self.audit_url("diff"), CrontabDifference, parameters)

    def restore_plan(self, at: datetime, job_ids: list[str]) -> RestorePlan:
        """Return what would bring the jobs (none named: all) back to how they stood at `at`."""
        return self.get(self.audit_url("restore"), RestorePlan, {"at": at.isoformat(), "job_id": job_ids})

    def carry_out(self, plan: RestorePlan, job_ids: list[str]) -> RestoreResult:
        """Do what the plan says."""
        body = Restore(at=plan.at, planned_at=plan.planned_at, job_ids=tuple(job_ids))
        return decoded(
            self.command("POST", self.audit_url("restore"), body=body, timeout=RESTORE_TIMEOUT), RestoreResult
        )

    def kill(self, execution_id: str) -> RunAccepted:
        url = self.jobs_url(job_of(execution_id), "executions", execution_id, "kill")
        return decoded(self.command("POST", url), RunAccepted)

    def delete(self, job: Job) -> None:
        self.command("DELETE", self.jobs_url(job.job_id))

    def run(self, job: Job) -> RunAccepted:
        return decoded(self.command("POST", self.jobs_url(job.job_id, "run")), RunAccepted)

    def pause(self, job: Job) -> Job:
        return decoded(self.command("POST", self.jobs_url(job.job_id, "pause")), Job)

    def resume(self, job: Job) -> Job:
        return decoded(self.command("POST", self.jobs_url(job.job_id, "resume")), Job)

    def skip_record(self, offset: int, reason: str) -> RecordSkipped:
        """Have everybody step over a record of the log that cannot be read."""
        url = f"{self.access.url}/api/v1/log/skips"
        return decoded(self.command("POST", url, body=RecordSkip(offset=offset, reason=reason)), RecordSkipped)

    def executions(self, job_id: str, limit: int = 20) -> tuple[ExecutionView, ...]:
        """Return the job's last runs, newest due first."""
        url = f"{self.log_ingester_url}/api/v1/executions"
        return self.get(url, ExecutionList, {"job_id": job_id, "limit": limit}).executions

    def runs(self, wanted: Mapping[str, Any], limit: int) -> Iterator[ExecutionView]:
        """Yield at most `limit` runs that match the parameters of the list, newest due first, over all pages."""
        url = f"{self.log_ingester_url}/api/v1/executions"
        parameters = dict(wanted)
        while limit > 0:
            page = self.get(url, ExecutionList, parameters | {"limit": min(limit, RUNS_PER_PAGE)})
            yield from page.executions
            limit -= len(page.executions)
            if page.next_cursor is None:
                return
            parameters["cursor"] = page.next_cursor

    def stats(self, wanted: Mapping[str, Any]) -> Stats:
        """Return what became of the runs that match."""
        return self.get(f"{self.log_ingester_url}/api/v1/stats", Stats, dict(wanted))

    def execution(self, execution_id: str) -> ExecutionView:
        """Return the run; raise ApiError if it is not known."""
        return self.get(f"{self.log_ingester_url}/api/v1/executions/{execution_id}", ExecutionView)

    def latest(self, job_ids: list[str]) -> dict[str, ExecutionView]:
        """Return job id → its last run, for those that have one."""
        url = f"{self.log_ingester_url}/api/v1/executions/latest"
        found: dict[str, ExecutionView] = {}
        for start in range(0, len(job_ids), IDS_PER_REQUEST):
            page = self.get(url, ExecutionList, {"job_id": job_ids[start : start + IDS_PER_REQUEST]})
            found |= {execution.job_id: execution for execution in page.executions}
        return found

    def output(self, execution_id: str, from_seq: int = 0) -> Iterator[OutputPiece]:
        """Yield what is stored of a run's output from `from_seq` on, in order."""
        url = f"{self.log_ingester_url}/api/v1/executions/{execution_id}/output"
        following: int | None = from_seq
        while following is not None:
            page = self.get(url, OutputPage, {"from_seq": following})
            yield from page.chunks
            following = page.next_seq

    def _access_token(self) -> AccessToken:
        url = f"{self.access.url}/api/v1/session/access"
        headers = {"Authorization": f"Bearer {self.access.token}"}
        return decoded(self._request("POST", url, headers=headers), AccessToken)

    def jobs_url(self, *parts: str) -> str:
        """Return the address of the jobs, or of something below them."""
        return "/".join((f"{self.access.url}/api/v1/jobs", *parts))

    def audit_url(self, name: str) -> str:
        """Return the address of one of the questions about the crontab as it was."""
        return f"{self.access.url}/api/v1/audit/{name}"

    def get(
        self, url: str, kind: type[T], parameters: dict[str, Any] | None = None, *, timeout_s: float | None = None
    ) -> T:
        """Return what `url` answers with; `timeout_s` if that may take longer than usual."""
        timeout = TIMEOUT if timeout_s is None else httpx.Timeout(timeout_s, connect=TIMEOUT.connect)
        return decoded(self._request("GET", url, params=parameters, timeout=timeout), kind)

    def command(
        self,
        method: str,
        url: str,
        *,
        body: msgspec.Struct | dict[str, Any] | None = None,
        version: int | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> httpx.Response:
        """Send a command. The same key on both tries makes it one command, however often it arrives."""
        headers = {"Idempotency-Key": self._ids.token(128)}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        if body is None:
            return self._request(method, url, headers=headers, timeout=timeout)
        headers["Content-Type"] = "application/json"
        return self._request(method, url, headers=headers, content=msgspec.json.encode(body), timeout=timeout)

    def _request(self, method: str, url: str, **arguments: Any) -> httpx.Response:
        """Send a request, and once more if the service was not available, the connection broke or a token expired."""
        for last in (False, True):
            changed = self._shown_to(url, arguments)
            try:
                response = self._http.request(method, url, **changed)
            except httpx.ConnectError as error:
                if "SSL" in str(error):
                    raise ApiError(f"{_origin(url)}: {error}{_tls_remedy(str(error))}") from error
                raise ApiError(f"nothing answers at {_origin(url)}: is dcron running? `make up` starts it") from error
            except httpx.TransportError as error:
                if last:
                    hint = (
                        "; if it speaks TLS there, its address begins with https://" if url.startswith("http:") else ""
                    )
                    raise ApiError(f"{_origin(url)} broke off: {error!r}{hint}") from error
            except httpx.InvalidURL as error:
                raise ApiError(f"{url!r} is not a URL: {error}") from error
            else:
                if response.is_success:
                    return response
                if not last and changed is not arguments and response.status_code == httpx.codes.UNAUTHORIZED:
                    self.tokens.forget()
                    continue
                if last or response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    raise refusal(response)
            time.sleep(RETRY_AFTER_S)
        raise AssertionError("unreachable")

    def _shown_to(self, url: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a request, with an access token if it goes to the log-ingester and needs one."""
        at = self._log_ingester_url
        headers = arguments.get("headers") or {}
        if at is None or not self.tokens.changes or not url.startswith(f"{at}/") or "Authorization" in headers:
            return arguments
        return arguments | {"headers": {**headers, "Authorization": f"Bearer {self.tokens.bearer()}"}}


def describe_field(problem: FieldProblem) -> str:
    """Return a field problem as one line: field, value, what is wrong, what would be right."""
    text = f"{problem.field or 'the job'}: {problem.message}"
    if problem.value:
        text += f" ({problem.value!r})"
    return f"{text}; {problem.remedy}" if problem.remedy else text


def _tls_remedy(said: str) -> str:
    if "VERIFY_FAILED" in said:
        return "; DCRON_CA names the file of authorities to trust, and its address must be one of the certificate's"
    return "; does it speak plaintext there? Then its address begins with http://"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def decoded(response: httpx.Response, kind: type[T]) -> T:
    """Return the answer as `kind`; raise ApiError if it is not dcron's."""
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(f"{_origin(str(response.url))} gave an answer that is not dcron's: {error}") from error


def refusal(response: httpx.Response) -> ApiError:
    """Return what an answer that is no success says."""
    try:
        problem = msgspec.json.decode(response.content, type=Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ApiError(f"{_origin(str(response.url))} answered {response.status_code} {response.reason_phrase}")
    details = "; ".join(describe_field(each) for each in problem.errors) or problem.detail
    message = f"{problem.title}: {details}" if details else problem.title
    if problem.difference:
        lines = [f"  from version {problem.current_version}, as it is now, to what was asked for:"]
        message = "\n".join((message, *lines, *change_lines(problem.difference)))
    return ApiError(message, problem)
