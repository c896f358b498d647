"""The feature store: features of any rows of customers and times, as they were known then.

store = FeatureStore("mybank")
job = store.get_historical_features(spine, ["money", "age_years"])     nothing has run yet
job.to_arrow()                                                         one row out for each row in, in its order
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from tenure.define.window import ColumnName
from tenure.errors import (
    NotReproducible,
    UnknownColumn,
)
from tenure.feature_store.historical import HistoricalFeatures
from tenure.feature_store.manifest import (
    Manifest,
    definitions,
    digests,
    inexact,
    nearly,
    pinned,
    read_manifest,
    require_equal,
    stored_rows,
)
from tenure.session.work import Work
from tenure.version import __version__


class FeatureStore:
    """A project's features, as they were known at any time. Close it, or use it as a context manager.

    `project` is the project's folder, or a Work that is open already; `data` and `engine` override tenure.toml.
    The sources must be staged (`tenure staging`); no other table is read, but by a spine that names it.
    """

    def __init__(self, project: str | Path | Work, *, data: Path | None = None, engine: str = "") -> None:
        self._owned = not isinstance(project, Work)
        self.work = project if isinstance(project, Work) else Work.open(Path(project), data=data, engine=engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the engine, unless it belongs to the Work that was given."""
        if self._owned:
            self.work.__exit__(None, None, None)

    def get_historical_features(
        self, entity_df: Any, features: str | Sequence[str], *, timestamp: str = ""
    ) -> HistoricalFeatures:
        """Return the job that adds `features` (views, columns, services) to the rows of `entity_df`.

                known_time < ts            ts
             ──[ ts − 90d ················)┊──      a row reads what was known before its own time, and nothing later

        The rows are a pyarrow Table, a pandas or polars frame, a Path of a Parquet or CSV file, a SELECT over the
        lake's tables as text, or a SnapshotPlan: the stored snapshots of its dates. They have the entity's key columns
        and a time: `snapshot_date`, `event_timestamp` or the column that `timestamp` names; a DATE is its midnight, a
        time without a zone is UTC. Further columns pass through untouched.

        Raises UnknownColumn for a feature that there is none of; MissingColumn, BadValue or InvalidSpine for rows that
        can't be answered; UnknownSource or InvalidDefinition for a SELECT that can't be read.
        """
        asked = [features] if isinstance(features, str) else list(features)
        if not asked:
            raise UnknownColumn("no features are asked for.", hint="See them with 'tenure features list'.")
        job = HistoricalFeatures(self.work, entity_df, self.work.project.chosen(asked), timestamp)
        job.check()
        return job

    def manifest(self, name: str) -> Manifest:
        """Return the newest manifest of a training set; raise NotReproducible if none was persisted by that name."""
        with self.work.boundary(f"the manifest of '{name}'"):
            found = self.work.lake.find("manifests")
            return read_manifest(self.work.lake.read("manifests").to_pylist() if found else [], name)

    def rebuild(self, manifest: Manifest | str) -> pa.Table:
        """Return a persisted training set, computed again from its rows and the versions of the tables of its time.

        `manifest` is the manifest, its JSON, or the name of the training set: its newest manifest.

        Every column is equal to the bit; sums and means of `float` columns to a relative 1e-9.
        Raises NotReproducible, naming what differs, if definitions have changed or a version of a table is gone.
        """
        with self.work.boundary("rebuilding a training set"):
            return self._rebuilt(manifest)

    def _rebuilt(self, manifest: Manifest | str) -> pa.Table:
        if isinstance(manifest, str):
            wanted = Manifest.parse(manifest) if manifest.lstrip().startswith("{") else self.manifest(manifest)
        else:
            wanted = manifest
        project, lake = self.work.project, self.work.lake
        missing = [name for name in wanted.features if name not in set(map(str, project.columns))]
        if missing:
            raise NotReproducible(f"features of '{wanted.name}' are not defined any more: {', '.join(missing)}.")
        columns = project.chosen(wanted.features)
        hint = "Check out the definitions of that time, or persist the training set anew."
        known = [name for name in wanted.tables if name in project.sources]
        now = definitions(project, columns, known)
        require_equal(f"definitions of '{wanted.name}' have changed", wanted.definitions, now, hint=hint)
        versions = {name: pinned(lake, f"staging/{name}", *of) for name, of in wanted.tables.items()}
        stored = stored_rows(pinned(lake, f"historical/{wanted.name}", wanted.version))
        spine = stored.select(list(wanted.spine))
        hint = "The files were changed after they were written; restore them."
        require_equal(
            f"stored rows of '{wanted.name}' differ",
            wanted.spine,
            digests(spine, spine.column_names),
            hint=hint,
        )
        made = HistoricalFeatures(self.work, spine, columns, wanted.time, versions).to_arrow()
        self._require_same(wanted, columns, made.cast(stored.schema), stored)
        return made

    def _require_same(self, wanted: Manifest, columns: Sequence[ColumnName], made: pa.Table, stored: pa.Table) -> None:
        got = digests(made, list(map(str, columns)))
        for name in map(str, inexact(self.work.project, columns)):
            if nearly(made[name], stored[name]):
                got[name] = wanted.result[name]
        now = f"tenure {__version__} on {self.work.engine.version}"
        what = (
            f"'{wanted.name}', made by tenure {wanted.tenure} on {wanted.engine} and now by {now}, has other values of"
        )
        require_equal(what, wanted.result, got, hint="Rebuild it with that version and engine.")
