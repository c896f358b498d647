"""The check for optional packages: before a run begins, not after an hour of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import takewhile

from tenure.define.stage import STAGES
from tenure.errors import MissingDependency, install_hint
from tenure.model.learners import libraries_of
from tenure.model.learners.learner import Library

#: The libraries of each extra that a run needs, by the kinds of model that the project trains.
_LIBRARIES: dict[str, Callable[[tuple[str, ...]], tuple[Library, ...]]] = {
    "": lambda _: (),
    "ml": libraries_of,
}

#: The last stage before the first that needs an extra.
_LAST_WITHOUT = [stage.name for stage in takewhile(lambda stage: not stage.extra, STAGES.values())][-1]


def require_packages(stages: Iterable[str], kinds: tuple[str, ...]) -> None:
    """Raise MissingDependency if one of the stages needs a package that is not installed.

    `kinds` are the models that the project trains; their learners say what they need.
    """
    for stage in stages:
        extra = STAGES[stage].extra
        absent = [library.package for library in _LIBRARIES[extra](kinds) if not library.installed]
        if absent:
            raise MissingDependency(
                f"stage '{stage}' needs {', '.join(absent)}, which {'is' if len(absent) == 1 else 'are'} not "
                f"installed; the stages up to {_LAST_WITHOUT} need no optional package ('tenure run --to "
                f"{_LAST_WITHOUT}').",
                hint=install_hint(extra),
            )
