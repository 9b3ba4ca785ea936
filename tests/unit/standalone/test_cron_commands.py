"""`dcron cron explain`."""

import sys

import pytest

from dcron_standalone.cli import main


def explain(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["dcron", "cron", "explain", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_an_expression_is_explained_without_any_server(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert explain(monkeypatch, "30 2 * * *", "--tz", "Europe/Berlin", "-n", "3", "--gap", "skip") == 0
    words, *lines = capfd.readouterr().out.splitlines()
    assert words == "at 02:30 every day (Europe/Berlin)"
    assert len([line for line in lines if " 02:30:00+0" in line]) == 3
    assert any("02:30 does not exist: left out" in line for line in lines)
    assert any("02:30 comes twice: runs the first time" in line for line in lines)


def test_a_hashed_expression_says_for_whom_it_is_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert explain(monkeypatch, "H 3 * * *") == 0
    assert "--job ID" in capfd.readouterr().err
    outputs = []
    for _ in range(2):
        assert explain(monkeypatch, "H 3 * * *", "--job", "019e0000-0000-7000-8000-000000000001", "-n", "1") == 0
        outputs.append(capfd.readouterr())
    assert outputs[0].out.splitlines()[0] == outputs[1].out.splitlines()[0]
    assert outputs[0].err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["60 * * * *"], "schedule.cron: minute '60': 60 is outside 0-59"),
        (["@reboot"], "'@reboot' is refused"),
        (
            ["@daily", "--tz", "Europe/Berln"],
            "timezone: no such time zone ('Europe/Berln'); did you mean Europe/Berlin?",
        ),
        (["0 0 30 2 *"], "never fires: no date matches ('0 0 30 2 *'); check day of month against month"),
    ],
)
def test_what_is_wrong_is_one_line_that_says_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert explain(monkeypatch, *arguments) != 0
    errors = capfd.readouterr().err
    assert message in errors
    assert len(errors.splitlines()) == 1
