"""Optional packages, asked for before a run begins and not after an hour of it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from tenure.errors import MissingDependency, install_hint

#: The stages that read frames and learn; those before them need no optional package.
_MODELLING = ("train", "evaluate", "score", "explain", "segment", "report")

_MODELLING_PACKAGES = {
    "lightgbm": "lightgbm",
    "optuna": "optuna",
    "pandas": "pandas",
    "sklearn": "scikit-learn",
    "skops": "skops",
}


def require_packages(stages: Iterable[str]) -> None:
    """Raise MissingDependency if one of the stages needs a package that is not installed."""
    first = next((stage for stage in stages if stage in _MODELLING), "")
    if not first:
        return
    absent = [package for module, package in _MODELLING_PACKAGES.items() if find_spec(module) is None]
    if absent:
        raise MissingDependency(
            f"stage '{first}' needs {', '.join(absent)}, which {'is' if len(absent) == 1 else 'are'} not installed; "
            "the stages up to training_set need no optional package ('tenure run --to training_set').",
            hint=install_hint("ml"),
        )
