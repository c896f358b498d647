"""Lake links: a lake that borrows the staged tables of another, so that features are built where none are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def link_lake(lake: Path, folder: Path) -> None:
    """Make `folder` a lake that holds the staged tables and snapshots of another, and no features.

    Data files are second names of the other lake's, which no run changes; what runs write to is copied.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy2(lake / "_lake.json", folder)
    for name in ("staging", "intake", "arrivals", "snapshots"):
        shutil.copytree(lake / name, folder / name, copy_function=_link_data)


def _link_data(source: str, target: str) -> None:
    if source.endswith(".parquet"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)
