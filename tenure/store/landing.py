"""Landing: Parquet files of a raw table's rows that no engine reads as they are, before they are staged.

landing/<source>-<raw table>/
├── rows.parquet            of a server's query
└── <digest>/rows….parquet  of JSON lines, fixed width and workbooks: rows of the files with just this digest
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from tenure.storage.location import Location, entries, put
from tenure.storage.s3 import S3Location

#: On S3 a folder can't be renamed: this object, written last, says that all files of a name are there.
_WHOLE = "_whole"


@dataclass(frozen=True)
class Landing:
    """The landing of one raw table."""

    folder: Location

    @property
    def name(self) -> str:
        """The source and the raw table."""
        return self.folder.name

    def files(self, name: str = "") -> list[Location]:
        """Return the files that were landed, or those that were landed under a name; [] if there are none."""
        found = entries(self.folder / name)
        is_whole = not name or isinstance(self.folder, Path) or self.folder / name / _WHOLE in found
        return [file for file in found if file.suffix == ".parquet"] if is_whole else []

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Give the folder of this machine to write a file of rows into, for `keep`."""
        if isinstance(self.folder, Path):
            yield self.folder
            return
        with TemporaryDirectory(prefix="tenure-landing-") as made:
            yield Path(made)

    def keep(self, file: Path) -> Location:
        """Have a file of `writing` be what is landed, in place of one of its name; return it."""
        if isinstance(self.folder, Path):
            return file
        put(file, self.folder / file.name)
        return self.folder / file.name

    @contextmanager
    def replace(self, name: str) -> Iterator[Path]:
        """Give a new folder; what is written into it becomes, whole or not at all, what is landed under a name.

        Whatever else was landed before is removed.
        """
        if isinstance(self.folder, S3Location):
            with TemporaryDirectory(prefix="tenure-landing-") as made:
                yield Path(made)
                (self.folder / name / _WHOLE).unlink(missing_ok=True)
                before = list(self.folder.listed())
                landed = [self.folder / name / file.name for file in sorted(Path(made).iterdir())]
                for place in landed:
                    put(Path(made) / place.name, place)
                (self.folder / name / _WHOLE).write(b"")
                self.folder.remove([place for place in before if place not in landed])
            return
        unfinished = self.folder / f"{uuid4().hex}.partial"
        unfinished.mkdir(parents=True)
        try:
            yield unfinished
            for old in self.folder.iterdir():
                if old != unfinished:
                    _remove(old)
            unfinished.rename(self.folder / name)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
