"""Ctrl-C and SIGTERM: the first stops what runs and says so in a line; the second ends the process at once."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from tenure.faults.boundary import stop_engines

#: Seconds that a library may take to stop after a signal before the process ends without it.
_GRACE = 20.0

#: Seconds that Python's own handler of a second signal has to end the process.
_MOMENT = 0.5

_NAMES = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}

#: The signal that came first; 0 while none came.
_received = 0


def handle_early() -> None:
    """Handle both signals before the command begins and after it ends, if this process is the command."""
    # '-m' is what stands there while `python -m tenure.cli` looks for its module.
    if os.path.basename(sys.argv[0]) in ("-m", "tenure", "tenure.exe"):  # noqa: PTH119  (no import before its time)
        for number in _NAMES:
            signal.signal(number, _early)


@contextmanager
def handled() -> Iterator[None]:
    """Handle both signals inside, in the main thread; put back what was there before."""
    global _received  # noqa: PLW0603  (a process has one set of handlers)
    _received = 0
    before = {number: signal.signal(number, _first) for number in _NAMES}
    unraisable, sys.unraisablehook = sys.unraisablehook, _unraisable
    try:
        with _watched():
            yield
    finally:
        sys.unraisablehook = unraisable
        for number, handler in before.items():
            # The message is printed already; the process ends soon, and must end with the exit code, not by the signal.
            signal.signal(number, signal.SIG_IGN if _received and handler is _early else handler)


@contextmanager
def _watched() -> Iterator[None]:
    """Stop the engines when a signal comes, and end the process where none comes back to Python to handle it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_end_if_nothing_does, args=(reader,), daemon=True, name="signals").start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)


def _end_if_nothing_does(reader: int) -> None:
    """Wait for a signal, then for the end of what runs, a second signal or the end of the grace."""
    global _received  # noqa: PLW0603
    with os.fdopen(reader, "rb", buffering=0) as signals:
        first = signals.read(1)
        if not first:
            return
        stop_engines()
        again, _, _ = select.select([signals], [], [], _GRACE)
        if again:
            if not signals.read(1):
                return
            select.select([], [], [], _MOMENT)
    _received = _received or first[0]
    _leave("what ran did not stop by itself")


def exit_code() -> int:
    """Return 128 + the signal's number: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + (_received or signal.SIGINT)


def forget_interrupted_code() -> None:
    """Have Python end by the exit code, although Ctrl-C came while it ran code of a text.

    So dataclasses are made while a stage's modules are loaded. CPython 3.11 to 3.13 remembers it until the next such
    text is run (`run_eval_code_obj` in pythonrun.c), and would end by the signal.
    """
    exec("")  # noqa: S102


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


def _early(number: int, _frame: FrameType | None) -> None:
    global _received  # noqa: PLW0603
    _received = number
    _leave("nothing ran yet, or all had ended")


def _second(_number: int, _frame: FrameType | None) -> None:
    # A killed process leaves nothing visible, so leaving at once harms nothing; Python's own ending would.
    _leave("stopped at once")


def _unraisable(found: sys.UnraisableHookArgs) -> None:
    """Python swallows what is raised while it cleans up: Ctrl-C then would do nothing but print a traceback."""
    if issubclass(found.exc_type, KeyboardInterrupt):
        _leave("stopped at once")
    sys.__unraisablehook__(found)


def _leave(doing: str) -> None:
    with suppress(OSError):
        os.write(2, (line(doing) + "\n").encode("ascii", "replace"))
    os._exit(exit_code())
