"""Optional packages, asked for before a run begins and not after an hour of it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from itertools import takewhile

from tenure.define.stage import STAGES
from tenure.errors import MissingDependency, install_hint

#: What each extra installs, by the module that is imported.
_PACKAGES: dict[str, dict[str, str]] = {
    "ml": {
        "lightgbm": "lightgbm",
        "optuna": "optuna",
        "pandas": "pandas",
        "sklearn": "scikit-learn",
        "skops": "skops",
    },
}

#: The last stage before the first that needs an extra.
_LAST_WITHOUT = [stage.name for stage in takewhile(lambda stage: not stage.extra, STAGES.values())][-1]


def require_packages(stages: Iterable[str]) -> None:
    """Raise MissingDependency if one of the stages needs a package that is not installed."""
    for stage in stages:
        extra = STAGES[stage].extra
        absent = [package for module, package in _PACKAGES.get(extra, {}).items() if find_spec(module) is None]
        if absent:
            raise MissingDependency(
                f"stage '{stage}' needs {', '.join(absent)}, which {'is' if len(absent) == 1 else 'are'} not "
                f"installed; the stages up to {_LAST_WITHOUT} need no optional package ('tenure run --to "
                f"{_LAST_WITHOUT}').",
                hint=install_hint(extra),
            )
