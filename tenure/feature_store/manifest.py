"""The manifest of a stored training set: the digests of its ingredients, so that it can be rebuilt, bit for bit.

entity rows ────┐
definitions ────┼──► rows with features        each part has a digest; a rebuild names the part that differs
table versions ─┘
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from tenure.define.aggregates import KINDS
from tenure.define.naming import check_name
from tenure.define.narrowing import narrowed
from tenure.define.project import Project
from tenure.define.table_contracts import FIXED
from tenure.define.window import ColumnName
from tenure.errors import NotReproducible, TenureError
from tenure.store.history import forgotten_on
from tenure.store.lake import Lake
from tenure.store.rows import read_file
from tenure.store.table import TableVersion

MANIFESTS = FIXED["manifests"]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The ingredients of a stored training set; `json()` writes them as text, and `parse` reads that text."""

    name: str
    version: int
    created_at: str
    rows: int
    time: str
    features: Sequence[str]
    #: Column → digest: of the entity rows, and of the features that they got.
    spine: Mapping[str, str]
    result: Mapping[str, str]
    #: 'source payments', 'feature view money' → digest of the definition, as far as the features need it.
    definitions: Mapping[str, str]
    project: str
    #: Source → the version of its staged table, and that version's fingerprint.
    tables: Mapping[str, tuple[int, str]]
    tenure: str
    engine: str

    @property
    def digest(self) -> str:
        """One digest of all rows, in their order."""
        return _hashed(json.dumps([dict(self.spine), dict(self.result)]))

    def json(self) -> str:
        """Return the manifest as JSON."""
        return json.dumps({**asdict(self), "digest": self.digest})

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the manifest that `json` wrote; raise NotReproducible, saying what is wrong, for any other text."""
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _damaged("it is not JSON") from error
        if not isinstance(fields, dict):
            raise _damaged("it is not a JSON object")
        digest = fields.pop("digest", None)
        for key, is_right in _SHAPES.items():
            if not is_right(fields.get(key)):
                raise _damaged(f"its '{key}' is missing or of another kind")
        unknown = sorted(set(fields) - set(_SHAPES))
        if unknown:
            raise _damaged(f"it has the unknown key '{unknown[0]}'")
        check_name("training set", fields["name"])
        # JSON has no tuples.
        fields["tables"] = {name: tuple(version) for name, version in fields["tables"].items()}
        manifest = cls(**fields)
        if digest is not None and digest != manifest.digest:
            raise _damaged("its 'digest' does not fit the digests of its columns")
        return manifest


def _damaged(reason: str) -> NotReproducible:
    return NotReproducible(
        f"the manifest is damaged: {reason}.",
        hint="Give what Manifest.json() wrote, or the name of a training set that was persisted.",
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_digests(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _is_tables(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_version, value.values()))


def _is_version(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and _is_number(value[0]) and _is_text(value[1])


#: What each key of a manifest's JSON must be.
_SHAPES: dict[str, Callable[[object], bool]] = {
    "name": _is_text,
    "version": _is_number,
    "created_at": _is_text,
    "rows": _is_number,
    "time": _is_text,
    "features": _is_texts,
    "spine": _is_digests,
    "result": _is_digests,
    "definitions": _is_digests,
    "project": _is_text,
    "tables": _is_tables,
    "tenure": _is_text,
    "engine": _is_text,
}


def definitions(project: Project, columns: Collection[ColumnName], sources: Collection[str]) -> dict[str, str]:
    """Return a digest of each definition that the columns need, and only of its parts that they need."""
    needed: dict[str, object] = {f"entity {project.entity.name}": project.entity}
    for name in sources:
        needed[f"source {name}"] = project.sources[name]
    for name, view in narrowed(project, columns).views.items():
        needed[f"feature view {name}"] = view
    return {name: _hashed(repr(definition)) for name, definition in needed.items()}


def digests(rows: pa.Table, columns: Sequence[str]) -> dict[str, str]:
    """Return a digest of each column's type, values and order."""
    return {name: digest(rows[name]) for name in columns}


def digest(values: pa.ChunkedArray) -> str:
    """Return a hash of a column: the same of columns that are equal to the bit, however they are chunked."""
    array = values.combine_chunks()
    found = hashlib.sha256(f"{array.type} {len(array)}".encode())
    found.update(_bytes_of(pc.is_null(array).cast(pa.uint8())))
    if pa.types.is_string(array.type):
        texts = array.fill_null("")
        found.update(_bytes_of(pc.binary_length(texts)))
        found.update("".join(texts.to_pylist()).encode())
    elif pa.types.is_boolean(array.type):
        found.update(_bytes_of(array.cast(pa.uint8()).fill_null(0)))
    elif pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        found.update(_bytes_of(array.fill_null(0)))
    elif pa.types.is_timestamp(array.type):
        found.update(_bytes_of(array.cast(pa.int64()).fill_null(0)))
    else:
        found.update(repr(array.to_pylist()).encode())
    return found.hexdigest()[:16]


def _bytes_of(numbers: pa.Array) -> bytes:
    return bytes(numbers.to_numpy(zero_copy_only=False).tobytes())


def stored_rows(version: TableVersion) -> pa.Table:
    """Return the rows of a version of a table in their order; raise NotReproducible if a file is gone."""
    require_files(version)
    parts = []
    for file in version.files:
        try:
            parts.append(read_file(version, file))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise NotReproducible(
                f"version {version.version} of table '{version.table}' can't be read: its file '{file}' is damaged.",
                hint="Restore the file, or persist the training set anew.",
                original=error,
            ) from error
    return pa.concat_tables(parts) if parts else version.schema.empty_table()


def require_files(version: TableVersion) -> None:
    """Raise NotReproducible if a file of the version was removed."""
    gone = version.missing_files()
    if gone:
        raise NotReproducible(
            f"version {version.version} of table '{version.table}' can't be read any more: its file '{gone[0].name}' "
            "was removed.",
            hint="Restore the file, or persist the training set anew.",
        )


def pinned(lake: Lake, table: str, number: int, fingerprint: str = "") -> TableVersion:
    """Return the version of a table that a manifest names; raise NotReproducible if it is gone or another's."""
    try:
        version = lake.find(table, number)
    except TenureError as error:
        raise NotReproducible(
            f"version {number} of table '{table}' can't be used: {error.message}",
            hint=error.hint,
            original=error.original,
        ) from error
    except Exception as error:  # deltalake raises several kinds where a log or checkpoint was removed
        raise NotReproducible(
            f"version {number} of table '{table}' is gone: its log in '{lake.path(table)}' can't be read so far back.",
            hint="Restore the lake's folder from a backup, or persist the training set anew.",
            original=error,
        ) from error
    if version is None:
        raise NotReproducible(
            f"version {number} of table '{table}' is gone: the lake '{lake.folder}' does not have it.",
            hint="Use the lake in which the training set was persisted.",
        )
    if fingerprint and version.fingerprint != fingerprint:
        raise NotReproducible(
            f"version {number} of table '{table}' is not the one that the training set was made of: its rows are "
            "others, or were staged by other definitions.",
            hint="Use the lake in which the training set was persisted.",
        )
    require_files(version)
    return version


def require_not_forgotten(lake: Lake, manifest: Manifest) -> None:
    """Raise NotReproducible if rows of a training set are gone since customers were forgotten."""
    day = forgotten_on(lake, f"historical/{manifest.name}", manifest.version)
    if day:
        raise NotReproducible(
            f"'{manifest.name}' can no longer be rebuilt as it was: on {day} customers were forgotten, and their rows "
            "are gone from all that is kept.",
            hint=f"The rows that are left stay readable: 'tenure show historical/{manifest.name} --version "
            f"{manifest.version}'. Persist the training set anew.",
        )


def require_equal(what: str, then: Mapping[str, str], now: Mapping[str, str], *, hint: str) -> None:
    """Raise NotReproducible, naming the parts, if digests differ."""
    different = [name for name in dict.fromkeys([*then, *now]) if then.get(name) != now.get(name)]
    if different:
        raise NotReproducible(f"{what}: {', '.join(different)}.", hint=hint)


def inexact(project: Project, columns: Collection[ColumnName]) -> set[ColumnName]:
    """Return the columns that sum up `float` values, whose last bits depend on the order in which an engine adds."""
    views = narrowed(project, columns).views.values()
    found: set[ColumnName] = set()
    for view in views:
        source = project.sources[view.source]
        for feature in view.aggregates:
            if feature.of and source.column(feature.of).type == "float":
                found.update(name for name in feature.columns if KINDS[name.aggregate].adds_values)
    for view in views:
        found.update(name for _, name, parts in view.comparisons if not found.isdisjoint(parts))
    return found & set(columns)


def nearly(left: pa.ChunkedArray, right: pa.ChunkedArray) -> bool:
    """Return whether two columns of DOUBLEs agree to a relative 1e-9, and are null in the same rows."""
    distance, size = pc.abs(pc.subtract(left, right)), pc.max_element_wise(pc.abs(left), pc.abs(right))
    is_far = pc.greater(distance, pc.multiply(1e-9, size))
    return bool(pc.is_null(left).equals(pc.is_null(right))) and not pc.any(is_far).as_py()


def read_manifest(rows: Sequence[Mapping[str, Any]], name: str) -> Manifest:
    """Return the newest manifest of that name; raise NotReproducible if there is none."""
    own = [row for row in rows if row["name"] == name]
    if not own:
        persisted = ", ".join(sorted({str(row["name"]) for row in rows})) or "none"
        raise NotReproducible(
            f"no training set '{name}' was persisted; there are: {persisted}.", hint="See HistoricalFeatures.persist."
        )
    return Manifest.parse(max(own, key=lambda row: int(row["version"]))["manifest"])


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
