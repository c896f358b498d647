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
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tenure.errors import UnsafeModelFile
from tenure.model.base import FitSettings, Model, Sample
from tenure.model.learners.learner import Learner
from tenure.model.select import Columns, require_columns


@dataclass(frozen=True)
class Folds:
    """The rows to learn from, and the fold of each, shape (rows,), numbered from 0."""

    rows: Sample
    fold: NDArray[np.int64]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The folds that have rows, in order."""
        return tuple(int(number) for number in np.unique(self.fold))

    def apart(self, number: int) -> tuple[Sample, Sample]:
        """Return the rows outside of a fold, and those in it."""
        return self.rows.only(self.fold != number), self.rows.only(self.fold == number)


class CrossFitModel(Model):
    """The members that learned from all folds but one, and as one model the mean of their margins.

    After Chernozhukov et al. 2018, doi:10.1111/ectj.12097, who name it, and the cross-validation committees of
    Parmanto, Munro and Doyle 1996. What is judged is what is used: no member learns anew from all rows.
    """

    def __init__(self, members: Mapping[int, Model]) -> None:
        first = next(iter(members.values()))
        super().__init__(first.columns, _shared([member.parameters for member in members.values()]))
        self.kind = first.kind
        self.members = dict(members)

    @classmethod
    def of(cls, learner: Learner, columns: Columns, folds: Folds, settings: FitSettings) -> CrossFitModel:
        """Return a learner's model with a member a fold; what the first search chose holds for the others too."""
        members: dict[int, Model] = {}
        for number in folds.numbers:
            others, judged = folds.apart(number)
            like = next(iter(members.values()), None)
            members[number] = learner.fit(columns, others, judged, settings, like=like)
        return cls(members)

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
        margins = [member.margin(matrix) for member in self.members.values()]
        return np.asarray(np.mean(margins, axis=0), dtype=np.float64)

    def out_of_fold(self, matrix: NDArray[np.float64], fold: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the log-odds of each row by the member that did not learn from the row's fold, shape (rows,)."""
        found = np.empty(len(matrix))
        for number in np.unique(fold):
            rows = fold == number
            found[rows] = self.members[int(number)].margin(matrix[rows])
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
        """Return the means of the members' values and bases: exact for their mean, since both are sums."""
        values, base = np.zeros(matrix.shape), np.zeros(len(matrix))
        for member in self.members.values():
            of_member, of_base = member.contributions(matrix, background)
            values += of_member
            base += of_base
        return values / len(self.members), base / len(self.members)

    def card(self) -> bytes:
        """Return model.json: the kind, and the folds of the members, whose files begin with the number of theirs."""
        return json.dumps({"kind": self.kind, "folds": sorted(self.members)}, indent=1).encode()

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
        return cls(members)


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
