"""The data dictionary of a project, built once as data: definitions, contracts, lineage, and what the lake holds.

definitions ─┐
contracts ───┼─► Dictionary ─► Markdown · HTML · .xlsx · dbt schema.yml · metadata.json
lineage ─────┤                 (tenure/publish/dictionary/)
the lake ────┘
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from tenure.catalog.column_facts import Facts, facts_of
from tenure.catalog.columns import own_column_words, source_column_words, sql_type
from tenure.catalog.sql import compile_all
from tenure.checks.score import WHOLE_TABLE
from tenure.define.contract_base import Contract
from tenure.define.feature import Description
from tenure.define.formula_words import drawn_window, formula_words, history_share_words
from tenure.define.stage import RECORDS, maker_of
from tenure.define.window import ColumnName
from tenure.engines import open_engine
from tenure.intake.quality import newest_scores
from tenure.publish.dictionary.bank_words import bank_words
from tenure.publish.dictionary.entries import ColumnEntry, Dictionary, TableEntry
from tenure.publish.dictionary.written import files_of, require_formats
from tenure.session.origins import Origin, Origins
from tenure.session.work import Work
from tenure.sql import TYPE_NAMES
from tenure.storage.location import Location, make_folder, write_whole
from tenure.store.history import Columns, columns_by_version
from tenure.store.table import TableVersion
from tenure.tiles.point_in_time import PointInTime

#: Tables of the machinery, whose columns only Tenure reads.
_MACHINERY = frozenset({"tiles", "quarantine", "labels_of", "horizon_models", "historical", "manifests", *RECORDS})


def dictionary(work: Work) -> Dictionary:
    """Return the dictionary of a project; of tables that are built, with what their newest version holds.

    Nothing of a personal column or a key is looked at. Raises what the definitions or the lake are refused for.
    """
    found = _Tables(work)
    names = list(map(str, work.project.columns))
    return Dictionary(project=work.project.name, tables=tuple(found.entries()), words=bank_words(names))


def write_dictionary(work: Work, formats: Sequence[str] = (), folder: Location | None = None) -> list[Location]:
    """Write the dictionary in some formats, or in all, into `folder`, or `dictionary/` of the output; return the files.

    Raises InvalidConfig for a format that is none, MissingDependency, with nothing written, for one whose library is
    not installed.
    """
    require_formats(formats)
    made = files_of(dictionary(work), formats)
    target = folder or work.output / "dictionary"
    written = []
    for name, content in made.items():
        file = target / name
        make_folder(file.parent)
        write_whole(file, content)
        written.append(file)
    return written


@dataclass(frozen=True)
class _Stored:
    """What the lake tells of a table: its newest version, the columns of all versions, what the newest one holds."""

    version: TableVersion | None
    columns: Sequence[Columns]
    facts: Mapping[str, Facts]


class _Tables:
    def __init__(self, work: Work) -> None:
        self._work, self._project = work, work.project
        self._origins = Origins(work.project, work.dialect, work.churn)

    def entries(self) -> Iterator[TableEntry]:
        """Yield each table of the project: sources first, then the tables in the order in which they are made."""
        declared = self._origins.table_columns
        places = {self._work.stored(name): name for name in declared}
        for place in self._work.contracts:
            known = place not in places and place.partition("/")[0] not in _MACHINERY
            if known and self._work.lake.find(place) is not None:
                places[place] = place
        for place, relation in places.items():
            yield self._entry(place, relation, declared.get(relation, ()))

    def _entry(self, place: str, relation: str, declared: Sequence[str]) -> TableEntry:
        contract = self._work.contracts[place]
        stored = self._stored(place, contract)
        there = list(stored.version.schema.names) if stored.version else []
        columns = [self._column(relation, name, contract, stored) for name in dict.fromkeys([*declared, *there])]
        return TableEntry(
            name=place,
            meaning=contract.doc,
            made_by=maker_of(place),
            keys=contract.keys,
            partition_by=contract.partition_by,
            required=contract.required,
            rules=tuple(f"{rule.condition}: {rule.doc}" for rule in contract.invariants),
            sql=self._table_sql(relation),
            version=stored.version.version if stored.version else None,
            rows=stored.version.rows if stored.version else 0,
            quality=self._scores.get((relation, WHOLE_TABLE)),
            dropped=tuple(_dropped(stored.columns)),
            columns=tuple(columns),
        )

    def _stored(self, place: str, contract: Contract) -> _Stored:
        version = self._work.lake.find(place)
        if version is None:
            return _Stored(None, (), {})
        shown = [name for name in version.schema.names if self._is_shown(place, name, contract)]
        engine = open_engine(self._work.engine_settings("duckdb"))
        try:
            facts = facts_of(engine, version, shown, "version_after") if shown else {}
        finally:
            engine.close()
        return _Stored(version, columns_by_version(self._work.lake, place), facts)

    def _is_shown(self, place: str, name: str, contract: Contract) -> bool:
        """Whether what a column holds is looked at: of no personal column, no key, no feature a second time."""
        source = self._project.sources.get(place.removeprefix("staging/"))
        keys = {*self._project.entity.keys}
        if source is not None:
            keys |= {column.name for column in source.columns if column.is_personal or column.role == "key"}
        again = place == "training_set" and name in self._origins.features
        return name not in contract.personal and name not in keys and not again

    def _column(self, relation: str, name: str, contract: Contract, stored: _Stored) -> ColumnEntry:
        if relation in self._project.sources:
            entry = self._of_source(relation, name)
        elif name in self._origins.features and relation == "features":
            entry = self._of_feature(self._origins.features[name])
        elif name in self._origins.features:
            entry = self._again(relation, name)
        else:
            entry = self._own(relation, name)
        types = {} if stored.version is None else {part.name: sql_type(part.type) for part in stored.version.schema}
        facts = stored.facts.get(name)
        since, changes = _past(name, stored.columns)
        return replace(
            entry,
            type=types.get(name, entry.type),
            role=entry.role or ("key" if name in contract.keys else ""),
            personal=name in contract.personal,
            facts=facts.as_words() if facts else {},
            quality=self._quality(relation, entry),
            since=since,
            changes=changes,
        )

    def _quality(self, relation: str, entry: ColumnEntry) -> float | None:
        """The score of a source's column, or the lowest of the source columns that another column is made of."""
        if relation in self._project.sources:
            return self._scores.get((relation, entry.name))
        places = (name.partition(".")[::2] for name in entry.sources)
        return min((self._scores[place] for place in places if place in self._scores), default=None)

    def _of_source(self, relation: str, name: str) -> ColumnEntry:
        source = self._project.sources[relation]
        sources, raw = self._upstream(relation, name) if name in self._origins.table_columns[relation] else ((), ())
        declared = {column.name: column for column in source.columns}
        meaning = source_column_words(self._project, source, name)
        if name not in declared:
            return ColumnEntry(name=name, meaning=meaning, sources=sources, raw=raw)
        column = declared[name]
        empty = "refused: required" if column.required else ""
        return ColumnEntry(
            name=name,
            type=TYPE_NAMES[self._work.dialect][column.type],
            meaning=meaning,
            unit=column.unit,
            role=column.role,
            empty=empty,
            raw=raw,
            defined=source.where_defined,
        )

    def _of_feature(self, name: ColumnName) -> ColumnEntry:
        described = self._project.columns[name]
        sources, raw = self._upstream("features", str(name))
        common = ColumnEntry(
            name=str(name),
            meaning=described.text,
            unit=described.unit,
            boundary=described.boundary,
            empty=described.empty,
            sources=sources,
            raw=raw,
            sql=self._feature_sql(name),
        )
        if name not in self._origins.defined:
            return replace(common, formula=history_share_words(name), window=drawn_window(name, None, None))
        view, _, part = self._origins.defined[name]
        source = self._project.sources[view.source]
        return replace(
            common,
            formula=formula_words(name, part, view, source),
            window=drawn_window(name, part, source),
            defined=part.where_defined,
        )

    def _again(self, relation: str, name: str) -> ColumnEntry:
        """A feature's column in a table that is made from the features."""
        described = self._described[name]
        if relation == "shap_values":
            return ColumnEntry(name=name, meaning=f"what it adds to the score, in log-odds: {described.text}")
        return ColumnEntry(name=name, meaning=described.text, unit=described.unit, sources=(f"features.{name}",))

    def _own(self, relation: str, name: str) -> ColumnEntry:
        meaning = own_column_words(self._project, relation, name)
        if name not in self._origins.table_columns.get(relation, ()):
            return ColumnEntry(name=name, meaning=meaning)
        sources, raw = self._upstream(relation, name)
        origin = self._origins.origin(relation, name)
        return ColumnEntry(name=name, meaning=meaning, formula=origin.summary, sources=sources, raw=raw)

    def _upstream(self, relation: str, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The source columns and the raw columns that a column is computed from, each once."""
        origin = self._origins.origin(relation, name)
        found = list(_below(origin))
        sources = [one.name for one in found if one.kind == "source column"]
        raw = [f"{one.name} ({one.summary})" for one in found if one.kind == "raw column"]
        return tuple(dict.fromkeys(sources)), tuple(dict.fromkeys(raw))

    def _feature_sql(self, name: ColumnName) -> str:
        """The SELECT of one feature for rows of keys and instants; tiles give the same cells, of all at once."""
        select = PointInTime(self._project, self._work.dialect, [name])
        return select.range().answers.text if select.aggregated else select.final().text

    def _table_sql(self, relation: str) -> str:
        if relation in self._project.sources:
            return self._project.sources[relation].select.strip()
        return "" if relation == "features" else self._statements.get(relation, "")

    @cached_property
    def _scores(self) -> dict[tuple[str, str], float]:
        """The scores of each source's newest run, by source and column."""
        return {(row["source"], row["column_name"]): row["score"] for row in newest_scores(self._work)}

    @cached_property
    def _described(self) -> dict[str, Description]:
        return self._project.described_columns

    @cached_property
    def _statements(self) -> dict[str, str]:
        return {select.table: select.text for select in compile_all(self._work, self._work.dialect)}


def _below(origin: Origin) -> Iterator[Origin]:
    for part in origin.upstream:
        yield part
        yield from _below(part)


def _past(name: str, versions: Sequence[Columns]) -> tuple[str, tuple[str, ...]]:
    """Since which version a column is there without a gap, and what happened to it.

    It was added or dropped, or got another type or another definition.
    """
    since, changes = "", []
    before: Columns | None = None
    for now in versions:
        place = f"version {now.version}, {now.committed_on}"
        old, new = (before.types.get(name) if before else None), now.types.get(name)
        if new and not old:
            since = place
            if before is not None:
                changes.append(f"added in {place}")
        elif old and not new:
            since = ""
            changes.append(f"dropped in {place}")
        elif old != new:
            changes.append(f"{old} became {new} in {place}")
        if before is not None and old and new and _means_otherwise(name, before, now):
            changes.append(f"defined otherwise since {place}")
        before = now
    return since, tuple(changes)


def _means_otherwise(name: str, before: Columns, now: Columns) -> bool:
    """Whether a column means something else than in the version before; not where an older Tenure noted no meanings."""
    then, today = before.meanings.get(name), now.meanings.get(name)
    return None not in (then, today) and then != today


def _dropped(versions: Sequence[Columns]) -> Iterator[str]:
    """The columns that older versions had and the newest one lacks, each with the version that dropped it."""
    newest = versions[-1].types if versions else {}
    gone = dict.fromkeys(name for version in versions for name in version.types if name not in newest)
    for name in gone:
        _, changes = _past(name, versions)
        yield f"{name}: {changes[-1]}"
