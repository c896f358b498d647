"""Cross-fitting: a model that is several, each learned without one fold of the customers.

fold          0   1   2   3   4
member 0      ?   ■   ■   ■   ■      ■ teaches it   ? is judged by it
member 1      ■   ?   ■   ■   ■
  ⋮
of a row of train    the margin of the member that never saw its customer
of any other row     the mean of all members' margins
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tenure.errors import UnsafeModelFile, choices
from tenure.model.base import FitSettings, Model
from tenure.model.calibrate import Calibration
from tenure.model.learners.learner import Learner
from tenure.model.sample import Folds, columns_at
from tenure.model.select import Columns, require_columns


class CrossFitModel(Model):
    """The members that learned from all folds but one, and as one model the mean of their margins.

    After Chernozhukov et al. 2018, doi:10.1111/ectj.12097, who name it, and the cross-validation committees of
    Parmanto, Munro and Doyle 1996. What is judged is what is used: no member learns anew from all rows.
    """

    def __init__(self, members: Mapping[int, Model], columns: Columns) -> None:
        """Make one model of members that read some of the `columns` each."""
        super().__init__(columns, _shared([member.parameters for member in members.values()]))
        self.kind = next(iter(members.values())).kind
        self.members = dict(members)
        self.calibration: Calibration | None = None
        self._places = {number: member.columns.places_in(columns) for number, member in members.items()}

    @classmethod
    def of(cls, learner: Learner, folds: Folds, settings: FitSettings, like: Model | None = None) -> CrossFitModel:
        """Return a learner's model with a member a fold, its settings searched, or those of a model `like` it."""
        return cls(learner.cross_fit(folds, settings, like), folds.columns)

    def note(self, record: Mapping[str, Any]) -> None:
        """Record more of how the members were made, the same for all."""
        for model in (self, *self.members.values()):
            model.parameters.update(record)

    @property
    def threads(self) -> int:
        """How many threads the members compute with."""
        return next(iter(self.members.values())).threads

    @threads.setter
    def threads(self, threads: int) -> None:
        for member in self.members.values():
            member.threads = threads

    def margin(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean of the members' log-odds, shape (rows,)."""
        margins = [member.margin(self._read_by(number, matrix)) for number, member in self.members.items()]
        return np.asarray(np.mean(margins, axis=0), dtype=np.float64)

    def score(self, margin: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability of churn of each margin, calibrated where later snapshots showed that it pays."""
        return super().score(margin) if self.calibration is None else self.calibration.score(margin)

    def out_of_fold(self, matrix: NDArray[np.float64], fold: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the log-odds of each row by the member that did not learn from the row's fold, shape (rows,)."""
        found = np.empty(len(matrix))
        for number in np.unique(fold):
            rows = fold == number
            found[rows] = self.members[int(number)].margin(self._read_by(int(number), matrix[rows]))
        return found

    def predict_unseen(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return the probability of churn of each row of split 'train' by the member that never saw its customer."""
        if frame.empty:
            return np.empty(0)
        require_columns(frame, ("fold",))
        return self.score(self.out_of_fold(self.columns.matrix(frame), frame["fold"].to_numpy(dtype=np.int64)))

    def contributions(
        self, matrix: NDArray[np.float64], background: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the means of the members' values and bases: exact for their mean, since both are sums.

        A member adds nothing to a column that it does not read.
        """
        values, base = np.zeros(matrix.shape), np.zeros(len(matrix))
        for number, member in self.members.items():
            of_member, of_base = member.contributions(self._read_by(number, matrix), self._read_by(number, background))
            places = self._places[number]
            values[:, slice(None) if places is None else places] += of_member
            base += of_base
        return values / len(self.members), base / len(self.members)

    def card(self) -> bytes:
        """Return model.json: kind, columns, calibration, and the folds of members, whose files begin with theirs."""
        record = {"kind": self.kind, "folds": sorted(self.members), "columns": self.columns.as_json()}
        if self.calibration is not None:
            record["calibration"] = self.calibration.as_json()
        return json.dumps(record, indent=1).encode()

    def files(self) -> dict[str, bytes]:
        """Return model.json, and each member's files: '0-model.json', '0-model.txt' and so on."""
        found = {"model.json": self.card()}
        for number, member in self.members.items():
            found |= {f"{number}-{name}": content for name, content in member.files().items()}
        return found

    @classmethod
    def load(
        cls, card: Mapping[str, Any], files: Mapping[str, bytes], load: Callable[[Mapping[str, bytes]], Model]
    ) -> CrossFitModel:
        """Return the model that `files` wrote, each member by `load`; raise UnsafeModelFile if it is no such model."""
        folds = card["folds"]
        if not (isinstance(folds, list) and folds and all(type(number) is int for number in folds)):
            raise UnsafeModelFile("model.json names no folds of its members.", hint="Run 'tenure train'.")
        members = {number: load(dict(_of_member(files, number))) for number in folds}
        if {member.kind for member in members.values()} != {card["kind"]}:
            raise UnsafeModelFile("model.json has members of another kind than its own.", hint="Run 'tenure train'.")
        model = cls(members, _columns_of_card(card, members))
        if "calibration" in card:
            model.calibration = Calibration.from_json(card["calibration"])
        return model

    def _read_by(self, number: int, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """The columns of a matrix of `columns` that a member reads."""
        return columns_at(matrix, self._places[number])


def _columns_of_card(card: Mapping[str, Any], members: Mapping[int, Model]) -> Columns:
    """The columns that the members read some of each; a model of an older Tenure has but one set of them."""
    if "columns" not in card:
        return next(iter(members.values())).columns
    columns = Columns.from_json(card["columns"])
    unknown = {name for member in members.values() for name in member.columns.names} - set(columns.names)
    if unknown:
        raise UnsafeModelFile(
            f"model.json lacks columns that its members read: {choices(unknown)}.", hint="Run 'tenure train'."
        )
    return columns


def _of_member(files: Mapping[str, bytes], number: int) -> Iterator[tuple[str, bytes]]:
    for name, content in files.items():
        fold, dash, own = name.partition("-")
        if dash and fold == str(number):
            yield own, content


def _shared(parameters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the members record: one value where they agree, else one a member; of the search what the first one says."""
    found: dict[str, Any] = {}
    for name in parameters[0]:
        values = [one[name] for one in parameters if name in one]
        found[name] = values[0] if all(value == values[0] for value in values) else values
    return found
