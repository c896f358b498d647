"""A project's lake copied to another place."""

from __future__ import annotations

from pathlib import Path

from tenure.config import load_config
from tenure.faults.boundary import boundary
from tenure.host.paths import local_path, require_lake_path
from tenure.session.folders import s3_settings
from tenure.storage.location import located
from tenure.store import copying
from tenure.store.copying import Copied
from tenure.store.identity import Owner
from tenure.store.lake import Lake
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
