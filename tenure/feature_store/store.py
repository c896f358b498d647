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

from tenure.define.flat import require_dates
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
    require_not_forgotten,
    stored_rows,
)
from tenure.session.work import Work
from tenure.store.table import TableVersion
from tenure.version import __version__


class FeatureStore:
    """A project's features, as they were known at any time. Close it, or use it as a context manager.

    `project` is the project's folder, or a Work that is open already; `data` and `engine` override tenure.toml.
    The sources must be staged (`tenure staging`); other tables are read only where a spine's SELECT names them.
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

        Raises UnknownColumn for a feature that is not defined; MissingColumn, BadValue or InvalidSpine for rows that
        can't be answered; UnknownSource or InvalidDefinition for a SELECT that can't be read.
        """
        require_dates(self.work.project, "time travel (historical features)")
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
        """Return a persisted training set, computed again from its entity rows and the table versions of that time.

        `manifest` is the manifest, its JSON, or the name of the training set: its newest manifest.

        Every column is equal to the bit; sums and means of `float` columns to a relative 1e-9.
        Raises NotReproducible, naming what differs, if definitions have changed or a version of a table is gone.
        """
        with self.work.boundary("rebuilding a training set"):
            return self._rebuilt(self._manifest_of(manifest))

    def _rebuilt(self, manifest: Manifest) -> pa.Table:
        project, lake = self.work.project, self.work.lake
        defined = set(map(str, project.columns))
        missing = [name for name in manifest.features if name not in defined]
        if missing:
            raise NotReproducible(f"features of '{manifest.name}' are not defined any more: {', '.join(missing)}.")
        columns = project.chosen(manifest.features)
        hint = "Check out the definitions of that time, or persist the training set anew."
        sources = [name for name in manifest.tables if name in project.sources]
        now = definitions(project, columns, sources)
        require_equal(f"definitions of '{manifest.name}' have changed", manifest.definitions, now, hint=hint)
        versions: dict[str, TableVersion] = {}
        for name, (number, fingerprint) in manifest.tables.items():
            versions[name] = pinned(lake, f"staging/{name}", number, fingerprint)
        stored = stored_rows(pinned(lake, f"historical/{manifest.name}", manifest.version))
        spine = stored.select(list(manifest.spine))
        hint = "The files were changed after they were written; restore them."
        found = digests(spine, spine.column_names)
        if found != manifest.spine:
            require_not_forgotten(lake, manifest)
        require_equal(f"stored rows of '{manifest.name}' differ", manifest.spine, found, hint=hint)
        made = HistoricalFeatures(self.work, spine, columns, manifest.time, versions).to_arrow()
        self._require_same(manifest, columns, made.cast(stored.schema), stored)
        return made

    def _manifest_of(self, manifest: Manifest | str) -> Manifest:
        """The manifest, from its JSON or the name of its training set where it is text."""
        if isinstance(manifest, Manifest):
            return manifest
        return Manifest.parse(manifest) if manifest.lstrip().startswith("{") else self.manifest(manifest)

    def _require_same(
        self, manifest: Manifest, columns: Sequence[ColumnName], made: pa.Table, stored: pa.Table
    ) -> None:
        names = [str(column) for column in columns]
        got = digests(made, names)
        for name in map(str, inexact(self.work.project, columns)):
            if nearly(made[name], stored[name]):
                got[name] = manifest.result[name]
        then = f"tenure {manifest.tenure} on {manifest.engine}"
        now = f"tenure {__version__} on {self.work.engine.version}"
        what = f"'{manifest.name}', made by {then} and now by {now}, has other values of"
        require_equal(what, manifest.result, got, hint="Rebuild it with that version and engine.")
