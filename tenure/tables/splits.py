"""Splits: temporal between train and test, by customer between train and validation.

─── train + validation ───┊ embargo ┊── test: the last labelled snapshots ──►
       label_end < first test snapshot: no label of training looks into the test
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tenure.define.project import Project
from tenure.errors import EmptySplit
from tenure.sql import Dialect, Select, date_literal, op, with_ctes
from tenure.tables.visible import same


@dataclass(frozen=True, kw_only=True)
class SplitPlan:
    """How labelled rows are parted: the last `test_snapshots` are the test, a share of customers validates.

    The validation customers are drawn by a hash of their key: no customer is in both train and validation.
    """

    test_snapshots: int = 3
    validation_share: float = 0.2


def splits(project: Project, dialect: Dialect, spans: Sequence[tuple[date, date, date]], plan: SplitPlan) -> Select:
    """Return one row per row of labels: split ('train', 'validation', 'embargo', 'test') and seen_in_train.

    `spans` are the labelled (snapshot_date, label_start, label_end). Raises EmptySplit if no label of an
    earlier snapshot ends before the first test snapshot.
    """
    first_test = _first_test(spans, plan)
    keys = project.entity.keys
    text_key = " || '|' || ".join(f"CAST({k} AS {_text_type(dialect)})" for k in keys)
    draw = op("sha256", dialect, text_key)
    share = f"'{round(plan.validation_share * 0x10000):04x}'"
    drawn = (
        f"SELECT {', '.join(keys)}, snapshot_date,\n    CASE\n"
        f"        WHEN snapshot_date >= {date_literal(first_test)} THEN 'test'\n"
        f"        WHEN label_end >= {date_literal(first_test)} THEN 'embargo'\n"
        f"        WHEN SUBSTR({draw}, 1, 4) < {share} THEN 'validation'\n"
        "        ELSE 'train'\n    END AS split\nFROM labels"
    )
    trained = f"SELECT DISTINCT {', '.join(keys)}\nFROM drawn\nWHERE split = 'train'"
    ctes = [
        ("drawn", "each labelled row with its split", drawn),
        ("trained", "customers that the model learns from", trained),
    ]
    columns = ", ".join(f"d.{c}" for c in (*keys, "snapshot_date", "split"))
    final = (
        f"SELECT {columns}, t.{keys[0]} IS NOT NULL AS seen_in_train\nFROM drawn AS d\n"
        f"LEFT JOIN trained AS t\n  ON {same(keys, 't', 'd')}\nORDER BY d.snapshot_date, "
        + ", ".join(f"d.{k}" for k in keys)
    )
    return Select("splits", with_ctes(ctes, final), ("labels",))


def split_proof(project: Project) -> Select:
    """Return one row that proves the splits: latest label end in training against the earliest test snapshot."""
    keys = project.entity.keys
    row = (*keys, "snapshot_date")
    joined = (
        f"SELECT {', '.join(f's.{c}' for c in row)}, s.split, l.label_end\n"
        f"FROM splits AS s\nJOIN labels AS l\n  ON {same(row, 'l', 's')}"
    )
    both = (
        f"SELECT {', '.join(keys)}\nFROM splits\nWHERE split IN ('train', 'validation')\n"
        f"GROUP BY {', '.join(keys)}\nHAVING MIN(split) <> MAX(split)"
    )
    learning = "CASE WHEN split IN ('train', 'validation') THEN {} END"
    final = (
        "SELECT\n    COUNT(CASE WHEN split = 'train' THEN 1 END) AS train_rows,\n"
        "    COUNT(CASE WHEN split = 'validation' THEN 1 END) AS validation_rows,\n"
        "    COUNT(CASE WHEN split = 'embargo' THEN 1 END) AS embargo_rows,\n"
        "    COUNT(CASE WHEN split = 'test' THEN 1 END) AS test_rows,\n"
        f"    MIN({learning.format('snapshot_date')}) AS first_train_snapshot,\n"
        f"    MAX({learning.format('snapshot_date')}) AS last_train_snapshot,\n"
        f"    MAX({learning.format('label_end')}) AS last_train_label_end,\n"
        "    MIN(CASE WHEN split = 'test' THEN snapshot_date END) AS first_test_snapshot,\n"
        "    (SELECT COUNT(*) FROM in_both) AS customers_in_train_and_validation,\n"
        f"    MAX({learning.format('label_end')}) < MIN(CASE WHEN split = 'test' THEN snapshot_date END)\n"
        "        AND (SELECT COUNT(*) FROM in_both) = 0 AS holds\nFROM labelled"
    )
    ctes = [
        ("labelled", "each split row with its label's end", joined),
        ("in_both", "customers in both train and validation: there must be none", both),
    ]
    return Select("split_proof", with_ctes(ctes, final), ("splits", "labels"))


def _first_test(spans: Sequence[tuple[date, date, date]], plan: SplitPlan) -> date:
    dates = [t for t, _, _ in spans]
    if len(dates) > plan.test_snapshots:
        first = dates[-plan.test_snapshots]
        if any(end < first for _, _, end in spans):
            return first
    raise EmptySplit(
        f"{len(dates)} labelled snapshots ({min(dates)} to {max(dates)}) leave none for training: the last "
        f"{plan.test_snapshots} are the test, and a label of training must end before they begin.",
        hint="Lower [splits] test_snapshots, begin [snapshots] first earlier, or shorten the horizon in churn.py.",
    )


def _text_type(dialect: Dialect) -> str:
    return "VARCHAR" if dialect == "duckdb" else "STRING"
