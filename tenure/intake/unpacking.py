"""Unpacking: raw text that gzip, zip or zstd compressed, told by its first bytes and not by its name.

payments-2024-01.csv.gz ──► <spill>/unpacked/<SHA-256 of the packed file> ──► read as any text; removed with the run
"""

from __future__ import annotations

import gzip
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import BinaryIO, cast

import pyarrow as pa

from tenure.define.raw_tables import RawTable
from tenure.engines.files import EMPTY_ZIP, GZIP, ZIP, ZSTD, file_in_words
from tenure.errors import UnreadableFile
from tenure.session.work import Work
from tenure.storage.location import Location, open_to_read

#: So much of a file is enough to tell its header.
_HEAD = 4 * 2**20

_BLOCK = 2**20


@contextmanager
def _gzip(packed: BinaryIO) -> Iterator[BinaryIO]:
    with gzip.open(packed) as text:
        yield cast("BinaryIO", text)


@contextmanager
def _zstd(packed: BinaryIO) -> Iterator[BinaryIO]:
    with pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), "zstd") as text:
        yield text


@contextmanager
def _zip(packed: BinaryIO) -> Iterator[BinaryIO]:
    with zipfile.ZipFile(packed) as archive:
        members = [one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX/")]
        if len(members) != 1:
            raise _NotOne(len(members))
        with archive.open(members[0]) as text:
            yield cast("BinaryIO", text)


class _NotOne(ValueError):
    """An archive that does not hold one file; the argument is how many it holds."""


#: The first bytes of a packed file → what packed it, and how it is opened.
_PACKERS: Mapping[bytes, tuple[str, Callable[[BinaryIO], AbstractContextManager[BinaryIO]]]] = MappingProxyType(
    {
        GZIP: ("gzip", _gzip),
        ZIP: ("zip", _zip),
        EMPTY_ZIP: ("zip", _zip),
        ZSTD: ("zstd", _zstd),
    }
)


def unpacked(work: Work, files: Sequence[Location], raw: RawTable, *, head: bool = False) -> list[Location]:
    """Return the files with each packed one in its unpacked form, on this machine for as long as the run.

    With `head`, only as much of each is unpacked as tells its header. Raises UnreadableFile for one that is cut off or
    damaged, and for an archive of several files.
    """
    return [_unpacked(work, file, file_in_words(file, files, raw), head=head) for file in files]


def _unpacked(work: Work, file: Location, name: str, *, head: bool) -> Location:
    with open_to_read(file) as packed:
        begins = packed.read(4)
    packer = next((packer for magic, packer in _PACKERS.items() if begins.startswith(magic)), None)
    if packer is None:
        return file
    kind, opened = packer
    folder = work.spill_folder / "unpacked"
    folder.mkdir(exist_ok=True)
    made = folder / f"{work.raw_digests.of(file)}{'-head' if head else ''}"
    if not made.exists():
        unfinished = made.with_suffix(".partial")
        try:
            with open_to_read(file) as packed, opened(packed) as text, unfinished.open("wb") as out:
                _copy(text, out, most=_HEAD if head else None)
        except _NotOne as error:
            raise UnreadableFile(
                f"{name} is a zip archive of {error.args[0]} files.",
                hint="Unpack it, and read the files by a path with *.",
            ) from error
        except (EOFError, OSError, zlib.error, zipfile.BadZipFile, pa.ArrowException) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the machine's own: a full disk, a file that may not be read
            raise UnreadableFile(
                f"{name} was compressed with {kind}, and is cut off or damaged. Nothing of it was loaded.",
                hint="Fetch the file again, whole.",
            ) from error
        unfinished.rename(made)
    return made


def _copy(text: BinaryIO, out: BinaryIO, *, most: int | None) -> None:
    if most is None:
        shutil.copyfileobj(text, out, _BLOCK)
        return
    out.write(text.read(most))
