"""The boundary: what libraries and the machine raise becomes one of Tenure's errors, a sentence with its place.

deltalake, Arrow, DuckDB, ADBC, LightGBM, skops …  ─┐
a full disk, a folder that can't be written …      ─┴──► boundary ──► TenureError, and the original in a log
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import traceback
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from weakref import WeakSet

from tenure.errors import (
    DiskFull,
    EngineError,
    FileAccessError,
    InternalError,
    ModelError,
    StoreError,
    TenureError,
    UnreadableFile,
    WarehouseError,
)
from tenure.faults.error_log import ErrorLog
from tenure.faults.redact import file_shape
from tenure.storage.location import Location, absolute, is_below

#: A library's module → the error that its errors become, and what is likely wrong.
_LIBRARIES: dict[str, tuple[type[TenureError], str, str]] = {
    "deltalake": (StoreError, "a table's log can't be read or written", "Restore the lake's folder from a backup."),
    "pyarrow": (EngineError, "Arrow can't read or convert the rows", "Check the files and the columns' types."),
    "duckdb": (EngineError, "DuckDB can't compute the rows", "Check the data and the definitions that read them."),
    "adbc_driver_manager": (WarehouseError, "the database refuses", "Check the server and the query."),
    "adbc_driver_postgresql": (WarehouseError, "the database refuses", "Check the server and the query."),
    "pyspark": (EngineError, "Spark can't compute the rows", "Check the data and the definitions that read them."),
    "py4j": (EngineError, "Spark has stopped or refuses", "Run again, with more [engine] memory if it recurs."),
    "lightgbm": (ModelError, "LightGBM can't use the model or the rows", "Run 'tenure train' again."),
    "xgboost": (ModelError, "XGBoost can't use the model or the rows", "Run 'tenure train' again."),
    "optuna": (ModelError, "the search of parameters can't go on", "Run 'tenure train' again."),
    "sklearn": (ModelError, "scikit-learn can't use the model or the rows", "Run 'tenure train' again."),
    "skops": (ModelError, "a model file can't be read", "Run 'tenure train' again."),
    "umap": (ModelError, "the customers can't be projected", "Use [segment] method = 'pca'."),
    "pandas": (EngineError, "a frame can't be made of the rows", "Check the columns' types."),
    "numpy": (EngineError, "the rows can't be computed", "Check the columns' values."),
}

#: Modules that call themselves by another name than their library's.
_ALIASES = {"_internal": "deltalake", "_duckdb": "duckdb", "pyo3_runtime": "deltalake"}

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FULL_TEXT = re.compile(r"No space left|[Qq]uota exceeded|File too large|disk full|max_temp_directory_size")
_ERRNO_TEXT = re.compile(r"(?:os error |[Ee]rrno )(\d+)")
#: Texts of engines that give no number.
_TEXT_TO_ERRNO = {
    "Permission denied": errno.EACCES,
    "Read-only file system": errno.EROFS,
    "Not a directory": errno.ENOTDIR,
    "Too many open files": errno.EMFILE,
    "No such file or directory": errno.ENOENT,
    "Input/output error": errno.EIO,
}
_HINTS = {
    errno.EACCES: "Give this user the right to it, or set another folder in tenure.toml.",
    errno.EPERM: "Give this user the right to it, or set another folder in tenure.toml.",
    errno.EROFS: "Set a folder that can be written in tenure.toml.",
    errno.ENOTDIR: "Move the file away that stands where a folder should be.",
    errno.EEXIST: "Move the file away that stands where a folder should be.",
    errno.EISDIR: "Move the folder away that stands where a file should be.",
    errno.ENOENT: "Another program may have removed it. Restore it, or run 'tenure run' again.",
    errno.EMFILE: "Raise the limit of open files, for example with 'ulimit -n 4096', and run again.",
    errno.ENFILE: "Close other programs and run again.",
    errno.EIO: "Check the disk, then run again.",
    errno.ENAMETOOLONG: "Use shorter names of folders.",
}
#: How the path of a module of Tenure is recognised.
_PACKAGE = f"{os.sep}tenure{os.sep}"
_PATH = re.compile(r"['\"](/[^'\"\\]+)\\?['\"]")


class Stoppable(Protocol):
    """What computes in a library, and can be stopped from another thread."""

    def stop(self) -> None:
        """Let what computes end with an error; do nothing if nothing does."""


_computing: WeakSet[Stoppable] = WeakSet()


def register_stoppable(engine: Stoppable) -> None:
    """Have an engine stopped when a signal comes, for as long as it lives."""
    _computing.add(engine)


def stop_engines() -> None:
    """Stop what engines compute: libraries do not all look for signals themselves."""
    for engine in tuple(_computing):
        engine.stop()


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM while something ran: `doing` names it."""

    def __init__(self, doing: str) -> None:
        super().__init__(doing)
        self.doing = doing


@contextmanager
def boundary(
    doing: str, *, log: ErrorLog | None = None, places: Mapping[str, Location] | None = None, internal: bool = False
) -> Iterator[None]:
    """Turn what libraries and the machine raise inside into a TenureError about `doing`, and keep the original.

    `places` are folders by what they are called, such as 'the lake'. With `internal`, any further exception becomes
    an InternalError: a bug of Tenure. A KeyboardInterrupt becomes Interrupted. A TenureError passes as it is, unless
    an engine made it of a library's error that is not kept yet.
    """
    try:
        yield
    except TenureError as error:
        if error.original is not None:
            raise _kept(_placed(error, doing, places or {}), error.original, doing, log) from error.original
        raise
    except Interrupted as error:
        # A stage says more than a table that it read; the command says less.
        error.doing = error.doing if internal else doing
        raise
    except KeyboardInterrupt as error:
        raise Interrupted(doing) from error
    except (SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        # BaseException: a panic of deltalake's Rust is none of Exception.
        found = translated(error, doing, places or {})
        if found is None and internal and isinstance(error, Exception):
            found = _internal(error, doing)
        if found is None:
            raise
        raise _kept(found, error, doing, log) from error


def translated(error: BaseException, doing: str, places: Mapping[str, Location] | None = None) -> TenureError | None:
    """Return the TenureError that says what a library's or the machine's error means; None for any other error."""
    library = library_of(error)
    if not isinstance(error, (OSError, MemoryError)) and not library:
        return None
    if isinstance(error, MemoryError):
        return EngineError(f"{doing}: the machine has no more memory.", hint="Lower [engine] memory or threads.")
    number = _number(error)
    if number in _FULL:
        return _disk_full(error, doing, places or {})
    file = _file(error)
    if number is not None:
        return _refused(number, file, doing, places or {})
    raw = _place(file, places or {}) == "the raw data"
    if file is not None and (raw or library in ("pyarrow", "duckdb")):
        kind: type[TenureError] = UnreadableFile if raw else StoreError
        thing = _named(file, places or {})
        return kind(f"{doing}: {thing} is damaged or not what it should be.", hint="Restore the file, and run again.")
    default = (StoreError, "a file can't be read or written", "Check the disk and the folders, then run again.")
    made, words, hint = _LIBRARIES.get(library, default)
    return made(f"{doing}: {words}.", hint=hint)


def library_of(error: BaseException) -> str:
    """Return the library that raised an error, '' if none of those that are known did."""
    root = type(error).__module__.partition(".")[0]
    if root in _LIBRARIES:
        return root
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if module in _LIBRARIES:
            return module
        if module.startswith("tenure"):
            break
    return _ALIASES.get(root, "")


def _kept(error: TenureError, original: BaseException, doing: str, log: ErrorLog | None) -> TenureError:
    """The error, which now says where the original is kept; without a log it stays to be kept by whoever has one."""
    if log is None:
        error.original = original
        return error
    error.message = f"{error.message} {log.keep(original, doing=doing)}"
    error.args = (error.message,)
    error.original = None
    return error


def _placed(error: TenureError, doing: str, places: Mapping[str, Location]) -> TenureError:
    """An engine's error, with what is known of its place here."""
    if type(error) is EngineError and error.original is not None:
        better = translated(error.original, doing, places)
        if better is not None and type(better) is not EngineError:
            return better
    error.message = error.message if error.message.startswith(doing) else f"{doing}: {error.message}"
    return error


def _internal(error: BaseException, doing: str) -> InternalError:
    file, line = _innermost(error)
    place = file.rpartition(_PACKAGE)[2]
    return InternalError(
        f"{doing}: a bug in Tenure, {type(error).__name__} in {place}:{line}. Nothing of it is visible.",
        hint="Please report it, with the log.",
    )


def _innermost(error: BaseException) -> tuple[str, int]:
    """The file and line of Tenure's innermost frame; of the innermost of all where none is Tenure's."""
    place, in_tenure = ("unknown", 0), False
    for frame, line in traceback.walk_tb(error.__traceback__):
        own = _PACKAGE in frame.f_code.co_filename
        if own or not in_tenure:
            place, in_tenure = (frame.f_code.co_filename, line), own
    return place


def _number(error: BaseException) -> int | None:
    """The machine's number of an error, which some libraries give in the text alone; None if there is none."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    if library_of(error) not in ("", "deltalake", "pyarrow", "duckdb") or isinstance(error, UnicodeError):
        return None
    text = str(error)
    if _FULL_TEXT.search(text):
        return errno.ENOSPC
    found = _ERRNO_TEXT.search(text)
    if found:
        return int(found[1])
    for words, number in _TEXT_TO_ERRNO.items():
        if words in text:
            return number
    return None


def _file(error: BaseException) -> Path | None:
    """The file that an error is about."""
    name = getattr(error, "filename", None)
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    if isinstance(name, str):
        return Path(name)
    found = _PATH.search(str(error)) if library_of(error) in ("", "deltalake", "pyarrow", "duckdb") else None
    return Path(found[1]) if found else None


def _place(file: Path | None, places: Mapping[str, Location]) -> str:
    """What the folder that a file lies in is called; '' if it is none of those known."""
    if file is None:
        return ""
    # The deepest first: the lake may lie in the raw data's folder.
    for name, folder in sorted(places.items(), key=lambda item: -len(item[1].parts)):
        if is_below(file.absolute(), absolute(folder)):
            return name
    return ""


def _disk_full(error: BaseException, doing: str, places: Mapping[str, Location]) -> DiskFull:
    file = _file(error)
    if file is not None:
        where = f"{_named(file, places)} can't be written"
    else:
        full = [folder for folder in places.values() if _free(folder) < 1_000_000]
        where = f"nothing more can be written{_below(full or places.values())}"
    limit = _number(error) == errno.EFBIG or "File too large" in str(error)
    what = "a file would be larger than this process may write" if limit else "the disk is full"
    return DiskFull(
        f"{doing}: {what}, {where}. Nothing half-written is visible.",
        hint="Free some space and run the same command again: it goes on from the last table that was finished.",
    )


def _free(folder: Location) -> int:
    """Bytes that are free where a folder lies; S3 is never full."""
    if not isinstance(folder, Path):
        return sys.maxsize
    existing = next((one for one in (folder, *folder.absolute().parents) if one.is_dir()), Path())
    try:
        return shutil.disk_usage(existing).free
    except OSError:
        return 0


def _refused(number: int, file: Path | None, doing: str, places: Mapping[str, Location]) -> TenureError:
    reason = os.strerror(number)
    place = _place(file, places)
    thing = _named(file, places) if file else f"a file{_below(places.values())}"
    kind: type[TenureError] = UnreadableFile if place == "the raw data" else FileAccessError
    inside = f" in {place}" if place else ""
    return kind(
        f"{doing}: {thing}{inside} can't be read or written: {reason}.",
        hint=_HINTS.get(number, "Check the file and its folder, then run again."),
    )


def _named(file: Path, places: Mapping[str, Location]) -> str:
    """A file for a message: by its path, and below the raw data by its name's shape, which may be a customer's name."""
    if _place(file, places) == "the raw data" and file.absolute() != absolute(places["the raw data"]):
        return f"'{file_shape(file.name)}'{_below([places['the raw data']])}"
    return _quoted(file)


def _below(folders: Collection[Location]) -> str:
    """Where something lies that has no path, for a message; '' without folders."""
    return f" below {' or '.join(map(_quoted, folders))}" if folders else ""


def _quoted(path: Location) -> str:
    return f"'{path}'"
