"""Contract: what must hold of each table that Tenure writes, or it is not committed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tenure.define.personal import personal_cells, personal_columns
from tenure.define.project import Project


@dataclass(frozen=True)
class Invariant:
    """A condition that every row must meet, in portable SQL, and what it means."""

    name: str
    condition: str
    doc: str


@dataclass(frozen=True, kw_only=True)
class Contract:
    """A table's keys, partitions, columns that are never null, invariants, and whose rows it must have exactly.

    `personal` names the columns whose values no message may show.
    """

    table: str
    keys: tuple[str, ...]
    partition_by: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    invariants: tuple[Invariant, ...] = ()
    same_rows_as: str = ""
    personal: frozenset[str] = frozenset()
    doc: str = ""


_SPLIT_NAMES = "('train', 'validation', 'test', 'embargo')"


def contracts(project: Project) -> dict[str, Contract]:
    """Return the contract of every table that SQL makes, by table name, in the order they are built."""
    row = (*project.entity.keys, "snapshot_date")
    tables = [*(_staging_contract(project, name) for name in project.sources)]
    tables += [
        Contract(
            table="snapshots",
            keys=row,
            required=(*row, "opened_on", "tenure_days"),
            invariants=(
                Invariant("opened_before_snapshot", "opened_on < snapshot_date", "a customer opened before t"),
                Invariant("tenure_is_positive", "tenure_days >= 0", "tenure counts days before t"),
            ),
            doc="Who is a customer at each snapshot date.",
        ),
        Contract(
            table="labels",
            keys=row,
            required=(*row, "label_start", "label_end", "churned"),
            invariants=(
                Invariant("label_is_0_or_1", "churned IN (0, 1)", "a label is 0 or 1; unknown is no row"),
                Invariant("label_starts_at_or_after_snapshot", "label_start >= snapshot_date", "no label before t"),
                Invariant("label_ends_after_start", "label_end > label_start", "the horizon is at least a day"),
            ),
            doc="Did the customer churn in the horizon after the gap; no row where that has no answer.",
        ),
        Contract(
            table="splits",
            keys=row,
            required=(*row, "split", "seen_in_train"),
            invariants=(Invariant("split_is_known", f"split IN {_SPLIT_NAMES}", "one of the four splits"),),
            same_rows_as="labels",
            doc="Which part of training or testing each labelled row belongs to.",
        ),
        Contract(
            table="features",
            keys=row,
            partition_by=("snapshot_date",),
            required=row,
            same_rows_as="snapshots",
            doc="What was known about each customer before each snapshot.",
        ),
        Contract(
            table="training_set",
            keys=row,
            required=(*row, "label_end", "split", "seen_in_train", "churned"),
            same_rows_as="labels",
            doc="Features, label and split of every labelled row.",
        ),
    ]
    cells = personal_cells(project)
    return {
        contract.table: contract if contract.table in project.sources else replace(contract, personal=cells)
        for contract in tables
    }


def _staging_contract(project: Project, name: str) -> Contract:
    source = project.sources[name]
    wanted = (*source.keys, "event_time", "known_time", *(c.name for c in source.columns if c.required))
    return Contract(
        table=name,
        keys=(*source.keys, "known_time"),
        required=tuple(dict.fromkeys(wanted)),
        invariants=(
            Invariant(
                "versions_follow_each_other",
                "known_until IS NULL OR known_until > known_time",
                "a version is replaced after it was known",
            ),
        ),
        personal=personal_columns(source),
        doc=source.doc,
    )


@dataclass(frozen=True)
class CheckResult:
    """One check's outcome: rows that broke it, an example, and the SQL that found them."""

    table: str
    check: str
    failed_rows: int
    example: str = ""
    sql: str = field(default="", repr=False)

    @property
    def passed(self) -> bool:
        """Whether no row broke the check."""
        return self.failed_rows == 0
