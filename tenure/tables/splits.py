"""Splits: temporal between train and test, and within train by customer into folds.

─── train: fold 0 │ 1 │ 2 │ 3 │ 4 ───┊ embargo ┊── test: the last labelled snapshots ──►
       label_end + wait < first test snapshot: no label of training looks into the test, or was answered later
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tenure.define.dialect import Dialect
from tenure.define.project import Project
from tenure.errors import EmptySplit
from tenure.sql.dialects import as_text, date_literal, op
from tenure.sql.expressions import (
    all_of_in_lines,
    at_least,
    before,
    call,
    case,
    cases_in_lines,
    concatenated,
    count_where,
    days_later,
    each_of,
    equal,
    is_not_null,
    of,
    text_literal,
)
from tenure.sql.query import Column, Cte, Join, Query, Select
from tenure.tables.label_spans import LabelSpan
from tenure.tables.visible import same


@dataclass(frozen=True, kw_only=True)
class SplitPlan:
    """How labelled rows are split: the last `test_snapshots` are the test, the customers before them are in `folds`.

    A customer's fold is drawn by a hash of `group`, columns of their key, by default the whole of it: all rows of a
    customer are in one fold.
    """

    test_snapshots: int = 3
    folds: int = 5
    group: tuple[str, ...] = ()


def splits(project: Project, dialect: Dialect, spans: Sequence[LabelSpan], plan: SplitPlan) -> Select:
    """Return one row per row of labels: split ('train', 'embargo', 'test'), fold and seen_in_train.

    The fold of a row of train is a number from 0; of another row it is null. `spans` are those of the labelled
    snapshots. Raises EmptySplit if no label of an earlier snapshot is answered before the first test snapshot.
    """
    first, keys = _first_test(spans, plan), project.entity.keys
    first_test, ends_by = date_literal(first), date_literal(first - (spans[0].answered - spans[0].end))
    together = plan.group or keys
    split = cases_in_lines(
        [(at_least("snapshot_date", first_test), "'test'"), (at_least("label_end", ends_by), "'embargo'")],
        otherwise="'train'",
    )
    drawn = Query(
        columns=[*keys, "snapshot_date"],
        lines=[Column(split, "split"), Column(_fold(together, dialect, plan.folds), "fold")],
        source="labels",
    )
    trained = Query(distinct=True, columns=together, source="drawn", where="split = 'train'")
    made = Query(
        ctes=[
            Cte("drawn", "each labelled row with its split, and its customer's fold", drawn),
            Cte("trained", "customers that models learn from", trained),
        ],
        columns=each_of("d", (*keys, "snapshot_date", "split")),
        lines=[
            Column(case(when="d.split = 'train'", then="d.fold"), "fold"),
            Column(is_not_null(of("t", together[0])), "seen_in_train"),
        ],
        source="drawn",
        alias="d",
        joins=[Join("trained", alias="t", on=same(together, "t", "d"), kind="LEFT")],
        order_by=each_of("d", ("snapshot_date", *keys)),
    )
    return made.as_table("splits", reads=["labels"])


def _fold(together: Sequence[str], dialect: Dialect, folds: int) -> str:
    """The number of a customer's fold, drawn by a hash of its key: one as likely as another."""
    return fold_of(op("sha256", dialect, concatenated([as_text(key, dialect) for key in together], "|")), folds)


def fold_of(hashed: str, folds: int) -> str:
    """Return the number of a fold, drawn by the first four digits of a hash."""
    digits = call("SUBSTR", hashed, 1, 4)
    ends = [f"{0x10000 * end // folds:04x}" for end in range(1, folds)]
    draws = [(before(digits, text_literal(end)), str(fold)) for fold, end in enumerate(ends)]
    return cases_in_lines(draws, otherwise=str(folds - 1))


_IS_LEARNT_FROM = "split = 'train'"


def split_proof(project: Project, wait: int = 0, group: tuple[str, ...] = ()) -> Select:
    """Return one row that proves the splits: latest label end in training against the earliest test snapshot.

    A label is answered `wait` days after its end. Customers are told apart by `group`, by default by their whole key.
    """
    keys, together = project.entity.keys, group or project.entity.keys
    row = (*keys, "snapshot_date")
    labelled = Query(
        columns=[*each_of("s", row), "s.split", "s.fold", "l.label_end"],
        source="splits",
        alias="s",
        joins=[Join("labels", alias="l", on=same(row, "l", "s"))],
    )
    in_two = Query(
        columns=together,
        source="splits",
        where=_IS_LEARNT_FROM,
        group_by=together,
        having="MIN(fold) <> MAX(fold)",
    )
    snapshot_learnt, label_end_learnt = (
        case(when=_IS_LEARNT_FROM, then=then) for then in ("snapshot_date", "label_end")
    )
    last_label_end = call("MAX", label_end_learnt)
    last_answer = days_later(last_label_end, wait) if wait else last_label_end
    first_test_snapshot = call("MIN", case(when="split = 'test'", then="snapshot_date"))
    how_many_in_two = "(SELECT COUNT(*) FROM in_two_folds)"
    proof = Query(
        ctes=[
            Cte("labelled", "each split row with its label's end", labelled),
            Cte("in_two_folds", "customers whose rows are in two folds: there must be none", in_two),
        ],
        lines=[
            *map(_rows_of, ("train", "embargo", "test")),
            Column(call("COUNT", "DISTINCT fold"), "folds"),
            Column(call("MIN", snapshot_learnt), "first_train_snapshot"),
            Column(call("MAX", snapshot_learnt), "last_train_snapshot"),
            Column(last_label_end, "last_train_label_end"),
            Column(first_test_snapshot, "first_test_snapshot"),
            Column(how_many_in_two, "customers_in_two_folds"),
            Column(
                all_of_in_lines(before(last_answer, first_test_snapshot), equal(how_many_in_two, 0)),
                "holds",
            ),
        ],
        source="labelled",
    )
    return proof.as_table("split_proof", reads=["splits", "labels"])


def _rows_of(split: str) -> Column:
    return Column(count_where(equal("split", text_literal(split))), f"{split}_rows")


def _first_test(spans: Sequence[LabelSpan], plan: SplitPlan) -> date:
    dates = [span.snapshot_date for span in spans]
    if len(dates) > plan.test_snapshots:
        first = dates[-plan.test_snapshots]
        if any(span.answered < first for span in spans):
            return first
    raise EmptySplit(
        f"{len(dates)} labelled snapshots ({min(dates)} to {max(dates)}) leave none for training: the last "
        f"{plan.test_snapshots} are the test, and a label of training must end before they begin.",
        hint="Lower [splits] test_snapshots, begin [snapshots] first earlier, or shorten the horizon in churn.py.",
    )
