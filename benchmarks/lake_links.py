"""Lake links: a lake that borrows the staged tables of another, so that features are built where none are."""

from __future__ import annotations

from pathlib import Path


def link_lake(lake: Path, folder: Path) -> None:
    """Make `folder` a lake that holds the staged tables and snapshots of another by links, and no features."""
    (folder / "staging").mkdir(parents=True)
    for name in ("intake", "arrivals", "snapshots"):
        (folder / name).symlink_to(lake / name)
    for table in (lake / "staging").iterdir():
        (folder / "staging" / table.name).symlink_to(table.resolve())
