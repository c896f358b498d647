"""What the command prints: each line goes out by `say`, whatever signs the terminal knows and whoever reads.

'12 rows × 3 columns …'  ──► UTF-8: as it is    ──► ASCII, cp1252: '12 rows x 3 columns ...'
"""

from __future__ import annotations

import codecs
import errno
import os
import re
import sys
from typing import TextIO

from tenure.errors import DiskFull, FileAccessError

#: The exit code of a command whose reader has gone, as in `tenure history | head -1`: 128 + SIGPIPE, as any tool's.
READER_GONE = 141

#: Signs of Tenure's own words, as terminals without them show them.
_PLAIN = {
    "×": "x", "−": "-", "–": "-", "—": "-", "…": "...", "·": ".", "’": "'", "\u2018": "'", "“": '"', "”": '"',
    "→": "->", "►": ">", "▶": ">", "─": "-", "│": "|", "┌": "+", "┐": "+", "└": "+", "┘": "+", "├": "+", "┤": "+",
    "┬": "+", "┴": "+", "┼": "+", "┊": "|", "≥": ">=", "≤": "<=", "≠": "!=", "€": "EUR", "\xa0": " ",
}  # fmt: skip

#: Control signs, which could move the cursor or change the title of the reader's terminal; not tab and newline.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def prepare() -> None:
    """Make stdout and stderr take every sign, and give a stream that is closed a place to write to."""
    codecs.register_error("tenure.plain", _in_plain_signs)
    # A file that is opened later would get the number of a closed stream, and whatever is printed to it.
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="tenure.plain")


def say(text: str, *, err: bool = False, style: str = "") -> None:
    """Print a line to stdout, or with `err` to stderr; `style` is an ANSI style for a terminal.

    Raises SystemExit with READER_GONE where nobody reads any more, DiskFull or FileAccessError for a file that can't
    be written. What can't be said on stderr is left unsaid.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is None:
        return
    line = _CONTROL.sub(_escaped, text)
    if style and stream.isatty() and "NO_COLOR" not in os.environ:
        line = f"\x1b[{style}m{line}\x1b[0m"
    try:
        stream.write(line + "\n")
        stream.flush()
    except BrokenPipeError:
        _silence(stream)
        if not err:
            raise SystemExit(READER_GONE) from None
    except OSError as error:
        _silence(stream)
        if not err:
            raise _unwritable(error) from error


def finish() -> None:
    """Flush stdout, so that a failed write is an error now and not when Python ends; raises as `say`."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
        raise SystemExit(READER_GONE) from None
    except OSError as error:
        _silence(sys.stdout)
        raise _unwritable(error) from error


def _in_plain_signs(error: UnicodeError) -> tuple[str, int]:
    """The replacement of signs that the stream's encoding does not have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign) or _backslashed(sign) for sign in signs), error.end


def _backslashed(sign: str) -> str:
    return sign.encode("ascii", "backslashreplace").decode("ascii")


def _escaped(found: re.Match[str]) -> str:
    return f"\\x{ord(found[0]):02x}"


def _silence(stream: TextIO) -> None:
    """Let what the stream still holds go nowhere: Python would try to write it once more when it ends."""
    try:
        descriptor = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
    except (OSError, ValueError):
        return


def _unwritable(error: OSError) -> DiskFull | FileAccessError:
    kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else FileAccessError
    return kind(
        f"the output can't be written: {error.strerror or type(error).__name__}.",
        hint="Send it to another file. What was committed before stays.",
    )
