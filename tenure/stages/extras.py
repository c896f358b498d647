"""Optional packages, asked for before a run begins and not after an hour of it."""

from __future__ import annotations

from collections.abc import Iterable

from tenure.errors import MissingDependency, install_hint
from tenure.model.learners import libraries_of

#: The stages that read frames and learn; those before them need no optional package.
_MODELLING = ("train", "evaluate", "score", "explain", "segment", "report")


def require_packages(stages: Iterable[str], kinds: tuple[str, ...]) -> None:
    """Raise MissingDependency if one of the stages needs a package that is not installed.

    `kinds` are the models that the project trains; their learners say what they need.
    """
    first = next((stage for stage in stages if stage in _MODELLING), "")
    if not first:
        return
    absent = [library.package for library in libraries_of(kinds) if not library.installed]
    if absent:
        raise MissingDependency(
            f"stage '{first}' needs {', '.join(absent)}, which {'is' if len(absent) == 1 else 'are'} not installed; "
            "the stages up to training_set need no optional package ('tenure run --to training_set').",
            hint=install_hint("ml"),
        )
