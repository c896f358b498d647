"""Project: the bank's own files, loaded, validated together and fingerprinted."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from tenure.define.aggregates import KINDS
from tenure.define.check import Check
from tenure.define.churn import ChurnDefinition
from tenure.define.event_base import Asked
from tenure.define.feature import (
    Aggregate,
    Attribute,
    Description,
    FeatureService,
    FeatureView,
    Ratio,
    Trend,
)
from tenure.define.naming import check_name, definition_place, invalid, with_place
from tenure.define.reconciliation import Reconciliation
from tenure.define.shape import NAME, check_shape, either, list_of, named
from tenure.define.source import Column, Source, refused_protected
from tenure.define.table_rules import TableRules
from tenure.define.window import ColumnName, Window
from tenure.errors import InvalidDefinition, UnknownColumn, UnknownSource, choices

T = TypeVar("T")

#: The columns of the attrition list that say why.
REASONS = ("reason_1", "reason_2", "reason_3", "reason_4")


@dataclass(frozen=True)
class Entity:
    """Whom the features and labels are about: its key columns and the source with one row a customer.

    The source's event time is when the customer opened, its `ends` column (if any) when the customer closed.
    `aliases` are columns of any source that hold the key by another name, such as a guarantor's: nothing is computed of
    them, but a customer who is forgotten is forgotten there too. Of a key of several columns each is a list of as many.
    """

    name: str
    key: str | Sequence[str] = field(kw_only=True)
    source: str = field(kw_only=True)
    #: No table rests on them, so that no digest does.
    aliases: Sequence[str | Sequence[str]] = field(default=(), kw_only=True, repr=False)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "where_defined", definition_place())
        key = either("a column's name, or a list of them", NAME, list_of(NAME, least=1))
        check_shape(named("entity", self.name), self, key=key, source=NAME, aliases=list_of(key))
        object.__setattr__(self, "key", _columns(self.key))
        object.__setattr__(self, "aliases", tuple(map(_columns, self.aliases)))
        check_name("entity", self.name, where=self.where_defined)
        for alias in self.other_keys:
            if len(alias) != len(self.keys):
                allowed = f"; allowed: as many columns as its key has, {len(self.keys)}"
                raise invalid("entity", self, f"has the alias {', '.join(alias)}", allowed)

    @property
    def keys(self) -> tuple[str, ...]:
        """The key's columns."""
        return tuple(self.key)

    @property
    def other_keys(self) -> tuple[tuple[str, ...], ...]:
        """The columns of each alias."""
        return tuple(map(_columns, self.aliases))


def _columns(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


@dataclass(frozen=True)
class NoDates:
    """That a project's one table has no dates: its name, the columns by which rows are held out and parted into folds,
    the share held out, what counts as leaving, and where it is declared.
    """

    name: str
    together: tuple[str, ...]
    held_out: float
    words: str
    where_defined: str

    @property
    def basis(self) -> str:
        """What every figure says of itself."""
        return f"held out by {', '.join(self.together)}, not out of time"


@dataclass(frozen=True)
class Project:
    """Everything the bank has defined; what the tables are compiled from."""

    name: str
    entity: Entity
    sources: dict[str, Source]
    views: dict[str, FeatureView]
    churn: ChurnDefinition
    services: dict[str, FeatureService] = field(default_factory=dict)
    #: The churn definitions beside the main one; no model knows of them.
    other_churns: dict[str, ChurnDefinition] = field(default_factory=dict, repr=False)
    #: How bookings are held against balances; no model knows of them.
    reconciliations: dict[str, Reconciliation] = field(default_factory=dict, repr=False)
    #: What the bank's contracts add to sources, by staged table; no model knows of them.
    rules: dict[str, TableRules] = field(default_factory=dict, repr=False)
    #: The bank's own checks of staged rows, by name.
    checks: dict[str, Check] = field(default_factory=dict, repr=False)

    #: Whether a list of customers who objected leaves them out of what is trained on and scored.
    suppresses: bool = field(default=False, repr=False)
    #: Set where a FlatTable is all that the project declares.
    flat: NoDates | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        bound = {name: one.with_reconciliations(self.reconciliations) for name, one in self.other_churns.items()}
        object.__setattr__(self, "other_churns", bound)
        object.__setattr__(self, "churn", self.churn.with_reconciliations(self.reconciliations))

    @property
    def fingerprint(self) -> str:
        """A hash of the definitions: equal definitions, equal hash."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    @property
    def columns(self) -> dict[ColumnName, Description]:
        """Every feature column with its description, in the order of the views; history shares come last."""
        found: dict[ColumnName, Description] = {}
        for view in self.views.values():
            found.update(view.columns)
        for window in self.windows:
            found[ColumnName("history", "share", window)] = Description(
                f"Share of the {window.words} before in which the customer was with the bank",
                boundary=f"[t − {window}, t)",
                empty="never null",
            )
        return found

    @property
    def windows(self) -> tuple[Window, ...]:
        """Every window that an aggregate is computed over, shortest first."""
        found: set[Window] = set()
        for view in self.views.values():
            for aggregate in view.aggregates:
                found.update(aggregate.windows)
        return tuple(sorted(found))

    @property
    def named_columns(self) -> dict[str, ColumnName]:
        """Every feature column's name as text → taken apart, in the order of `columns`."""
        names = list(self.columns)
        return dict(zip(map(str, names), names, strict=True))

    @property
    def described_columns(self) -> dict[str, Description]:
        """Every feature column's name as text → its description, in the order of `columns`."""
        columns = self.columns
        return dict(zip(map(str, columns), columns.values(), strict=True))

    @property
    def viewed(self) -> tuple[str, ...]:
        """The sources that features read, each once: those of the views in their order, then those that accounts are
        reconciled by.
        """
        held = chain.from_iterable(ledger.reads for ledger in self.reconciling)
        return tuple(dict.fromkeys([*(view.source for view in self.views.values()), *held]))

    @property
    def reconciling(self) -> tuple[Reconciliation, ...]:
        """The reconciliations whose breaks make features unknown, each once."""
        features = chain.from_iterable(view.aggregates for view in self.views.values())
        names = dict.fromkeys(feature.reconciled for feature in features if feature.reconciled)
        return tuple(self.reconciliations[name] for name in names)

    def aggregates_of(self, source: str) -> list[Aggregate]:
        """Return the aggregates over a source in all views."""
        found: list[Aggregate] = []
        for view in self.views.values():
            if view.source == source:
                found += view.aggregates
        return found

    def chosen(self, features: Sequence[str]) -> tuple[ColumnName, ...]:
        """Return the columns of views, services and columns so named, each once, in the project's order.

        Raises UnknownColumn for a name that is none of them.
        """
        columns = self.named_columns
        wanted: set[ColumnName] = set()
        for text in features:
            if text in self.services:
                wanted.update(self.chosen(self.services[text].features))
            elif text in self.views:
                wanted.update(self.views[text].columns)
            elif text in columns:
                wanted.add(columns[text])
            else:
                raise self._unknown_feature(text, columns)
        return tuple(name for name in columns.values() if name in wanted)

    def _unknown_feature(self, text: str, columns: Iterable[str]) -> UnknownColumn:
        near = difflib.get_close_matches(text, [*columns, *self.views, *self.services], 3)
        nearest = f"near: {', '.join(near)}" if near else f"views: {choices(self.views)}"
        return UnknownColumn(
            f"'{text}' is no feature column, feature view or feature service of project '{self.name}'; {nearest}.",
            hint="See them with 'tenure features list'.",
        )

    @property
    def bounds(self) -> tuple[str, ...]:
        """The sources that tell where the data end: those that the churn definition says; else captured ones, of which
        each extract tells all closings before it.
        """
        captured = (source.name for source in self.sources.values() if source.is_captured and source.ends)
        return self.churn.bounds or tuple(captured)

    @property
    def churns(self) -> tuple[ChurnDefinition, ...]:
        """The main churn definition, and those beside it."""
        return (self.churn, *self.other_churns.values())

    @property
    def further_churns(self) -> tuple[ChurnDefinition, ...]:
        """The main churn definition at each of its further horizons."""
        return tuple(self.churn.further.values())

    @property
    def raw_paths(self) -> frozenset[str]:
        """The paths of all files that sources read."""
        raws = (raw for source in self.sources.values() for raw in source.raws.values())
        return frozenset(path for raw in raws if (path := getattr(raw, "path", "")))

    @property
    def reconciled(self) -> dict[str, str]:
        """The relations of all results of reconciliations → where they are stored."""
        found: dict[str, str] = {}
        for reconciliation in self.reconciliations.values():
            found.update(reconciliation.tables)
        return found

    @property
    def made_by_name(self) -> dict[str, str]:
        """The relations of which there is one for each definition that is declared → where they are stored."""
        further = [f"labels_of/{churn.name}" for churn in self.further_churns]
        return {**self.reconciled, **dict(zip(further, further, strict=True))}

    @property
    def account_columns(self) -> tuple[tuple[str, ...], ...]:
        """The columns by which reconciliations tell accounts apart, where they don't tell the customer."""
        found = dict.fromkeys(one.accounts for one in self.reconciliations.values())
        return tuple(names for names in found if not set(self.entity.keys) <= set(names))

    def churn_named(self, name: str) -> ChurnDefinition:
        """Return the churn definition so named, the main one or another; InvalidDefinition if there is none."""
        named = {self.churn.name: self.churn, **self.other_churns}
        if name not in named:
            raise InvalidDefinition(
                f"churn.py defines no ChurnDefinition named '{name}'; it defines: {choices(named)}."
            )
        return named[name]

    def reconciliation(self, name: str, *, asked_by: str) -> Reconciliation:
        """Return the reconciliation so named; raise InvalidDefinition, naming who asked, if none is declared."""
        if name not in self.reconciliations:
            declared = choices(self.reconciliations) if self.reconciliations else "none"
            raise InvalidDefinition(
                f"{asked_by} counts only accounts that reconciliation '{name}' finds no break of; "
                f"declared: {declared}.",
                hint=f"Declare it in sources.py: Reconciliation('{name}', bookings=…, account=…, amount=…, balance=…).",
            )
        return self.reconciliations[name]

    def source(self, name: str, *, asked_by: str) -> Source:
        """Return the source so named; raise UnknownSource, naming who asked, if there is none."""
        if name not in self.sources:
            raise UnknownSource(
                f"{asked_by} reads source '{name}'; sources: {choices(self.sources)}.",
                hint="Run 'tenure check'.",
            )
        return self.sources[name]


def validate(project: Project) -> None:
    """Raise UnknownSource, UnknownColumn or InvalidDefinition where the definitions don't fit each other."""
    customers = project.source(project.entity.source, asked_by=f"entity '{project.entity.name}'")
    for key in project.entity.keys:
        customers.column(key)
    if set(customers.keys) != set(project.entity.keys):
        raise InvalidDefinition(
            f"entity '{project.entity.name}' has key {project.entity.keys}, its source '{customers.name}' has key "
            f"{customers.keys} ({project.entity.where_defined}); they must be the same."
        )
    for alias in project.entity.other_keys:
        if not any(set(alias) <= set(source.column_names) for source in project.sources.values()):
            raise invalid("entity", project.entity, f"has the alias {', '.join(alias)}, which no source has")
    for churn in (*project.churns, *project.further_churns):
        _validate_churn(project, churn)
    _validate_names_of_horizons(project)
    for view in project.views.values():
        _validate_view(project, view)
    for reconciliation in project.reconciliations.values():
        _validate_reconciliation(project, reconciliation)
    for check in project.checks.values():
        project.source(check.source, asked_by=with_place("check", check))
    _validate_column_names(project)
    _validate_published(project)
    _validate_services(project)


def _validate_published(project: Project) -> None:
    """A published column is of the customer's own row, and the only one of its name on the list."""
    seen: dict[str, str] = dict.fromkeys((*project.entity.keys, *REASONS), "the list's own")
    for source in project.sources.values():
        for column in source.columns:
            if not column.publish:
                continue
            if set(source.keys) != set(project.entity.keys):
                says = f"publishes '{column.name}', and has many rows a {project.entity.name}"
                raise invalid("source", source, says, hint="Publish a column of the customer's own row.")
            if column.name in seen:
                says = f"publishes '{column.name}', a name that is on the list already: {seen[column.name]}"
                raise invalid("source", source, says, hint="Rename the column; raw= maps the raw one.")
            seen[column.name] = f"of source '{source.name}'"


def _validate_services(project: Project) -> None:
    for service in project.services.values():
        if service.name in project.views:
            raise invalid("feature service", service, "has the name of a feature view")
        for text in service.features:
            if text in project.services:
                allowed = "; allowed: views and columns"
                raise invalid("feature service", service, f"names the service '{text}'", allowed)
        try:
            project.chosen(service.features)
        except UnknownColumn as error:
            raise UnknownColumn(
                f"feature service '{service.name}' ({service.where_defined}): {error.message}", hint=error.hint
            ) from error


def _validate_reconciliation(project: Project, reconciliation: Reconciliation) -> None:
    reconciliation.validate(lambda name, asked_by: project.source(name, asked_by=asked_by))
    for relation in reconciliation.tables:
        if relation in project.sources:
            says = f"makes the relation '{relation}', which is the name of a source"
            raise invalid("reconciliation", reconciliation, says, hint="Rename one of the two.")


def _validate_churn(project: Project, churn: ChurnDefinition) -> None:
    asked_by = with_place("churn definition", churn)
    churn.validate(
        Asked(
            by=asked_by,
            horizon=churn.horizon,
            customers=project.sources[project.entity.source],
            source=lambda name: _keyed_source(project, name, asked_by),
            reconciliation=lambda name: project.reconciliation(name, asked_by=asked_by),
        )
    )


def _validate_names_of_horizons(project: Project) -> None:
    """The labels of a further horizon lie beside those of the other definitions, under a name of their own."""
    taken = {churn.name for churn in project.churns}
    for churn in project.further_churns:
        if churn.name in taken:
            says = f"has the name of the labels over {churn.horizon} days"
            other = project.churn_named(churn.name)
            raise invalid("churn definition", other, says, hint="Rename one of the two.")


def _validate_view(project: Project, view: FeatureView) -> None:
    asked_by = with_place("feature view", view)
    source = _keyed_source(project, view.source, asked_by)
    for feature in view.features:
        if isinstance(feature, Attribute | Aggregate):
            _validate_reading(feature, source)
        if isinstance(feature, Aggregate) and feature.reconciled:
            by = with_place("feature", feature)
            project.reconciliation(feature.reconciled, asked_by=by).require_reads(source.name, asked_by=by)
        if isinstance(feature, Attribute) and set(source.keys) != set(project.entity.keys):
            says = f"reads source '{source.name}', which has many rows a customer"
            raise invalid("attribute", feature, says, "; use an Aggregate")


def _validate_reading(feature: Attribute | Aggregate, source: Source) -> None:
    if isinstance(feature, Aggregate) and feature.by:
        _validate_by(feature, source)
    if not feature.of:
        return
    column = _read_column(feature, source, feature.of)
    if source.ends and column.raw_name == source.column(source.ends).raw_name:
        copied = "" if feature.of == source.ends else f"a copy of '{source.ends}', "
        says = f"reads '{feature.of}', {copied}the end time of source '{source.name}'"
        raise invalid("feature", feature, says, ": it is written after the fact and would leak the label")
    if column.role == "protected":
        raise refused_protected(f"{with_place('feature', feature)} reads '{feature.of}'")
    if column.role == "metadata":
        hint = "Give the column another role in sources.py if what it holds says something of the customer."
        raise invalid("feature", feature, f"reads '{feature.of}', which is metadata", hint=hint)
    if column.role == "pii" and not (isinstance(feature, Attribute) and feature.how == "years_since"):
        allowed = "; allowed of PII is only how='years_since' of a birth date"
        raise invalid("feature", feature, f"reads '{feature.of}', which is PII", allowed)
    _validate_type(feature, column.type)


def _read_column(feature: Attribute | Aggregate, source: Source, name: str) -> Column:
    try:
        return source.column(name)
    except UnknownColumn as error:
        raise UnknownColumn(
            f"feature '{feature.name}' reads '{name}' of source '{source.name}'; columns: "
            f"{choices(source.column_names)} ({feature.where_defined}).",
            hint="Run 'tenure check'.",
        ) from error


def _validate_by(feature: Aggregate, source: Source) -> None:
    column = _read_column(feature, source, feature.by)
    if column.role == "protected":
        raise refused_protected(f"{with_place('feature', feature)} is made by '{feature.by}'")
    if column.type != "string" or column.role in ("pii", "metadata"):
        says = f"is made by '{feature.by}', a {column.type} of role {column.role}"
        raise invalid("feature", feature, says, "; allowed: a string that is neither PII nor metadata")


def _validate_type(feature: Attribute | Aggregate, kind: str) -> None:
    if isinstance(feature, Attribute):
        times = {"date", "timestamp"}
        values = {"string", "integer", "decimal", "float", "boolean"}
        accepted: list[AbstractSet[str]] = [{"value": values, "is_known": values | times}.get(feature.how, times)]
    else:
        accepted = [KINDS[how].reads for how in feature.hows]
    for wanted in accepted:
        if kind not in wanted:
            allowed = f"; allowed: {', '.join(sorted(wanted))}"
            raise invalid("feature", feature, f"can't read '{feature.of}', a {kind}", allowed)


def _validate_column_names(project: Project) -> None:
    seen: dict[ColumnName, str] = {}
    aggregated: list[ColumnName] = []
    entity_columns = {*project.entity.keys, "opened_on", "tenure_days"}
    for view in project.views.values():
        for feature in view.features:
            for column in feature.columns:
                if column in seen or str(column) in entity_columns:
                    raise InvalidDefinition(
                        f"column '{column}' is defined twice: {seen.get(column, 'by Tenure itself')} and "
                        f"{feature.where_defined}.",
                        hint="Rename one of the features.",
                    )
                seen[column] = feature.where_defined
            if isinstance(feature, Aggregate):
                aggregated += feature.columns
    for view in project.views.values():
        for comparison, _, parts in view.comparisons:
            _validate_parts(comparison, parts, aggregated)


def _validate_parts(feature: Ratio | Trend, parts: Iterable[ColumnName], known: Sequence[ColumnName]) -> None:
    for part in parts:
        if part not in known:
            near = [str(column) for column in known if column.subject == part.subject]
            raise UnknownColumn(
                f"feature '{feature.name}' reads '{part}', which no Aggregate makes ({feature.where_defined}); "
                f"near: {choices(near) or 'none'}.",
                hint="Add the window or the aggregate to its definition, then run 'tenure check'.",
            )


def _keyed_source(project: Project, name: str, asked_by: str) -> Source:
    source = project.source(name, asked_by=asked_by)
    for key in project.entity.keys:
        if key not in source.column_names:
            raise UnknownColumn(
                f"{asked_by} reads source '{name}', which has no column '{key}' to tell the {project.entity.name}; "
                f"columns: {choices(source.column_names)}.",
                hint="Join the key in with the source's select=.",
            )
    return source
