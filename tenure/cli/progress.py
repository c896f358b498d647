"""What a command shows while it works: a bar on a terminal, a line now and then without one, nothing with --json.

features ━━━━━━━━━━━━━━╸━━━━━━━━  14/24  2024-03 to 2024-05  1,204,331 rows  84,120 rows/s  0:00:11 left
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from tenure.cli.terminal import say
from tenure.session.progress import Progress, Silent

#: Work shorter than this is not worth a bar, and without a terminal a line is written no more often than this.
_SHORT, _BETWEEN = 2.0, 10.0


def progress_for(*, as_json: bool) -> Progress:
    """Return who shows the progress of a command: on stderr, so that what it prints stays clean."""
    if as_json or sys.stderr is None:
        return Silent()
    return Bar() if sys.stderr.isatty() else Lines()


class Lines:
    """A line every ten seconds, for logs."""

    def begin(self, stage: str) -> None:
        """Note when the stage begins."""
        self._stage, self._begun = stage, time.monotonic()
        self._last = self._begun

    def of(self, what: str, done: int, total: int, rows: int = 0) -> None:
        """Say how far it is, unless a line has just been written."""
        now = time.monotonic()
        if now - self._last < _BETWEEN:
            return
        self._last = now
        spent = now - self._begun
        words = [f"{self._stage}: {done:,} of {total:,}"]
        if rows:
            words.append(f"{rows:,} rows, {rows / spent:,.0f} a second")
        if done:
            words.append(f"about {spent / done * (total - done):,.0f} s left")
        say(f"{'; '.join(words)}; now {what}", err=True)

    def end(self) -> None:
        """Leave the log as it is."""


class Bar:
    """A bar that appears when a stage takes longer than a moment, and goes when it ends."""

    def __init__(self, console: Any = None) -> None:
        """`console` is rich's, by default one of stderr."""
        self._console = console
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._shown: Any = None

    def begin(self, stage: str) -> None:
        """Show the stage if it has not ended in a moment."""
        self.end()
        with self._lock:
            self._stage, self._state = stage, ("", 0, 0, 0)
            self._begun = time.monotonic()
            self._timer = threading.Timer(_SHORT, self._show)
            self._timer.daemon = True
            self._timer.start()

    def of(self, what: str, done: int, total: int, rows: int = 0) -> None:
        """Move the bar."""
        with self._lock:
            self._state = (what, done, total, rows)
            self._update()

    def end(self) -> None:
        """Take the bar away."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._shown is not None:
                self._shown.stop()
                self._shown = None

    def _show(self) -> None:
        # Only now: a command that ends at once needs none of it.
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        with self._lock:
            if self._timer is None:
                return
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[what]}"),
                TextColumn("{task.fields[rows]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
            )
            console = self._console or Console(stderr=True)
            self._shown = RichProgress(*columns, console=console, transient=True)
            self._task = self._shown.add_task(self._stage, total=None, what="", rows="")
            self._shown.start()
            self._update()

    def _update(self) -> None:
        if self._shown is None:
            return
        what, done, total, rows = self._state
        spent = max(time.monotonic() - self._begun, 0.001)
        words = f"{rows:,} rows  {rows / spent:,.0f} rows/s" if rows else ""
        self._shown.update(self._task, completed=done, total=total or None, what=what, rows=words)
