"""Names cannot command a terminal."""

import pytest

from specfair.doors.printing import show, tell


def test_lines_are_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    tell("a\x1b[31m")
    show("::error::b", "c\nd")
    captured = capsys.readouterr()
    assert captured.err == "specfair: a\\x1b[31m\n"
    assert captured.out == "\\x3a:error::b\nc\\nd\n"
