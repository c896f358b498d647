"""Flat splits: of a table without dates other customers are the test, and those of train are in folds.

SHA-256 of the group, else of the key:  a1b2 c3d4 …
                                        fold held out
"""

from __future__ import annotations

from tenure.define.dialect import Dialect
from tenure.define.project import NoDates, Project
from tenure.sql.dialects import as_text, op
from tenure.sql.expressions import at_least, call, case, concatenated, count_where, each_of, equal, of, text_literal
from tenure.sql.query import Column, Cte, Join, Query, Select
from tenure.tables.splits import fold_of
from tenure.tables.visible import same

_DIGITS = 0x10000


def flat_splits(project: Project, dialect: Dialect, flat: NoDates, folds: int) -> Select:
    """Return one row per row of labels: split ('train', 'test'), fold and seen_in_train.

    A row is of the test if the second four digits of its hash are below the share held out; the first four draw the
    fold of a row of train. All rows of a group are on one side and in one fold, so nobody of the test is seen in train.
    """
    keys = project.entity.keys
    hashed = op("sha256", dialect, concatenated([as_text(of("r", name), dialect) for name in flat.together], "|"))
    drawn = Query(
        columns=each_of("l", (*keys, "snapshot_date")),
        lines=[Column(hashed, "hashed")],
        source="labels",
        alias="l",
        joins=[Join(flat.name, alias="r", on=same(keys, "r", "l"))],
    )
    is_learnt = at_least(call("SUBSTR", "hashed", 5, 4), text_literal(f"{round(_DIGITS * flat.held_out):04x}"))
    made = Query(
        ctes=[Cte("drawn", "each labelled row with the hash of its group", drawn)],
        columns=[*keys, "snapshot_date"],
        lines=[
            Column(case(when=is_learnt, then="'train'", otherwise="'test'"), "split"),
            Column(case(when=is_learnt, then=fold_of("hashed", folds)), "fold"),
            Column(case(when=is_learnt, then="TRUE", otherwise="FALSE"), "seen_in_train"),
        ],
        source="drawn",
        order_by=["snapshot_date", *keys],
    )
    return made.as_table("splits", reads=["labels", flat.name])


def flat_split_proof(project: Project, flat: NoDates) -> Select:
    """Return one row that proves the splits: no group is in two folds, or on both sides.

    The snapshots that it names are the nominal day: nothing is proved of time.
    """
    keys = project.entity.keys
    split_rows = Query(
        columns=["s.snapshot_date", "s.split", "s.fold", "l.label_end", *each_of("r", flat.together)],
        source="splits",
        alias="s",
        joins=[
            Join("labels", alias="l", on=same((*keys, "snapshot_date"), "l", "s")),
            Join(flat.name, alias="r", on=same(keys, "r", "s")),
        ],
    )
    side = "COALESCE(fold, -1)"
    apart = Query(
        columns=flat.together, source="labelled", group_by=flat.together, having=f"MIN({side}) <> MAX({side})"
    )
    how_many = "(SELECT COUNT(*) FROM in_two_parts)"
    learnt = equal("split", text_literal("train"))
    proof = Query(
        ctes=[
            Cte("labelled", "each split row with its group", split_rows),
            Cte("in_two_parts", "groups in two folds, or on both sides: there must be none", apart),
        ],
        lines=[
            *(Column(count_where(equal("split", text_literal(s))), f"{s}_rows") for s in ("train", "embargo", "test")),
            Column(call("COUNT", "DISTINCT fold"), "folds"),
            Column(call("MIN", case(when=learnt, then="snapshot_date")), "first_train_snapshot"),
            Column(call("MAX", case(when=learnt, then="snapshot_date")), "last_train_snapshot"),
            Column(call("MAX", case(when=learnt, then="label_end")), "last_train_label_end"),
            Column(call("MIN", case(when="split = 'test'", then="snapshot_date")), "first_test_snapshot"),
            Column(how_many, "customers_in_two_folds"),
            Column(equal(how_many, 0), "holds"),
        ],
        source="labelled",
    )
    return proof.as_table("split_proof", reads=["splits", "labels", flat.name])
