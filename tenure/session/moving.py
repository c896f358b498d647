"""A project's lake copied to another place, or taken over from an older Tenure's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tenure.config import load_config
from tenure.faults.boundary import boundary
from tenure.host.paths import local_path, require_lake_path
from tenure.session.folders import folders_of, s3_settings
from tenure.storage.location import located
from tenure.store import copying, migrating
from tenure.store.copying import Copied
from tenure.store.identity import Owner
from tenure.store.lake import Lake
from tenure.store.table import TableVersion
from tenure.version import __version__


def copy_lake(folder: Path, source: str, target: str) -> Copied:
    """Copy a lake of the project in `folder` to another place, on this machine or on S3, as tenure.toml reaches it.

    Relative paths are below the project's folder. Raises InvalidConfig for what is no place, StoreError or DamagedLake
    as `tenure.store.copying` says.
    """
    folder = local_path(folder, asked_by="--project")
    with boundary(f"copying the lake '{source}'"):
        config = load_config(folder)
        s3 = s3_settings(config, folder)
        owner = Owner(config.project.name, folder, __version__)
        to = located(target, asked_by="TO", folder=folder, s3=s3)
        if isinstance(to, Path):
            require_lake_path(to)
        lake = Lake(located(source, asked_by="FROM", folder=folder, s3=s3), owner, config.lake.mode)
        return copying.copy_lake(lake, to, owner)


def migrate_lake(folder: Path, old: str) -> Iterator[TableVersion]:
    """Take the tables of a lake of format 0 into the lake of the project in `folder`, which must not be there yet.

    Yields each table's new version. Raises InvalidConfig, or StoreError as `tenure.store.migrating` says.
    """
    folder = local_path(folder, asked_by="--project")
    source = local_path(old, asked_by="FROM", folder=folder)
    with boundary(f"migrating the lake '{old}'"):
        config = load_config(folder)
        lake = Lake(folders_of(folder, config, None).lake, Owner(config.project.name, folder, __version__))
        try:
            yield from migrating.migrate(source, lake)
        finally:
            lake.close()
