"""Which columns of a training set a model reads, and how they become numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tenure.errors import InvalidConfig, MissingFeature, ModelError, choices

RESERVED = ("snapshot_date", "label_start", "label_end", "split", "fold", "seen_in_train", "churned")
"""Columns of a training set that are never features; the keys come on top."""

MOST_CATEGORIES = 200
"""Text with more distinct values than this on train names things rather than sorts them, so it is dropped."""

EXCLUDED = "excluded by [train] exclude"
"""The reason of a feature that tenure.toml leaves out."""

LARGEST = 1e100
"""The largest absolute value that is a number; what lies beyond counts as missing, as infinity does.

No bank has such a quantity: it is how some systems write 'missing' or an overflow. Within it squares, cubes and their
sums over all rows stay finite, so that one customer's value ends no run.
"""

Type = Literal["numeric", "text", "empty", "other"]

_TYPES: Mapping[str, Type] = {
    "boolean": "numeric",
    "decimal": "numeric",
    "floating": "numeric",
    "integer": "numeric",
    "mixed-integer-float": "numeric",
    "string": "text",
    "empty": "empty",
}


@dataclass(frozen=True)
class Columns:
    """The features of one model, in the order of its matrix: `numeric`, then `categorical`.

    `categories` holds the values of each categorical feature that train showed, sorted; a value's code is its
    place there. `dropped` maps each feature left out to the reason.
    """

    keys: tuple[str, ...]
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    dropped: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def of(cls, frame: pd.DataFrame, keys: Sequence[str], exclude: Sequence[str] = ()) -> Columns:
        """Return the features of a training set but those that `exclude` names or that its patterns match.

        Only rows of split 'train' are looked at, of all folds, and never whether they churned.
        Raises InvalidConfig if a name or pattern of `exclude` matches no feature; ModelError if no feature is left,
        MissingFeature if a key or `split` is not there.
        """
        require_columns(frame, (*keys, "split"))
        excluded = matching(exclude, feature_names(frame, keys), place="[train] exclude")
        train = frame[frame["split"] == "train"]
        kept: dict[Type, list[str]] = {"numeric": [], "text": []}
        dropped: dict[str, str] = {}
        for name in feature_names(frame, keys):
            reason = EXCLUDED if name in excluded else _reason_to_drop(train[name])
            if reason:
                dropped[name] = reason
            else:
                kept[_type(train[name])].append(name)
        if not any(kept.values()):
            seen = "; ".join(f"{name}: {reason}" for name, reason in dropped.items()) or "there are none"
            raise ModelError(
                f"no feature is left to train on ({seen})",
                hint="features/*.py: define features that vary; run 'tenure features'",
            )
        categories = {name: tuple(sorted(_text(train[name]).dropna().unique())) for name in kept["text"]}
        return cls(tuple(keys), tuple(kept["numeric"]), tuple(kept["text"]), categories, dropped)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Columns:
        """Return the columns that `as_json` wrote."""
        return cls(
            keys=tuple(record["keys"]),
            numeric=tuple(record["numeric"]),
            categorical=tuple(record["categorical"]),
            categories={name: tuple(values) for name, values in record["categories"].items()},
            dropped=dict(record["dropped"]),
        )

    def as_json(self) -> dict[str, Any]:
        """Return a record of plain lists and dicts from which `from_json` gives the same columns back."""
        return {
            "keys": list(self.keys),
            "numeric": list(self.numeric),
            "categorical": list(self.categorical),
            "categories": {name: list(values) for name, values in self.categories.items()},
            "dropped": dict(self.dropped),
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The features in the order of the matrix's columns."""
        return self.numeric + self.categorical

    def without(self, dropped: Mapping[str, str]) -> Columns:
        """Return the columns but those that `dropped` names, each with its reason."""
        return Columns(
            self.keys,
            tuple(name for name in self.numeric if name not in dropped),
            tuple(name for name in self.categorical if name not in dropped),
            {name: values for name, values in self.categories.items() if name not in dropped},
            {**self.dropped, **dropped},
        )

    def places_in(self, whole: Columns) -> NDArray[np.int64] | None:
        """Return where each of these columns stands in a matrix of the `whole`; None if they are all, in its order."""
        if self.names == whole.names:
            return None
        place = {name: number for number, name in enumerate(whole.names)}
        return np.array([place[name] for name in self.names], dtype=np.int64)

    def matrix(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return the features as floats, shape (rows, features), rows in the frame's order.

        NaN is a missing value, a number beyond ±LARGEST and a category that train never showed; a
        category is its code. Raises MissingFeature if the frame lacks a feature, ModelError if one changed its type.
        """
        absent = [name for name in self.names if name not in frame.columns]
        if absent:
            raise MissingFeature(
                f"the model reads {choices(absent)}, which the frame lacks; "
                f"its columns: {choices(str(name) for name in frame.columns)}",
                hint="run 'tenure features', or 'tenure train' if the definitions changed since training",
            )
        matrix = np.empty((len(frame), len(self.names)), dtype=np.float64)
        for place, name in enumerate(self.names):
            expected: Type = "numeric" if place < len(self.numeric) else "text"
            _refuse_other_type(frame[name], expected)
            if expected == "numeric":
                matrix[:, place] = _numbers(frame[name])
            else:
                matrix[:, place] = _codes(frame[name], self.categories[name])
        return matrix


def feature_names(frame: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """Return the names of a training set's columns that are neither keys nor RESERVED, in its order."""
    return [name for name in frame.columns if name not in RESERVED and name not in keys]


def matching(
    patterns: Sequence[str],
    names: Sequence[str],
    *,
    place: str,
    hint: str = "Run 'tenure docs': its dictionary names all features.",
) -> frozenset[str]:
    """Return the names that some patterns match, such as 'branch_*'; upper and lower case differ.

    Raises InvalidConfig, naming its `place`, for a pattern that matches none.
    """
    found: set[str] = set()
    for pattern in patterns:
        some = [name for name in names if fnmatchcase(name, pattern)]
        if not some:
            near = get_close_matches(pattern, names)
            raise InvalidConfig(
                f"{place}: no feature is called or matches '{pattern}'; "
                + (f"the nearest: {choices(near)}." if near else f"there are {len(names)} features."),
                hint=hint,
            )
        found.update(some)
    return frozenset(found)


def require_columns(training_set: pd.DataFrame, names: Sequence[str]) -> None:
    """Raise MissingFeature unless the frame has the columns that tell a training set's rows apart."""
    absent = [name for name in names if name not in training_set.columns]
    if absent:
        raise MissingFeature(
            f"the training set lacks {choices(absent)}; its columns: {choices(map(str, training_set.columns))}",
            hint="run 'tenure training_set'; of a plain frame: AttritionClassifier (docs/flat.md)",
        )


def _reason_to_drop(column: pd.Series) -> str:
    """Return why a feature can't teach anything, judged on its train rows, or '' if it can."""
    kind = _type(column)
    if kind == "other":
        return f"neither a number nor text but {column.dtype}"
    present = _text(column).dropna() if kind == "text" else _finite(column)
    distinct = present.nunique()
    if distinct == 0:
        return "all null on train"
    if distinct == 1 and len(present) == len(column):
        return f"constant on train: {present.iloc[0]}"
    if kind == "text" and distinct > MOST_CATEGORIES:
        return f"text with {distinct} values on train, more than {MOST_CATEGORIES}"
    return ""


def _refuse_other_type(column: pd.Series, expected: Type) -> None:
    """Raise ModelError unless the column holds what the model was trained on; an empty one may pass."""
    got = _type(column)
    if got not in (expected, "empty"):
        raise ModelError(
            f"feature '{column.name}' is {got} here ({column.dtype}), but was {expected} in training",
            hint="run 'tenure train' after changing a feature's type",
        )


def _type(column: pd.Series) -> Type:
    # The values decide and not the dtype: a nullable boolean arrives from DuckDB as dtype object.
    plain = column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column
    if pd.api.types.is_numeric_dtype(plain.dtype):
        return "numeric"
    return _TYPES.get(pd.api.types.infer_dtype(plain, skipna=True), "other")


def _text(column: pd.Series) -> pd.Series:
    return column.astype(object)


def within_range(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values with NaN in place of what is no number: infinity, and what lies beyond ±LARGEST."""
    return np.where(np.abs(values) <= LARGEST, values, np.nan)


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    return within_range(pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan))


def _finite(column: pd.Series) -> pd.Series:
    return pd.Series(_numbers(column)).dropna()


def _codes(column: pd.Series, categories: Sequence[str]) -> NDArray[np.float64]:
    code = {value: place for place, value in enumerate(categories)}
    codes: NDArray[np.float64] = _text(column).map(code).to_numpy(dtype=np.float64, na_value=np.nan)
    return codes
