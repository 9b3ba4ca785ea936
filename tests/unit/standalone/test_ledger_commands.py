"""`dcron audit ledger`: what is wrong with its arguments is said in the words of the command line."""

import sys

import pytest

from dcron_standalone.cli import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "2026-03-01T00:00:00"], "--from '2026-03-01T00:00:00' has no zone; write Z or an offset"),
        (["steady", "--to", "noon"], "--to 'noon' is not an instant; write it such as 2026-"),
    ],
)
def test_an_instant_that_is_none_is_named_by_its_flag(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["dcron", "audit", "ledger", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    assert said in capsys.readouterr().err
