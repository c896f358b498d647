"""The rules that stand by hand in a contract: read into TableRules, written where the standard has a place for each.

range            column: logicalTypeOptions.minimum, maximum
allowed values   column: quality, metric invalidValues with arguments.validValues, mustBe 0
share of nulls   column: quality, metric nullValues, unit percent, mustBeLessOrEqualTo
freshness        slaProperties: property latency, unit d
owner            team.name
relation         table: relationships, from and to; mostUnmatched among their customProperties
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NoReturn

from tenure.checks.odcs import Document, columns_of, custom_of
from tenure.define.project import Project
from tenure.define.shape import shown
from tenure.define.source import Column, Source
from tenure.define.table_rules import ColumnRules, Relation, TableRules
from tenure.errors import InvalidDefinition, choices

_NUMBERS, _TIMES = ("integer", "decimal", "float"), ("date", "timestamp")

_BOUNDS = ("minimum", "maximum")
_METRICS = ("nullValues", "invalidValues")

#: Where the evidence of a range, and that of a relation, stands.
EVIDENCE = "evidence"
_MOST_UNMATCHED = "mostUnmatched"


def rules_of(document: Document, source: Source, project: Project, file: str) -> TableRules:
    """Return the rules of a source's contract; those of columns that the source has no more are left out.

    Raises InvalidDefinition, with the place, for a rule that can't stand or that Tenure does not judge by.
    """
    return _Reader(source, project, file).rules(document)


@dataclass(frozen=True)
class _Reader:
    source: Source
    project: Project
    file: str

    def rules(self, document: Document) -> TableRules:
        table = document["schema"][0]
        for rule in table.get("quality") or []:
            self._require_text(rule, "quality of the table")
        columns = {}
        for name, part in columns_of(document).items():
            if name in self.source.column_names:
                found = self._column(self.source.column(name), part)
                if found != ColumnRules():
                    columns[name] = found
        return TableRules(
            table=self.source.name,
            owner=self._owner(document.get("team")),
            fresh_within_days=self._freshness(document.get("slaProperties") or []),
            columns=columns,
            relations=tuple(self._relations(document)),
        )

    def _column(self, column: Column, part: Document) -> ColumnRules:
        place = f"column '{column.name}'"
        low, high = self._bounds(column, part.get("logicalTypeOptions") or {}, f"{place}, logicalTypeOptions")
        allowed: tuple[str, ...] = ()
        most_null: float | None = None
        for rule in part.get("quality") or []:
            if rule.get("type", "library") != "library":
                self._require_text(rule, f"{place}, quality")
            elif rule.get("metric") == "invalidValues":
                allowed = self._allowed(column, rule, f"{place}, invalidValues")
            elif rule.get("metric") == "nullValues":
                most_null = self._most_null(rule, f"{place}, nullValues")
            else:
                self._refuse(f"{place}, quality: metric", rule.get("metric"), f"{', '.join(_METRICS)}")
        return ColumnRules(low=low, high=high, allowed=allowed, most_null=most_null)

    def _bounds(
        self, column: Column, options: Mapping[str, Any], place: str
    ) -> tuple[float | str | None, float | str | None]:
        for name in options:
            if name not in _BOUNDS:
                self._refuse(f"{place}: an option", name, ", ".join(_BOUNDS))
        low, high = (self._bound(column, options.get(name), f"{place}.{name}") for name in _BOUNDS)
        if low is not None and high is not None and _order(low) > _order(high):
            self._refuse(f"{place}.minimum", low, f"no more than maximum, {shown(high)}")
        return low, high

    def _bound(self, column: Column, value: object, place: str) -> float | str | None:
        if value is None:
            return None
        if column.type in _NUMBERS:
            if isinstance(value, bool) or not isinstance(value, int | float):
                self._refuse(place, value, f"a number, as the column is of type {column.type}")
            return value
        if column.type not in _TIMES:
            self._refuse(place, value, f"nothing: the column is of type {column.type}; numbers, dates and timestamps")
        if not isinstance(value, str) or not _is_time(value, column.type):
            self._refuse(place, value, f"a {column.type} as ISO text, such as '2024-01-31'")
        return value

    def _allowed(self, column: Column, rule: Document, place: str) -> tuple[str, ...]:
        if column.type not in ("string", "integer"):
            self._refuse(place, f"a list for type {column.type}", "columns of type string or integer")
        if rule.get("mustBe") != 0 or isinstance(rule.get("mustBe"), bool):
            self._refuse(f"{place}.mustBe", rule.get("mustBe"), "0")
        arguments = rule.get("arguments") or {}
        others = sorted(set(arguments) - {"validValues"})
        if others:
            self._refuse(f"{place}.arguments: an argument", others[0], "validValues")
        values = arguments.get("validValues")
        kind = str if column.type == "string" else int
        if not isinstance(values, list) or not values or not all(type(value) is kind for value in values):
            words = "texts" if kind is str else "whole numbers"
            self._refuse(f"{place}.arguments.validValues", values, f"a list of {words}, one or more")
        return tuple(map(str, values))

    def _most_null(self, rule: Document, place: str) -> float:
        if rule.get("mustBe") is not None:
            if rule["mustBe"] != 0 or isinstance(rule["mustBe"], bool):
                self._refuse(f"{place}.mustBe", rule["mustBe"], "0, or mustBeLessOrEqualTo with unit: percent")
            return 0.0
        percent = rule.get("mustBeLessOrEqualTo")
        if rule.get("unit") != "percent" or percent is None:
            self._refuse(f"{place}.unit", rule.get("unit"), "percent, with mustBeLessOrEqualTo; or mustBe: 0")
        if not 0 <= float(percent) <= 100:
            self._refuse(f"{place}.mustBeLessOrEqualTo", percent, "a percentage, 0 to 100")
        return round(float(percent) / 100, 12)  # 1.4 percent is 0.014

    def _freshness(self, agreed: Sequence[Document]) -> int | None:
        found = None
        for one in agreed:
            if one.get("property") != "latency":
                continue
            days, place = one.get("value"), "slaProperties, latency"
            if one.get("unit") not in ("d", "day", "days"):
                self._refuse(f"{place}: unit", one.get("unit"), "d")
            if isinstance(days, bool) or not isinstance(days, int) or days < 0:
                self._refuse(f"{place}: value", days, "whole days, 0 or more")
            found = days
        return found

    def _owner(self, team: object) -> str:
        if team is None:
            return ""
        if not isinstance(team, dict):
            self._refuse("team", "a list", "an object with name, as of the standard's version 3.1")
        return str(team.get("name") or "")

    def _relations(self, document: Document) -> Iterator[Relation]:
        table = document["schema"][0]
        for one in table.get("relationships") or []:
            yield self._relation(one, one.get("from"), "relationships of the table")
        for name, part in columns_of(document).items():
            for one in part.get("relationships") or []:
                yield self._relation(one, f"{self.source.name}.{name}", f"column '{name}', relationships")

    def _relation(self, one: Document, start: Any, place: str) -> Relation:
        ours = self._references(start, f"{place}: from")
        theirs = self._references(one.get("to"), f"{place}: to")
        if len(ours) != len(theirs):
            self._refuse(f"{place}: to", one.get("to"), f"as many columns as from has, {len(ours)}")
        tables = {table for table, _ in theirs}
        if len(tables) != 1:
            self._refuse(f"{place}: to", one.get("to"), "columns of one table")
        if {table for table, _ in ours} != {self.source.name}:
            self._refuse(f"{place}: from", start, f"columns of {self.source.name}")
        other = self.project.sources[tables.pop()]
        mine, its = tuple(column for _, column in ours), tuple(column for _, column in theirs)
        if set(its) != set(other.keys):
            self._refuse(f"{place}: to", one.get("to"), f"the key of {other.name}: {', '.join(other.keys)}")
        for here, there in zip(mine, its, strict=True):
            if self.source.column(here).type != other.column(there).type:
                kind = self.source.column(here).type
                self._refuse(f"{place}: to", one.get("to"), f"columns of the same types; '{here}' is of type {kind}")
        most = custom_of(one, _MOST_UNMATCHED) or 0
        if isinstance(most, bool) or not isinstance(most, int | float) or not 0 <= most <= 1:
            self._refuse(f"{place}: {_MOST_UNMATCHED}", most, "a share, 0 to 1")
        return Relation(columns=mine, table=other.name, its_columns=its, most_unmatched=float(most))

    def _references(self, written: Any, place: str) -> list[tuple[str, str]]:
        """The (table, column) of each reference, such as 'accounts.account_id'."""
        found = []
        for text in written if isinstance(written, list) else [written]:
            table, _, column = str(text or "").partition(".")
            if table not in self.project.sources:
                self._refuse(place, text, f"TABLE.COLUMN, of the tables {choices(self.project.sources)}")
            names = self.project.sources[table].column_names
            if column not in names:
                self._refuse(place, text, f"a column of {table}: {choices(names)}")
            found.append((table, column))
        return found

    def _require_text(self, rule: Document, place: str) -> None:
        if rule.get("type") != "text":
            self._refuse(f"{place}: a rule of type", rule.get("type", "library"), "text, which people read")

    def _refuse(self, place: str, got: object, allowed: str) -> NoReturn:
        value = got if isinstance(got, str) and got.startswith("a list") else shown(got)
        raise InvalidDefinition(
            f"{self.file}: {place} is {value}; allowed: {allowed}.",
            hint="Correct the file, then run 'tenure check'; docs/contract.md says what a contract may hold.",
        )


def _is_time(text: str, type_: str) -> bool:
    try:
        if type_ == "date":
            date.fromisoformat(text)
        else:
            return datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return False
    return True


def _order(bound: float | str) -> Any:
    return datetime.fromisoformat(bound) if isinstance(bound, str) else bound


@dataclass(frozen=True)
class Evidence:
    """What a drafted rule rests on, in words: by column and part ('range', 'allowed', 'null'), freshness, relations."""

    columns: Mapping[tuple[str, str], str]
    freshness: str = ""
    relations: Mapping[str, str] | None = None


def with_rules(document: Document, rules: TableRules, evidence: Evidence) -> Document:
    """Return a generated contract with rules in it, each beside its evidence."""
    found, table = dict(document), dict(document["schema"][0])
    table["properties"] = [
        _with_column_rules(part, rules.columns[name], evidence) if name in rules.columns else part
        for name, part in columns_of(document).items()
    ]
    if rules.relations:
        table["relationships"] = [_written(rules.table, one, evidence) for one in rules.relations]
    found["schema"] = [table]
    if rules.owner:
        found["team"] = {"name": rules.owner}
    if rules.fresh_within_days is not None:
        agreed = {"property": "latency", "value": rules.fresh_within_days, "unit": "d"}
        found["slaProperties"] = [agreed | _described(evidence.freshness)]
    return found


def _with_column_rules(part: Document, rules: ColumnRules, evidence: Evidence) -> Document:
    name, found = part["name"], dict(part)
    bounds = {"minimum": rules.low, "maximum": rules.high}
    options = {word: bound for word, bound in bounds.items() if bound is not None}
    if options:
        found["logicalTypeOptions"] = options
    seen = evidence.columns.get((name, "range"), "")
    if seen:
        found["customProperties"] = [*found.get("customProperties", []), {"property": EVIDENCE, "value": seen}]
    quality = []
    if rules.most_null is not None:
        limit = {"metric": "nullValues", "unit": "percent", "mustBeLessOrEqualTo": round(rules.most_null * 100, 4)}
        quality.append(_described(evidence.columns.get((name, "null"), "")) | limit)
    if rules.allowed:
        is_number = part.get("logicalType") == "integer"
        values = [int(value) if is_number else value for value in rules.allowed]
        listed = {"metric": "invalidValues", "arguments": {"validValues": values}, "mustBe": 0}
        quality.append(_described(evidence.columns.get((name, "allowed"), "")) | listed)
    if quality:
        found["quality"] = quality
    return found


def _written(table: str, one: Relation, evidence: Evidence) -> Document:
    ours = [f"{table}.{column}" for column in one.columns]
    theirs = [f"{one.table}.{column}" for column in one.its_columns]
    is_single = len(ours) == 1
    seen = (evidence.relations or {}).get(one.table, "")
    custom: list[Document] = [{"property": _MOST_UNMATCHED, "value": one.most_unmatched}]
    if seen:
        custom.append({"property": EVIDENCE, "value": seen})
    return {
        "type": "foreignKey",
        "from": ours[0] if is_single else ours,
        "to": theirs[0] if is_single else theirs,
        "customProperties": custom,
    }


def _described(words: str) -> Document:
    return {"description": words} if words else {}
