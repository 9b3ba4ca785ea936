"""What a run has of its worker: what is stated, and nothing else. Real jobs on a whole worker try to get more."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dcron_core.settings import SECRETS
from dcron_worker.descriptors import keep_descriptors_from_children
from dcron_worker.exposure import say_what_is_exposed
from dcron_worker.users import user_named
from tests.services import JOB_USER, TOKEN
from tests.unit.worker.test_executors import run_of, spec

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start runs as another user")
NOBODY = pwd.getpwnam("nobody")
STATED = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "SHELL": "/bin/sh",
    "DCRON_EXECUTION_ID": "id.r1.1",
    "DCRON_JOB_ID": "id",
    "DCRON_JOB_NAME": "job",
    "DCRON_NAMESPACE": "default",
    "DCRON_ATTEMPT": "1",
}
OF_THE_RUN = ("DCRON_WORKER_ID", "DCRON_DUE_AT", "DCRON_FENCING_TOKEN")


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """Give a directory that everybody may go to and read; pytest's own are closed."""
    with TemporaryDirectory(dir="/tmp", prefix="dcron-test-") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.mark.parametrize("job_user", [JOB_USER, pytest.param("", marks=AS_ROOT)])
async def test_the_environment_is_what_is_stated_and_nothing_else(
    job_user: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """G11: no variable of the worker's, whatever it is called, but HOME and USER of one that keeps its user."""
    for name in [*os.environ]:
        monkeypatch.delenv(name)
    for name in ("HOME", "USER", "LD_PRELOAD_X", "SSH_AUTH_SOCK", *(f"DCRON_{each.upper()}" for each in SECRETS)):
        monkeypatch.setenv(name, f"the-workers-{name}")
    job = spec(run={"argv": ["env"]}, env={"MINE": "yes", "LANG": "C"})
    finished, output = await run_of(job, tmp_path, job_user=job_user)
    found = dict(line.split("=", 1) for chunk in output for line in chunk.text.splitlines())
    for name in OF_THE_RUN:
        assert found.pop(name)
    of_user = {"HOME": NOBODY.pw_dir, "USER": "nobody", "LOGNAME": "nobody"}
    own = {"HOME": "the-workers-HOME", "USER": "the-workers-USER"}
    assert found == STATED | {"MINE": "yes", "LANG": "C"} | (own if job_user else of_user)
    assert finished.outcome == "succeeded"


@AS_ROOT
async def test_a_run_of_a_worker_that_is_root_has_no_right_of_roots(tmp_path: Path) -> None:
    """G11: nobody, without further groups, capabilities, or a way to get any by a set-uid program."""
    script = "id -u; id -ru; id -G; grep -E '^(CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs)' /proc/self/status; umask; pwd"
    os.setgroups([*(own_groups := os.getgroups()), 4])
    try:
        finished, output = await run_of(spec(run={"shell": script}), tmp_path, job_user="")
    finally:
        os.setgroups(own_groups)
    assert finished.outcome == "succeeded", output
    uid, real, groups, *capabilities, mask, _ = "".join(chunk.text for chunk in output).splitlines()
    assert (int(uid), int(real), groups) == (NOBODY.pw_uid, NOBODY.pw_uid, str(NOBODY.pw_gid))
    names_and_values = [line.split() for line in capabilities]
    assert [(name, int(value, 16)) for name, value in names_and_values] == [
        ("CapInh:", 0), ("CapPrm:", 0), ("CapEff:", 0), ("CapAmb:", 0), ("NoNewPrivs:", 1),
    ]  # fmt: skip
    os.umask(own := os.umask(0))
    assert int(mask, 8) == own


@AS_ROOT
@pytest.mark.parametrize(
    ("run_as", "settings", "who"),
    [
        (None, {"job_user": ""}, "nobody"),
        (None, {"job_user": "root"}, "root"),
        ("root", {"job_user": "", "run_as_allowed": "root"}, "root"),
        ("root", {"job_user": "", "run_as_allowed": "daemon"}, None),
        ("daemon", {"job_user": "", "run_as_allowed": "daemon"}, "daemon"),
        ("nobody", {"job_user": "daemon"}, None),
    ],
)
async def test_root_only_where_that_is_stated(
    run_as: str | None, settings: dict[str, str], who: str | None, tmp_path: Path
) -> None:
    """G11: whoever may write jobs gets root's rights from no worker whose settings do not give them."""
    finished, output = await run_of(spec(run={"argv": ["id", "-un"]}, run_as=run_as), tmp_path, **settings)
    if who is None:
        assert (finished.outcome, finished.started_at) == ("failed", None)
        assert "DCRON_RUN_AS_ALLOWED" in finished.error
    else:
        assert output[0].text == f"{who}\n"


@AS_ROOT
async def test_a_run_can_read_neither_the_worker_nor_its_files(open_directory: Path) -> None:
    """G11: environment, memory and open files of the worker; its key files; what other runs have written."""
    data, key = open_directory / "data", open_directory / "cluster-key"
    key.write_text("5ecret" * 8)
    key.chmod(0o600)
    script = """
        for each in environ maps auxv; do cat /proc/$PPID/$each >/dev/null 2>&1 && echo "read $each"; done
        readlink /proc/$PPID/fd/* && echo "saw descriptors"
        cat "$KEY" && echo "read the key"
        ls "$DATA" && echo "saw the data"
        cat "$DATA"/spool/* && echo "read the spool"
        echo "ls: $(ls "$(dirname "$KEY")")"
    """
    env = {"KEY": str(key), "DATA": str(data)}
    _, output = await run_of(spec(run={"shell": script}, env=env), data, job_user="")
    text = "".join(chunk.text for chunk in output if chunk.stream == "stdout")
    assert text == "ls: cluster-key\ndata\n", "the way there is open, and nothing else is"


@AS_ROOT
async def test_a_run_is_not_left_where_its_user_may_not_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G11: else it could open by relative paths what lies behind a closed directory."""
    closed = tmp_path / "closed"
    inside = closed / "inside"
    inside.mkdir(parents=True)
    (inside / "open-file").write_text("readable for all who get here")
    closed.chmod(0o700)
    monkeypatch.chdir(inside)
    job = spec(run={"shell": "pwd; cat open-file || cat /proc/self/cwd/open-file"})
    _, output = await run_of(job, tmp_path / "1", job_user="")
    assert "".join(chunk.text for chunk in output if chunk.stream == "stdout") == "/\n"
    monkeypatch.chdir("/usr/bin")
    _, output = await run_of(spec(run={"shell": "pwd"}), tmp_path / "2", job_user="")
    assert output[0].text == "/usr/bin\n"


@pytest.mark.parametrize("job_user", [JOB_USER, pytest.param("", marks=AS_ROOT)])
async def test_a_run_has_no_open_file_of_the_workers(job_user: str, tmp_path: Path) -> None:
    keep_descriptors_from_children()
    script = "for each in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do readlink /proc/$$/fd/$each; done"
    _, output = await run_of(spec(run={"shell": script}), tmp_path, job_user=job_user)
    opened = "".join(chunk.text for chunk in output).splitlines()
    assert opened[0] == "/dev/null"
    assert [each.partition(":")[0] for each in opened[1:]] == ["pipe", "pipe"]


def test_a_file_of_the_service_that_jobs_can_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A worker that shares its user with its jobs shares its files too."""
    nobody = user_named("nobody")
    assert nobody is not None
    key = Path("/etc/passwd")  # a file that everybody can read, all the way
    environ = {"DCRON_TOKEN": TOKEN, "DCRON_CLUSTER_KEY_FILE": str(key)}
    say_what_is_exposed(environ, nobody)
    assert "DCRON_CLUSTER_KEY_FILE" in capsys.readouterr().out
    private = tmp_path / "key"
    private.touch(0o600)
    environ["DCRON_CLUSTER_KEY_FILE"] = str(private)
    say_what_is_exposed(environ, nobody)
    assert capsys.readouterr().out == ""
    environ["DCRON_ETCD_KEY"] = str(private)
    say_what_is_exposed(environ, None)
    told = capsys.readouterr().out
    assert told.count("secret.exposed") == 2
    assert "DCRON_CLUSTER_KEY_FILE" in told
    assert "DCRON_ETCD_KEY" in told
    assert TOKEN not in told
