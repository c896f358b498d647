"""A kind of model as it declares itself; nothing here loads one of its libraries.

Learner ── cross_fit(folds, settings) ───────────┐
        └─ load(files) ──────────────────────────┴─► Model: margin ─► score
                                                        └─ contributions
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tenure.errors import UnsafeModelFile, choices

if TYPE_CHECKING:
    from tenure.model.base import FitSettings, LearnedModel, Model
    from tenure.model.sample import Folds


@dataclass(frozen=True)
class Library:
    """A library by the name of its package and of its module; `others` are packages that bring the same module."""

    package: str
    module: str
    others: tuple[str, ...] = ()

    @property
    def installed(self) -> bool:
        """Whether the module can be imported here; it is not loaded."""
        return find_spec(self.module) is not None

    @property
    def version(self) -> str:
        """The installed version, '' where none is installed."""
        for package in (self.package, *self.others):
            try:
                return version(package)
            except PackageNotFoundError:
                continue
        return ""


NUMPY = Library("numpy", "numpy")
PANDAS = Library("pandas", "pandas")
SCIKIT_LEARN = Library("scikit-learn", "sklearn")
SKOPS = Library("skops", "skops")
OPTUNA = Library("optuna", "optuna")

COMMON = (NUMPY, PANDAS, SCIKIT_LEARN)
"""What every learner computes with: the matrix is made by pandas and NumPy, the figures by scikit-learn."""


@dataclass(frozen=True, kw_only=True)
class ModelKind:
    """One kind of model.

    kind        its name in tenure.toml, in the registry and before the hash of a model version
    words       its name in the report
    read_by     the libraries that read its files, and how many leading numbers of their version must be equal
    by_default  whether a project that says nothing about it trains it
    """

    kind: str
    words: str
    read_by: Mapping[Library, int] = field(default_factory=dict)
    by_default: bool = True


@dataclass(frozen=True, kw_only=True)
class Learner(ModelKind):
    """A kind of model that is learned from rows.

    model       loads its libraries and returns the class that fits, stores and reads its models
    file        the file that its models have, next to model.json
    libraries   what it computes with beyond COMMON
    """

    model: Callable[[], type[LearnedModel]]
    file: str
    libraries: tuple[Library, ...] = ()

    def cross_fit(self, folds: Folds, settings: FitSettings, like: Model | None = None) -> Mapping[int, LearnedModel]:
        """Return a member a fold, their settings chosen by the loss out of fold, or those of a model `like` them."""
        return self.model().cross_fit(folds, settings, like)

    def load(self, card: Mapping[str, Any], files: Mapping[str, bytes]) -> LearnedModel:
        """Return the model that `Model.files` wrote, `card` being its model.json; raise UnsafeModelFile otherwise."""
        if self.file not in files:
            raise UnsafeModelFile(
                f"a model of kind '{self.kind}' needs {self.file}; got {choices(files)}",
                hint="load only files that 'tenure train' wrote; run 'tenure train' again",
            )
        return self.model().from_files(card, files)
