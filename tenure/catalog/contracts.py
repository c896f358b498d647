"""A project's data contracts: drafted from staged rows, written, held against the rows and against what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tenure.catalog.contract_draft import draft as drafted
from tenure.checks.contract_files import (
    FOLDER,
    OF_TABLES,
    Change,
    Kind,
    changes,
    contract_file,
    read_document,
    version_parts,
)
from tenure.checks.odcs import Document, as_yaml, facts, is_edited, merged, of_source, of_table
from tenure.checks.odcs_rules import with_rules
from tenure.define.contract_base import Contract
from tenure.define.source import Source
from tenure.define.table_rules import TableRules
from tenure.errors import CheckFailed, UnknownSource, choices
from tenure.feature_store.entity_rows import arrow_type
from tenure.session.work import Work
from tenure.storage.location import make_folder, write_whole
from tenure.store.table import TableVersion
from tenure.tables.rule_breaks import broken_rows, row_rules, unmatched_rows


@dataclass(frozen=True)
class Written:
    """A contract's file after a verb: what was done, 'written', 'current' or 'kept', and a note."""

    file: str
    state: str
    note: str = ""


@dataclass(frozen=True)
class RuleResult:
    """How many staged rows break a rule, of how many that it is about, and the share that may."""

    table: str
    column: str
    rule: str
    rows: int
    failed: int
    most: float

    @property
    def share(self) -> float:
        """The share of rows that break it; 0 of no rows."""
        return self.failed / self.rows if self.rows else 0.0

    @property
    def passed(self) -> bool:
        """Whether no more rows break it than may."""
        return self.share <= self.most


@dataclass(frozen=True)
class Difference:
    """A change of a table, and where it was found: 'contract' against sources.py, 'stored' of the staged rows."""

    table: str
    where: str
    change: Change


def unread(folder: Path) -> Work:
    """Return the project in a folder at work without its contracts read, so that verbs can correct them."""
    work = Work.look(folder)
    work.agreed = {}
    return work


def draft(work: Work, names: Sequence[str] = ()) -> Iterator[Written]:
    """Write a contract of each source that has none, with rules that its staged rows suggest; yield what was done.

    Raises UnknownSource, MissingTable where a source is not staged.
    """
    chosen = _sources(work, names)
    files = {source.name: contract_file(work.folder, source.name) for source in chosen}
    if not all(file.exists() for file in files.values()):
        work.scan(work.project.sources)
    for source in chosen:
        file = files[source.name]
        if file.exists():
            yield Written(_shown(work, file), "kept", "it is there; remove it to draft it anew")
            continue
        rules, evidence = drafted(work.engine, work.project, source)
        document = with_rules(_generated(work, source), rules, evidence)
        _write(file, as_yaml(document))
        total = len(row_rules(source, rules, work.dialect)) + len(rules.relations)
        yield Written(_shown(work, file), "written", f"{total} rules")


def export(work: Work, *, tables: bool = False, breaking: bool = False) -> Iterator[Written]:
    """Write the generated part of each source's contract anew, with `tables` those of Tenure's tables too.

    Rules that stand by hand are kept. A change since the last export raises the contract's version: the second number
    for an additive one, the first for a breaking one, which raises CheckFailed unless `breaking` accepts it.
    """
    made = [(source.name, *_renewed(work, source, breaking=breaking)) for source in work.project.sources.values()]
    for name, text, note in made:
        file = contract_file(work.folder, name)
        yield _written(work, file, text, note)
    if tables:
        for contract in work.contracts.values():
            version = work.lake.find(contract.table)
            if version is not None and not contract.table.startswith("staging/"):
                file = work.folder / FOLDER / OF_TABLES / f"{contract.table}.yaml"
                yield _written(work, file, as_yaml(_of_stored(work, contract, version)), "")


def _renewed(work: Work, source: Source, *, breaking: bool) -> tuple[str, str]:
    """The text of a source's contract as it should be, and a note of what changed."""
    file, want = contract_file(work.folder, source.name), _generated(work, source)
    if not file.exists():
        return as_yaml(want), "new; write rules by hand, or draft them: tenure contract draft"
    old = read_document(file)
    found = merged(want, old)
    if is_edited(old):
        return as_yaml(found), "a hand edit of the generated part was undone"
    changed = changes(facts(old), facts(want))
    broken = [change for change in changed if change.kind == "breaking"]
    if broken and not breaking:
        raise CheckFailed(
            f"the contract {FOLDER}/{file.name}, version {old['version']}, would break for those who read the table: "
            f"{_in_words(broken)}. Nothing was written.",
            hint="Undo the change in sources.py, or accept it with 'tenure contract export --breaking'.",
        )
    kinds = {change.kind for change in changed}
    if kinds:
        found["version"] = _next(str(old["version"]), kinds)
    return as_yaml(found), f"version {found['version']}: {_in_words(changed)}" if kinds else ""


def _next(version: str, kinds: set[Kind]) -> str:
    major, minor, patch = version_parts(version, FOLDER)
    if "breaking" in kinds:
        return f"{major + 1}.0.0"
    return f"{major}.{minor + 1}.0" if "additive" in kinds else f"{major}.{minor}.{patch + 1}"


def _in_words(changed: Iterable[Change]) -> str:
    return "; ".join(change.text for change in changed)


def check(work: Work) -> Iterator[RuleResult]:
    """Yield each rule of the contracts with the staged rows that break it: one scan a table, and one a relation.

    Raises MissingTable where a source with rules is not staged.
    """
    for name, rules in work.project.rules.items():
        source = work.project.sources[name]
        work.scan([name])
        one_by_one = row_rules(source, rules, work.dialect)
        if one_by_one:
            counts = work.engine.run(broken_rows(name, one_by_one).text).to_pylist()[0]
            for place, rule in enumerate(one_by_one):
                rows, failed = int(counts["rows_in_all"]), int(counts[f"broken_{place}"])
                yield RuleResult(name, rule.column, rule.words, rows, failed, rule.most)
        yield from _relations(work, rules)


def _relations(work: Work, rules: TableRules) -> Iterator[RuleResult]:
    for one in rules.relations:
        work.scan([one.table])
        found = work.engine.run(unmatched_rows(rules.table, one.table, one).text).to_pylist()[0]
        words = f"a row of {one.table} in all but {one.most_unmatched:.4%}"
        counts = int(found["related"]), int(found["unmatched"])
        yield RuleResult(rules.table, ", ".join(one.columns), words, *counts, one.most_unmatched)


def diff(work: Work) -> Iterator[Difference]:
    """Yield how sources.py differs from each contract as it was written last, and from the staged rows' columns."""
    for source in work.project.sources.values():
        agreed = work.agreed.get(source.name)
        for change in agreed.changes if agreed else ():
            yield Difference(source.name, "contract", change)
        version = work.lake.find(f"staging/{source.name}")
        for change in _against_stored(source, version) if version else ():
            yield Difference(source.name, "stored", change)


def _against_stored(source: Source, version: TableVersion) -> Iterator[Change]:
    """How a source's columns differ from those of its staged rows."""
    want = {column.name: arrow_type(column.value_type) for column in source.columns}
    stored = {field.name: field.type for field in version.schema}
    own = ("event_time", "known_time", "known_until")
    for name in stored:
        if name not in want and name not in own:
            yield Change("breaking", name, "removed")
    for name, type_ in want.items():
        if name not in stored:
            yield Change("additive", name, "new")
        elif not _is_same(type_, stored[name]):
            yield Change("breaking", name, f"its stored type was {stored[name]}, is {type_}")


def _is_same(one: pa.DataType, other: pa.DataType) -> bool:
    """Whether two types are the same but for how engines write an instant."""
    if pa.types.is_timestamp(one) and pa.types.is_timestamp(other):
        return True
    return bool(one == other)


def _generated(work: Work, source: Source) -> Document:
    return of_source(work.project.name, source, work.contracts[f"staging/{source.name}"])


def _of_stored(work: Work, contract: Contract, version: TableVersion) -> Document:
    words = {name: description.text for name, description in work.project.described_columns.items()}
    columns = [(field.name, str(field.type), words.get(field.name, "")) for field in version.schema]
    return of_table(work.project.name, contract, columns)


def _sources(work: Work, names: Sequence[str]) -> list[Source]:
    known = work.project.sources
    for name in names:
        if name not in known:
            raise UnknownSource(
                f"project '{work.project.name}' has no source '{name}'; sources: {choices(known)}.",
                hint="Run 'tenure contract draft' for all of them.",
            )
    return [known[name] for name in names or known]


def _written(work: Work, file: Path, text: str, note: str) -> Written:
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return Written(_shown(work, file), "current", "")
    _write(file, text)
    return Written(_shown(work, file), "written", note)


def _write(file: Path, text: str) -> None:
    # In place of the old file at once: rules that stand by hand are nowhere else.
    make_folder(file.parent)
    write_whole(file, text.encode())


def _shown(work: Work, file: Path) -> str:
    """A contract's path from the project's folder."""
    return file.relative_to(work.folder).as_posix()
