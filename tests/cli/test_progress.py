"""What a command shows while it works: a bar on a terminal, lines without one, nothing with --json."""

import io
import os
import pty
import subprocess
import sys
import time

import pytest
from rich.console import Console
from tiny_bank import write_tiny_bank

from tenure.cli import progress
from tenure.cli.progress import Bar, Lines, progress_for
from tenure.session.progress import Silent


def test_a_bar_appears_after_a_moment_says_how_far_it_is_and_goes(monkeypatch):
    monkeypatch.setattr(progress, "_SHORT", 0.05)
    screen = io.StringIO()
    bar = Bar(Console(file=screen, force_terminal=True, width=160))
    bar.begin("features")
    bar.of("2024-03", 14, 24, 1_204_331)
    time.sleep(0.6)
    bar.end()
    shown = screen.getvalue()
    for words in ("features", "14/24", "2024-03", "1,204,331 rows", "rows/s"):
        assert words in shown
    assert shown.rstrip().endswith("\x1b[2K")  # the line is wiped


def test_a_short_stage_shows_nothing():
    screen = io.StringIO()
    bar = Bar(Console(file=screen, force_terminal=True))
    bar.begin("labels")
    bar.of("all", 1, 2)
    bar.end()
    bar.end()
    assert screen.getvalue() == ""


def test_without_a_terminal_a_line_is_written_now_and_then(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    lines = Lines()
    lines.begin("staging")
    for second, done in ((5, 1), (12, 2), (15, 3), (30, 4)):
        now[0] = 100.0 + second
        lines.of("payments", done, 8, done * 1000)
    lines.end()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "staging: 2 of 8; 2,000 rows, 167 a second; about 36 s left; now payments",
        "staging: 4 of 8; 4,000 rows, 133 a second; about 30 s left; now payments",
    ]


def test_json_shows_nothing():
    assert isinstance(progress_for(as_json=True), Silent)


@pytest.mark.parametrize("as_json", [False, True])
def test_on_a_terminal_the_rows_of_the_run_are_what_is_left(tmp_path, as_json):
    bank = write_tiny_bank(tmp_path / "bank")
    reader, terminal = pty.openpty()
    command = [sys.executable, "-m", "tenure.cli", "run", "--to", "labels", "--project", str(bank)]
    command += ["--json"] if as_json else []
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, text=True, check=False)
    os.close(terminal)
    shown = b""
    while True:
        try:
            block = os.read(reader, 65536)
        except OSError:
            break
        if not block:
            break
        shown += block
    os.close(reader)
    assert ran.returncode == 0
    assert ("staging" in ran.stdout, b"Traceback" in shown) == (True, False)
    if as_json:
        assert shown == b""
