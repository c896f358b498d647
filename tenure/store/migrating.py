"""A lake of format 0, without digests and without `_lake.json`, taken into a new one: the newest version of each table.

old/<table>/part-….parquet ─► copied ─► lake/<table>/part-<token>-<SHA-256>.parquet ─► one commit a table
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from tenure.errors import StoreError
from tenure.host.paths import delta_path
from tenure.storage.location import entries, put
from tenure.store.delta_log import LOGS
from tenure.store.identity import FILE_NAME
from tenure.store.lake import FINGERPRINT, PARTITIONS, Lake
from tenure.store.table import TableVersion


def migrate(old: Path, lake: Lake) -> Iterator[TableVersion]:
    """Commit the newest version of every table of a lake of format 0 to a new lake; yield each as it ends.

    The old folder stays as it is. Raises StoreError if it is no such lake, if the new place holds anything, or if a
    table can't be read.
    """
    tables = sorted(str(log.parent.relative_to(old)) for log in old.rglob(LOGS) if log.is_dir())
    if not tables or (old / FILE_NAME).exists():
        raise StoreError(
            f"'{old}' is no lake of format 0: {'it has a ' + FILE_NAME if tables else 'it holds no tables'}.",
            hint="Give the folder of the lake that the older Tenure wrote.",
        )
    if entries(lake.folder):
        raise StoreError(
            f"'{lake.folder}' holds something already; a migrated lake takes no other's place.",
            hint="Move it away, or set [lake] path in tenure.toml to a new place.",
        )
    with lake.locked():
        for file in sorted((old / "models" / "files").rglob("*")):
            if file.is_file():
                _copy(file, lake, "models", file.relative_to(old / "models"))
        for table in tables:
            yield _migrated(old / table, lake, table)


def _migrated(folder: Path, lake: Lake, table: str) -> TableVersion:
    """Commit a table's newest version, with the fingerprint and the ingredients that its last commit noted."""
    try:
        delta = DeltaTable(delta_path(folder))
        adds = pa.RecordBatchReader.from_stream(delta.get_add_actions(flatten=True)).read_all()
        (info,) = delta.history(1)
    except DeltaError as error:
        raise StoreError(
            f"table '{table}' of the old lake can't be read: {str(error).splitlines()[0]}.",
            hint=f"Move '{folder}' away, remove what was migrated, and run again: 'tenure run' builds it anew.",
            original=error,
        ) from error
    token = lake.begin_write(table)
    files = []
    for number, named in enumerate(adds.column("path").to_pylist()):
        path = Path(unquote(str(named)))
        target = lake.writing_folder(table) / path.with_name(f"part-{token}-{number}.parquet")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / path, target)
        files.append(target)
    return lake.commit(
        table,
        files,
        pa.schema(delta.schema().to_arrow()),
        partition_by=tuple(delta.metadata().partition_columns),
        fingerprint=str(info.get(FINGERPRINT, "")),
        partitions=json.loads(str(info.get(PARTITIONS, "{}"))),
    )


def _copy(file: Path, lake: Lake, table: str, path: Path) -> None:
    """Copy a file that no commit names to its place in a table's folder."""
    local = lake.writing_folder(table) / f"{path.name}.incoming"
    local.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, local)
    put(local, lake.path(table) / path.as_posix())
