"""Reading of S3 by ranges: an open object as Arrow reads it, and the file system through which DuckDB does.

DuckDB thread ─► seek, read ─┐
DuckDB thread ─► seek, read ─┴─► one OpenObject ─► GET bytes=a-b, If-Match: the ETag that it was opened with

DuckDB's own S3 extension has to be downloaded; this needs nothing but fsspec, which is in Python.
"""

from __future__ import annotations

import io
import re
import threading
from collections import OrderedDict
from datetime import datetime
from typing import Any

from fsspec.spec import AbstractFileSystem

from tenure.storage.s3 import ObjectStat, S3Location

#: The scheme by which DuckDB finds the file system; 's3' is that of its own extension.
SCHEME = "tenure-s3"


#: Bytes of an object that is read whole at once: its footer and its columns would be a request each.
_SMALL = 4 * 2**20

#: Bytes of such objects that are kept for who reads them next: a stage reads its tiles several times.
_MOST_KEPT = 128 * 2**20


class _Kept:
    """The objects that were read last, by place and ETag: another object in the place is another entry."""

    def __init__(self) -> None:
        self._objects: OrderedDict[tuple[str, str, str], bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str, str]) -> bytes | None:
        """Return an object's bytes, None if they are not kept."""
        with self._lock:
            found = self._objects.get(key)
            if found is not None:
                self._objects.move_to_end(key)
            return found

    def put(self, key: tuple[str, str, str], content: bytes) -> None:
        """Keep an object's bytes in place of those that were not read for longest."""
        with self._lock:
            if key in self._objects:
                return
            self._objects[key] = content
            self._size += len(content)
            while self._size > _MOST_KEPT:
                _, oldest = self._objects.popitem(last=False)
                self._size -= len(oldest)


_kept = _Kept()


class OpenObject(io.RawIOBase):
    """An object of S3, open for reading by any number of threads: each has a position of its own.

    DuckDB seeks and then reads as two calls; with one position for all threads they would read each other's ranges.
    """

    def __init__(self, location: S3Location, stat: ObjectStat | None = None) -> None:
        """Open it as it was noted, or as it is now; another object there fails each read."""
        self._location = location
        self._stat = location.noted or stat or location.stat()
        self._own = threading.local()
        self._lock = threading.Lock()
        self._whole: bytes | None = None
        self.name = str(location)
        self.mode = "rb"

    def size(self) -> int:
        """Return its size in bytes."""
        return self._stat.size

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return this thread's position."""
        return int(getattr(self._own, "position", 0))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move this thread's position and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._stat.size}[whence]
        self._own.position = max(0, base + offset)
        return self.tell()

    def read(self, size: int | None = -1) -> bytes:
        """Return the bytes from this thread's position on; fewer than asked for only at the end."""
        begin = self.tell()
        end = self._stat.size if size is None or size < 0 else min(begin + size, self._stat.size)
        if end <= begin:
            return b""
        self._own.position = end
        if self._stat.size > _SMALL:
            return self._location.read_range(begin, end, self._stat.etag)
        with self._lock:
            if self._whole is None:
                self._whole = self._small()
        return self._whole[begin:end]

    def _small(self) -> bytes:
        """The whole of a small object, asked for once in a while."""
        key = (str(self._location.settings.endpoint), str(self._location), self._stat.etag)
        found = _kept.get(key)
        if found is None:
            found = self._location.read_range(0, self._stat.size, self._stat.etag)
            _kept.put(key, found)
        return found

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; return how many bytes."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


class RangedFiles(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """What DuckDB asks of a file system to read objects of S3; it writes none."""

    protocol = SCHEME
    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self._locations: dict[str, S3Location] = {}
        self._known: dict[str, ObjectStat] = {}

    def url_of(self, location: S3Location) -> str:
        """Return the URL by which DuckDB finds an object through this file system, from now on.

        The object is asked for anew, since it may be another by now than when it was last read.
        """
        # DuckDB takes these signs for a pattern.
        url = re.sub(r"[*?\[]", "_", f"{SCHEME}://{location.bucket}/{location.key}")
        while self._locations.get(url, location) != location:
            url = f"{url.removesuffix(location.suffix)}_{location.suffix}"
        self._locations[url] = location
        self._known.pop(url, None)
        return url

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return an object's size and ETag."""
        stat = self._stat(path)
        return {"name": path, "size": stat.size, "type": "file", "ETag": stat.etag}

    def modified(self, path: str) -> datetime:
        """Return when an object was written."""
        return self._stat(path).modified

    def exists(self, path: str, **_: Any) -> bool:
        """Return whether there is such an object."""
        try:
            self._stat(path)
        except FileNotFoundError:
            return False
        return True

    def glob(self, path: str, **_: Any) -> list[str]:
        """Return the object itself: Tenure names each one, no engine looks for them."""
        return [path]

    def open(self, path: str, mode: str = "rb", **_: Any) -> OpenObject:
        """Open an object for reading."""
        if mode != "rb":
            raise PermissionError(1, "objects are only read this way", path)
        return OpenObject(self._locations[path], self._stat(path))

    def _stat(self, path: str) -> ObjectStat:
        found = self._known.get(path)
        if found is None:
            location = self._locations[path]
            found = self._known[path] = location.noted or location.stat()
        return found
