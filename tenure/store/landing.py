"""Landing: Parquet files of a raw table's rows that no engine reads as they are, before they are staged.

landing/<source>-<raw table>/
├── rows.parquet            of a server's query
└── <digest>/rows-….parquet of JSON lines: rows of the files with just this digest
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4


@dataclass(frozen=True)
class Landing:
    """The landing of one raw table."""

    folder: Path

    @property
    def name(self) -> str:
        """The source and the raw table."""
        return self.folder.name

    def files(self, name: str = "") -> list[Path]:
        """Return the files that were landed, or those that were landed under a name; [] if there are none."""
        return sorted((self.folder / name).glob("*.parquet"))

    @contextmanager
    def replace(self, name: str) -> Iterator[Path]:
        """Give a new folder; what is written into it becomes, whole or not at all, what is landed under a name.

        Whatever else was landed before is removed.
        """
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
