"""Views: every table of the lake as read-only SQL, in one DuckDB file that any tool opens.

out/lake.duckdb      features, labels, …, staging.customers, tiles.payments      each a view of one version's files
                     tenure.versions                                             which version each view shows

A view names files, and a file of the lake never changes: it shows one version, whole. Once its table has a newer one
it answers with an error that says so, and never with old rows, until the next run or `tenure views` writes them anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from tenure.define.contract_base import Contract
from tenure.engines.duckdb import read_table, table_source, write_database
from tenure.host.paths import duckdb_path
from tenure.session.work import Work
from tenure.sql import literal, quoted
from tenure.sql.expressions import call, equal, named
from tenure.sql.query import Query
from tenure.storage.location import Location, fetch, make_folder, put
from tenure.store.delta_log import LOGS
from tenure.store.table import TableVersion

#: The views' file in the output folder.
FILE_NAME = "lake.duckdb"

#: The table that says which version each view shows.
_ABOUT = '"tenure"."versions"'


@dataclass(frozen=True)
class View:
    """A table as a view shows it: its name in SQL, its version, the statement of its rows, the columns left out."""

    name: str
    table: str
    version: int
    rows: int
    select: str
    left_out: tuple[str, ...] = ()

    @property
    def sql_name(self) -> str:
        """Its name as SQL takes it, whatever the source is called."""
        return ".".join(quoted(part, "duckdb") for part in self.name.split("."))


def views(work: Work, *, personal: bool = False) -> Iterator[View]:
    """Yield the view of each table's newest version; personal columns only if they are asked for.

    Raises DamagedLake if a file is not as it was written.
    """
    for table in work.lake.tables():
        version = work.lake.require(table)
        hidden = frozenset() if personal else _personal(work.contracts.get(table), version)
        shown = [name for name in version.schema.names if name not in hidden]
        if shown and version.files:
            select = _rows(version, shown, work.lake.path(table))
            left_out = tuple(name for name in version.schema.names if name in hidden)
            yield View(table.replace("/", "."), table, version.version, version.rows, select, left_out)


def write_views(work: Work, *, personal: bool = False) -> tuple[Location, list[View]]:
    """Write the views into `lake.duckdb` of the output folder, in place of those before; return the file and them."""
    found = list(views(work, personal=personal))
    about = {
        "view": [view.name for view in found],
        "version": [view.version for view in found],
        "rows": [view.rows for view in found],
        "left_out": [", ".join(view.left_out) for view in found],
        "personal": [personal for _ in found],
    }
    target = work.output / FILE_NAME
    with TemporaryDirectory(prefix="tenure-views-") as made:
        file = Path(made) / FILE_NAME
        write_database(file, {view.sql_name: view.select for view in found}, _ABOUT, pa.table(about))
        file.chmod(0o600)
        make_folder(target.parent)
        put(file, target)
    return target, found


def refresh_views(work: Work) -> None:
    """Write the views anew, with or without personal columns as before, if there are any; a run does so at its end."""
    file = work.output / FILE_NAME
    if not file.exists():
        return
    with TemporaryDirectory(prefix="tenure-views-") as made:
        copy = Path(made) / FILE_NAME
        fetch(file, copy)
        about = read_table(copy, _ABOUT)
    if about is not None and about.num_rows:
        personal = "personal" in about.column_names and about["personal"][0].as_py()
        write_views(work, personal=bool(personal))


def _personal(contract: Contract | None, version: TableVersion) -> frozenset[str]:
    """The personal columns of a table; of one that no contract names, all but its partitions."""
    if contract is None:
        return frozenset(version.schema.names) - set(version.partition_by)
    return contract.personal


def _rows(version: TableVersion, columns: list[str], folder: Location) -> str:
    """The SELECT of a version's rows, which fails once the table has a newer version."""
    newer = folder / LOGS / f"{version.version + 1:020}.json"
    said = f"this view shows version {version.version} of table ''{version.table}'', which has a newer one: "
    outdated = Query(
        columns=[named(call("error", f"'{said}run tenure views'"), "outdated")],
        source=call("glob", literal(_path(newer), "duckdb")),
    )
    return Query(
        columns=[quoted(name, "duckdb") for name in columns],
        source=table_source([_path(file) for file in version.files], version.schema, version.partition_by),
        where=equal(f"COALESCE(({outdated.on_one_line}), FALSE)", "FALSE"),
    ).text


def _path(file: Location) -> str:
    """A file as any DuckDB finds it: by its path, or, with an extension of its own, by its URL."""
    return duckdb_path(file.absolute()) if isinstance(file, Path) else str(file)
