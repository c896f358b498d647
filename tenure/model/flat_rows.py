"""Flat rows: a table without dates as the training set that the services read, its rows parted into folds.

row  features   churned  group          split   fold
 0   …          1.0      0        ──►   train   3       a row's fold is drawn by a hash: of its group, else of its place
 1   …          0.0      1              train   0       rows of one group are in one fold
 2   …          0.0      0              train   3
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tenure.errors import EmptySplit, ModelError, OneClassTarget, choices
from tenure.model.select import RESERVED

GROUP = "tenure_group"
"""The column that tells which rows belong together; the key of a flat training set."""


def flat_rows(features: pd.DataFrame, churned: NDArray[np.float64], groups: object, folds: int) -> pd.DataFrame:
    """Return the features with GROUP, split ('train' throughout), fold and churned, rows in their order.

    `groups` has a value a row, or is None: then each row is one of its own. Raises ModelError for groups that do not
    fit.
    """
    names = _named(groups, len(features))
    fold = {name: _drawn(name, folds) for name in dict.fromkeys(names)}
    return features.reset_index(drop=True).assign(
        **{GROUP: pd.factorize(np.array(names, dtype=object))[0]},
        split="train",
        fold=[fold[name] for name in names],
        churned=churned,
    )


def require_flat_features(frame: object) -> pd.DataFrame:
    """Return the frame; raise ModelError if it is none, or the name of one of its columns names no single column."""
    if not isinstance(frame, pd.DataFrame):
        raise ModelError(
            f"X is {_a(frame)}; allowed: a pandas.DataFrame, whose column names the model remembers.",
            hint="Name the columns: pd.DataFrame(X, columns=[…]).",
        )
    strange = [name for name in frame.columns if not isinstance(name, str)]
    if strange:
        raise ModelError(
            f"X has a column named {strange[0]!r}, {_a(strange[0])}; allowed: names that are texts.",
            hint="Name the columns: frame.columns = frame.columns.astype(str).",
        )
    twice = [name for name, times in Counter(frame.columns).items() if times > 1]
    if twice:
        raise ModelError(f"X has two columns named '{twice[0]}'.", hint="Rename or drop one of them.")
    taken = [name for name in frame.columns if name in (*RESERVED, GROUP)]
    if taken:
        raise ModelError(
            f"X has a column '{taken[0]}', a name that training sets use for themselves: "
            f"{choices((*RESERVED, GROUP))}.",
            hint=f"Drop it if it tells the outcome; else rename it: frame.rename(columns={{'{taken[0]}': …}}).",
        )
    return frame


def require_flat_target(target: object, rows: int) -> tuple[NDArray[Any], pd.Series]:
    """Return the two classes of a target, sorted, and its values; raise if it is no such target for so many rows.

    ModelError if it is of another length, has nulls, or more than two classes; OneClassTarget for one class.
    """
    values = pd.Series(_flattened(target, rows, "y"))
    if int(values.isna().sum()):
        raise ModelError(
            f"y is null in {int(values.isna().sum()):,} of {rows:,} rows.",
            hint="Leave these rows out: known = y.notna(); fit(X[known], y[known]).",
        )
    found = values.unique().tolist()
    if len(found) > 2:
        raise ModelError(
            f"y has {len(found)} values, such as {choices(map(repr, found[:3]))}; allowed: two, who left and who "
            "stayed.",
            hint="Make it two: y == 'the value of those who left'.",
        )
    if len(found) < 2:
        said = f"y is {found[0]!r} in each of {rows:,} rows" if found else "y has no rows"
        raise OneClassTarget(f"{said}: there is nothing to tell apart.", hint="Give rows of both classes.")
    try:
        ordered = sorted(found)
    except TypeError as error:
        raise ModelError(
            f"y mixes values of different types: {choices(map(repr, found))}.",
            hint="Make them one type: y.astype(str).",
        ) from error
    return np.array(ordered), values


def require_learnable(rows: pd.DataFrame, least: int) -> None:
    """Raise OneClassTarget or EmptySplit unless what is outside of each fold of flat rows can be learned from."""
    churners, total = int(rows["churned"].sum()), len(rows)
    if churners < least:
        raise OneClassTarget(
            f"{churners:,} of {total:,} rows are of churners; at least {least} are needed to learn from.",
            hint="Bring more rows; min_churners= lowers the limit, at the price of a model that is luck.",
        )
    numbers = sorted(rows["fold"].unique())
    if len(numbers) < 2:
        raise EmptySplit(
            f"all {total:,} rows fell into one fold: their groups are {rows[GROUP].nunique():,}.",
            hint="Give groups= that tell more rows apart, or leave it out where each row is a customer of its own.",
        )
    for number in numbers:
        outside = rows.loc[rows["fold"] != number, "churned"]
        if outside.nunique() < 2:
            raise OneClassTarget(
                f"outside of fold {number} {'everybody' if outside.max() else 'nobody'} churns: its model has nothing "
                "to learn from.",
                hint="Give groups= that tell more rows apart, or more folds=.",
            )


def _named(groups: object, rows: int) -> list[str]:
    """The name of each row's group, by which its fold is drawn."""
    if groups is None:
        return [str(place) for place in range(rows)]
    values = pd.Series(_flattened(groups, rows, "groups"))
    if int(values.isna().sum()):
        raise ModelError(
            f"groups is null in {int(values.isna().sum()):,} of {rows:,} rows.",
            hint="Name the group of each row; one that is alone is a group of its own.",
        )
    return [str(value) for value in values]


def _drawn(name: str, folds: int) -> int:
    return int(sha256(name.encode()).hexdigest(), 16) % folds


def _flattened(values: object, rows: int, argument: str) -> NDArray[Any]:
    """The values of an argument, one a row."""
    if isinstance(values, Iterable) and not isinstance(values, str | bytes | pd.DataFrame | pd.Series | np.ndarray):
        values = list(values)
    found = np.asarray(values)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.ndim != 1 or len(found) != rows:
        raise ModelError(
            f"{argument} has the shape {found.shape}, and X has {rows:,} rows; allowed: one value a row.",
            hint=f"Take both from one frame, such as X = frame.drop(columns=[…]), {argument} = frame['…'].",
        )
    return found


def _a(value: object) -> str:
    return f"a {type(value).__name__}"
