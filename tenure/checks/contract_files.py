"""A project's contracts: read when it is loaded, held against its definitions, and written.

contracts/<source>.yaml          one a source, with rules by hand
contracts/tables/<table>.yaml    of Tenure's own tables; generated alone, and never read
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from tenure.checks.odcs import DIGEST, EXPORT, Document, Facts, custom_of, facts, from_yaml, is_edited, of_source
from tenure.checks.odcs_rules import rules_of
from tenure.define.project import Project
from tenure.define.shape import shown
from tenure.define.source import Source
from tenure.define.table_contracts import contracts
from tenure.define.table_rules import TableRules
from tenure.errors import InvalidDefinition, choices
from tenure.host.text_files import read_text

#: The folder of a project's contracts, and of those of Tenure's own tables in it.
FOLDER, OF_TABLES = "contracts", "tables"

Kind: TypeAlias = Literal["additive", "breaking", "wording"]


@dataclass(frozen=True)
class Change:
    """What differs between a contract and what it is held against, and whether readers of the table can bear it."""

    kind: Kind
    column: str
    words: str

    @property
    def text(self) -> str:
        """The change with its column: "column 'amount': physicalType was 'integer', is 'float'"."""
        return f"column '{self.column}': {self.words}" if self.column else self.words


@dataclass(frozen=True)
class Agreed:
    """A source's contract as its file has it: its version, its rules, and how sources.py went on since."""

    file: str
    version: str
    rules: TableRules
    changes: tuple[Change, ...] = ()

    def of_kind(self, kind: Kind) -> tuple[Change, ...]:
        """Return the changes of a kind."""
        return tuple(change for change in self.changes if change.kind == kind)


def contract_file(folder: Path, source: str) -> Path:
    """Return the place of a source's contract in a project's folder."""
    return folder / FOLDER / f"{source}.yaml"


def read_contracts(folder: Path, project: Project) -> dict[str, Agreed]:
    """Return the contracts of a project's sources, by their names; none where it has no folder of them.

    Raises InvalidDefinition, with the place, for a file of no source, a hand edit of the generated part, or a rule
    that can't stand.
    """
    place = folder / FOLDER
    if not place.is_dir():
        return {}
    files = sorted(file for file in place.iterdir() if file.suffix.lower() in (".yaml", ".yml"))
    made = contracts(project) if files else {}
    found = {}
    for file in files:
        if file.suffix != ".yaml" or file.stem not in project.sources:
            raise InvalidDefinition(
                f"{FOLDER}/{file.name} is the contract of no source; allowed: NAME.yaml, of the sources "
                f"{choices(project.sources)}.",
                hint="Rename the file, or remove it.",
            )
        source = project.sources[file.stem]
        want = of_source(project.name, source, made[f"staging/{source.name}"])
        found[source.name] = _agreed(file, source, project, want)
    return found


def _agreed(file: Path, source: Source, project: Project, want: Document) -> Agreed:
    name = f"{FOLDER}/{file.name}"
    document = read_document(file)
    got, wanted = facts(document), facts(want)
    if is_edited(document):
        raise _hand_edit(name, got, wanted, custom_of(document, DIGEST))
    return Agreed(
        file=name,
        version=str(document["version"]),
        rules=rules_of(document, source, project, name),
        changes=tuple(changes(got, wanted)),
    )


def read_document(file: Path) -> Document:
    """Return the contract in a file; raise InvalidDefinition if it is none of one table with a version."""
    name = f"{FOLDER}/{file.name}"
    document = from_yaml(read_text(file, refused=InvalidDefinition), name)
    tables = document.get("schema") or []
    if len(tables) != 1:
        raise InvalidDefinition(f"{name}: schema has {len(tables)} tables; allowed: one.", hint=EXPORT)
    version_parts(str(document.get("version")), name)
    names = [str(column.get("name", "")) for column in tables[0].get("properties") or []]
    repeated = sorted({column for column in names if names.count(column) > 1})
    if repeated:
        raise InvalidDefinition(f"{name}: column '{repeated[0]}' stands there twice.", hint=EXPORT)
    return document


def version_parts(version: str, file: str) -> tuple[int, int, int]:
    """Return a version's three numbers; raise InvalidDefinition if it has none."""
    parts = version.split(".")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        raise InvalidDefinition(
            f"{file}: version is {version!r}; allowed: three numbers, such as '1.0.0'.",
            hint="Write the version with quotes.",
        )
    major, minor, patch = map(int, parts)
    return major, minor, patch


def _hand_edit(file: str, got: Facts, wanted: Facts, kept: object) -> InvalidDefinition:
    """The refusal of a generated part that was edited: the first property that differs, and what sources.py says."""
    differing = [place for place in {**wanted, **got} if got.get(place) != wanted.get(place)]
    if not differing:
        return InvalidDefinition(
            f"{file}: the custom property {DIGEST} is {shown(kept)}, and it is not that of the generated part.",
            hint=EXPORT,
        )
    column, part = differing[0]
    place = f"column '{column}', {part}" if column else part.removeprefix("file.")
    if part == "name" and column:
        there = "is there" if (column, part) in got else "is missing"
        says = "has it" if (column, part) in wanted else "has no such column"
        return InvalidDefinition(
            f"{file}: column '{column}' {there}, and sources.py {says}; columns are declared in sources.py alone.",
            hint=EXPORT,
        )
    return InvalidDefinition(
        f"{file}: {place} is {_said(got.get(differing[0]))}; sources.py says {_said(wanted.get(differing[0]))}. "
        "This part is generated, and is changed in sources.py alone.",
        hint=EXPORT,
    )


def _said(value: object) -> str:
    return "nothing" if value is None else shown(value)


#: What readers of a table rest on: a change breaks them.
_BREAKING = (
    "logicalType",
    "physicalType",
    "primaryKey",
    "primaryKeyPosition",
    "unit",
    "eventTime",
    "knownTime",
    "endTime",
    "partitionStrategy",
)

#: Of these it breaks readers if something is there no more: nulls may come, personal data is personal no more.
_BREAKING_IF_GONE = ("required", "classification")


def changes(before: Facts, after: Facts) -> list[Change]:
    """Return how a generated part differs from an older one, breaking changes first."""
    gone = {column for column, part in before if part == "name" and column} - {column for column, _ in after}
    new = {column for column, part in after if part == "name" and column} - {column for column, _ in before}
    found = [Change("breaking", column, "removed") for column in sorted(gone)]
    found += [_added(column, is_key=(column, "primaryKey") in after) for column in sorted(new)]
    for place in dict.fromkeys([*before, *after]):
        column, part = place
        was, now = before.get(place), after.get(place)
        if column in gone | new or was == now:
            continue
        words = f"{part.removeprefix('file.')} was {_said(was)}, is {_said(now)}"
        found.append(Change(_kind(part, was, now), column, words))
    order: Mapping[Kind, int] = {"breaking": 0, "additive": 1, "wording": 2}
    return sorted(found, key=lambda change: order[change.kind])


def _added(column: str, *, is_key: bool) -> Change:
    return Change("breaking", column, "new, in the key") if is_key else Change("additive", column, "new")


def _kind(part: str, was: object, now: object) -> Kind:
    if part == "unit" and was is None:
        return "additive"
    if part in _BREAKING or (part in _BREAKING_IF_GONE and now is None):
        return "breaking"
    return "additive" if part in _BREAKING_IF_GONE else "wording"
