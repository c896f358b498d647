"""The error log: what a library or the machine raised, kept apart for its owner, without values of the bank's rows.

<lake>/logs/<run_id>.log        the file 0600, the folder 0700; a later error of the same run is added to it
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tenure.faults.redact import redacted
from tenure.storage.location import Location
from tenure.storage.s3 import S3Location

FOLDER = "logs"

#: Kinds of errors whose text is about files, settings or statements. Other texts may quote rows, and are left out.
_TEXT_KEPT = frozenset(
    {
        "_duckdb.BinderException",
        "_duckdb.CatalogException",
        "_duckdb.IOException",
        "_duckdb.OutOfMemoryException",
        "_duckdb.ParserException",
        "lightgbm.basic.LightGBMError",
        "pyo3_runtime.PanicException",
    }
)
_LEFT_OUT = "(left out: it may quote values of the data)"


@dataclass(frozen=True)
class ErrorLog:
    """Where the errors of one run are kept: a file in the lake's folder `logs`."""

    lake: Location
    run_id: str

    @property
    def file(self) -> Location:
        """The log file."""
        return self.lake / FOLDER / f"{self.run_id}.log"

    def keep(self, error: BaseException, *, doing: str) -> str:
        """Add an error to the log; return the sentence that names the file, or says why there is none."""
        if not self.lake.is_dir():
            return f"No log could be kept: there is no lake in '{self.lake}'."
        try:
            keep_private(self.file, f"{moment()}  {doing}\n{entry(error)}\n")
        except OSError as reason:
            return f"No log could be kept in '{self.file.parent}': {reason.strerror or type(reason).__name__}."
        return f"The original error is kept in '{self.file}'."


def keep_private(file: Location, text: str) -> None:
    """Add a text to a log; on disk, its owner alone may read it."""
    added = text.encode("utf-8", errors="backslashreplace")
    if isinstance(file, S3Location):
        file.write((file.read_bytes() if file.is_file() else b"") + added)
    else:
        _append_to(file, added)


def _append_to(file: Path, added: bytes) -> None:
    folder = file.parent
    if folder.is_symlink():
        raise NotADirectoryError(0, "the folder is a link")
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    is_new = not file.exists()
    way = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(file, way, 0o600)
    try:
        with os.fdopen(handle, "wb") as log:
            log.write(added)
    except OSError:
        if is_new:
            file.unlink(missing_ok=True)  # A full disk: half an entry helps nobody.
        raise


def entry(error: BaseException) -> str:
    """Return an error and its causes as text: types, texts without secrets and values, places in the code."""
    return "\n".join(line for one in _chain(error) for line in _lines(one))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _lines(error: BaseException) -> Iterator[str]:
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    yield f"type:  {kind}"
    yield f"text:  {_text(error, kind)}"
    yield "trace: (without values of variables)"
    for frame, line in traceback.walk_tb(error.__traceback__):
        yield f"  {frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"


def _text(error: BaseException, kind: str) -> str:
    # deltalake's errors call their module `_internal`.
    if isinstance(error, OSError) or kind in _TEXT_KEPT or kind.startswith(("_internal.", "deltalake.")):
        return redacted(str(error))
    return _LEFT_OUT


def moment() -> str:
    """Return the time as logs have it: UTC, to the second."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
