"""Ctrl-C and SIGTERM: the first stops what runs and says so in a line; the second ends the process at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}

#: The signal that came first; 0 while none came.
_received = 0


@contextmanager
def handled() -> Iterator[None]:
    """Handle both signals inside, in the main thread; put back what was there before."""
    global _received  # noqa: PLW0603  (a process has one set of handlers)
    _received = 0
    before = {number: signal.signal(number, _first) for number in _NAMES}
    unraisable, sys.unraisablehook = sys.unraisablehook, _unraisable
    try:
        yield
    finally:
        sys.unraisablehook = unraisable
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_code() -> int:
    """Return 128 + the signal's number: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (_received or signal.SIGINT)


def line(doing: str) -> str:
    """Return the line that says what was interrupted and how to go on."""
    return (
        f"Interrupted by {_NAMES[signal.Signals(_received or signal.SIGINT)]}: {doing}. Nothing half-done is visible; "
        "run the same command again, and it goes on from the last table that was finished."
    )


def _first(number: int, _frame: FrameType | None) -> None:
    global _received  # noqa: PLW0603
    _received = number
    for one in _NAMES:
        signal.signal(one, _second)
    raise KeyboardInterrupt


def _second(_number: int, _frame: FrameType | None) -> None:
    # A killed process leaves nothing visible, so leaving at once harms nothing; Python's way out would.
    _leave()


def _unraisable(found: sys.UnraisableHookArgs) -> None:
    """Python swallows what is raised while it cleans up: Ctrl-C then would do nothing but print a traceback."""
    if issubclass(found.exc_type, KeyboardInterrupt):
        _leave()
    sys.__unraisablehook__(found)


def _leave() -> None:
    os.write(2, (line("stopped at once") + "\n").encode("ascii", "replace"))
    os._exit(exit_code())
