"""A location: a path of this machine, or a place on S3; and the verbs that both need and a Path does not have.

Location = Path | S3Location        name, parent, /, exists, read_bytes, unlink …   are verbs of both
                                    stamp, write_whole, put, entries …             are written here for both
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, TextIO, TypeAlias, cast
from uuid import uuid4

from tenure.host.paths import local_path, require_local
from tenure.storage.s3 import ObjectStat, S3Location
from tenure.storage.settings import S3Settings

Location: TypeAlias = Path | S3Location

#: What changes when anything is done to a file: size, mtime, ctime and inode; of an object its size and ETag.
Stamp: TypeAlias = tuple[int | str, ...]

#: Bytes that are read at once of a file that is read whole.
_BLOCK = 8 * 1024 * 1024


def is_s3(written: str | Path) -> bool:
    """Return whether a text names a place on S3."""
    return bool(re.match(r"\s*s3[an]?:/", str(written), re.IGNORECASE))


def located(written: str | Location, *, asked_by: str, folder: Location | None = None, s3: S3Settings) -> Location:
    """Return the location that was written: a URL of S3, or a local path; a relative one is below `folder`.

    `asked_by` names the setting, option or definition. Raises InvalidConfig for any other URL, and for what is no path.
    """
    if isinstance(written, S3Location):
        return written
    if is_s3(written):
        return S3Location.of(str(written), s3, asked_by=asked_by)
    if isinstance(folder, S3Location):
        require_local(str(written), asked_by=asked_by)
        return folder / str(written)
    return local_path(written, asked_by=asked_by, folder=folder)


def files_that_match(folder: Location, pattern: str) -> list[Location]:
    """Return the files below a folder whose way there matches a pattern, sorted: '*' in a name, '**' over folders."""
    if isinstance(folder, S3Location):
        return list(folder.glob(pattern))
    return sorted(path for path in folder.glob(pattern) if path.is_file())


def stamp(location: Location) -> Stamp:
    """Return what changes when anything is done to a file; raise FileNotFoundError if it is not there."""
    if isinstance(location, S3Location):
        return stamp_of_object(location.stat())
    found = location.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


class Listing:
    """What lies below a folder: of a prefix of S3 as one listing shows it, of a local folder as it is when asked.

    What a commit names is never looked for here: an object that a listing lacks is asked for by its own `stamp`.
    """

    def __init__(self, folder: Location) -> None:
        """Know a folder; a prefix is listed when it is first asked for."""
        self._folder = folder

    @cached_property
    def _stamps(self) -> dict[Location, Stamp] | None:
        """The stamp of each object of a prefix; None of a local folder."""
        if not isinstance(self._folder, S3Location):
            return None
        return {place: stamp_of_object(found) for place, found in self._folder.listed().items()}

    def has(self, file: Location) -> bool:
        """Return whether a file is there."""
        return file.exists() if self._stamps is None else file in self._stamps

    def stamp(self, file: Location) -> Stamp | None:
        """Return an object's stamp; None of a local file, and of an object that was not listed."""
        return None if self._stamps is None else self._stamps.get(file)

    def entries(self, folder: Location) -> list[Location]:
        """Return what lies right in a folder below, sorted."""
        return entries(folder) if self._stamps is None else [place for place in self._stamps if place.parent == folder]


def stamp_of_object(found: ObjectStat) -> Stamp:
    """Return an object's stamp."""
    return found.size, found.etag


def size_of(location: Location) -> int:
    """Return a file's size in bytes."""
    return location.stat().size if isinstance(location, S3Location) else location.stat().st_size


def written_at(location: Location) -> float:
    """Return when a file was written, in seconds since 1970."""
    if isinstance(location, S3Location):
        return location.stat().modified.timestamp()
    return location.stat().st_mtime


def open_to_read(location: Location) -> BinaryIO:
    """Open a file for reading at any position."""
    if isinstance(location, S3Location):
        from tenure.storage.reading import OpenObject

        return cast("BinaryIO", OpenObject(location))
    return location.open("rb")


def open_text(location: Location, encoding: str) -> TextIO:
    """Open a file for reading as text, with the ends of its lines as they are."""
    if isinstance(location, Path):
        return location.open(encoding=encoding, newline="")
    raw = cast("io.RawIOBase", open_to_read(location))
    return io.TextIOWrapper(io.BufferedReader(raw, _BLOCK), encoding, newline="")


def blocks(location: Location) -> Iterator[bytes]:
    """Yield a file's bytes in order, some megabytes at once."""
    with open_to_read(location) as content:
        while block := content.read(_BLOCK):
            yield block


def for_arrow(location: Location) -> Any:
    """Return what pyarrow's readers take for a file: the path itself, or an open object."""
    return open_to_read(location) if isinstance(location, S3Location) else location


def write_whole(location: Location, content: bytes) -> None:
    """Put a whole file in place of the old one: after a power cut, either the old or the new one is there."""
    if isinstance(location, S3Location):
        location.write(content)
        return
    incoming = location.with_name(f".{location.name}.{uuid4().hex[:8]}.incoming")
    try:
        with incoming.open("xb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        incoming.replace(location)
        sync_names(location.parent)
    finally:
        incoming.unlink(missing_ok=True)


def sync_names(folder: Path) -> None:
    """Make the names in a folder of this machine durable."""
    if os.name == "nt":
        return  # Windows opens no folder, and writes names through by itself.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(location: Location) -> None:
    """Make a folder and those above it; S3 has none, and needs none."""
    if isinstance(location, Path):
        location.mkdir(parents=True, exist_ok=True)


def put(file: Path, location: Location) -> Stamp:
    """Move a local file to a location, whole or not at all; return its stamp there."""
    if isinstance(location, S3Location):
        sent = location.upload(file)
        file.unlink()
        return stamp_of_object(sent)
    make_folder(location.parent)
    file.replace(location)
    return stamp(location)


def move(file: Location, location: Location) -> None:
    """Move a file to a location of the same kind, whole or not at all."""
    if isinstance(file, Path):
        put(file, location)
        return
    with TemporaryDirectory(prefix="tenure-move-") as made:
        copy = Path(made) / "file"
        fetch(file, copy)
        put(copy, location)
    file.unlink()


def absolute(location: Location) -> Location:
    """Return a location that no working folder changes."""
    return location if isinstance(location, S3Location) else location.absolute()


def fetch(location: Location, file: Path) -> None:
    """Copy a file to one of this machine."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as copy:
        for block in blocks(location):
            copy.write(block)


def entries(folder: Location) -> list[Location]:
    """Return what lies right in a folder, sorted; of S3 objects alone; [] if there is no such folder."""
    if isinstance(folder, S3Location):
        return [place for place in folder.listed() if place.parent == folder]
    return sorted(folder.iterdir()) if folder.is_dir() else []


def files_below(folder: Location, pattern: str) -> list[Location]:
    """Return the files at any depth below a folder whose names match a pattern, sorted."""
    return sorted(path for path in folder.rglob(pattern) if isinstance(path, S3Location) or path.is_file())


def below(location: Location, folder: Location) -> PurePosixPath:
    """Return the way from a folder to a location; raise ValueError if it does not lie there."""
    if isinstance(location, S3Location) and isinstance(folder, S3Location):
        if location.bucket != folder.bucket:
            raise ValueError(f"'{location}' does not lie in '{folder}'")
        return PurePosixPath(location.key).relative_to(folder.key)
    if isinstance(location, Path) and isinstance(folder, Path):
        return PurePosixPath(location.relative_to(folder).as_posix())
    raise ValueError(f"'{location}' does not lie in '{folder}'")


def is_below(location: Location, folder: Location) -> bool:
    """Return whether a location lies in a folder, by the names alone."""
    try:
        below(location, folder)
    except ValueError:
        return False
    return True
