"""The learners, each in its file, and the blend of them; every list of kinds is derived from LEARNERS and BLEND.

A row is light: it is read by settings and words, which load no library. `model` loads the learner's file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tenure.errors import ModelError, TenureError, choices
from tenure.model.learners.learner import COMMON, NUMPY, OPTUNA, SCIKIT_LEARN, SKOPS, Learner, Library, ModelKind

if TYPE_CHECKING:
    from tenure.model.base import LearnedModel


def _rule() -> type[LearnedModel]:
    from tenure.model.learners.rule import RuleModel

    return RuleModel


def _logistic() -> type[LearnedModel]:
    from tenure.model.learners.logistic import LogisticModel

    return LogisticModel


def _lightgbm() -> type[LearnedModel]:
    from tenure.model.learners.lightgbm import LightGBMModel

    return LightGBMModel


def _xgboost() -> type[LearnedModel]:
    from tenure.model.learners.xgboost import XGBoostModel

    return XGBoostModel


_LIGHTGBM = Library("lightgbm", "lightgbm")
_XGBOOST = Library("xgboost", "xgboost", others=("xgboost-cpu",))

LEARNERS: tuple[Learner, ...] = (
    # Plain JSON: no library reads it.
    Learner(kind="rule", words="Rule on one feature", model=_rule, file="rule.json"),
    # Fitted objects, attribute by attribute: scikit-learn and skops promise them within a minor version.
    Learner(
        kind="logistic",
        words="Logistic regression",
        model=_logistic,
        file="pipeline.skops",
        libraries=(SKOPS,),
        read_by={SCIKIT_LEARN: 2, SKOPS: 2, NUMPY: 1},
    ),
    # LightGBM's own exchange format, which every version of a major number reads.
    Learner(
        kind="lightgbm",
        words="LightGBM",
        model=_lightgbm,
        file="model.txt",
        libraries=(_LIGHTGBM, OPTUNA),
        read_by={_LIGHTGBM: 1},
    ),
    # XGBoost's own JSON, whose schema a major version keeps.
    Learner(
        kind="xgboost",
        words="XGBoost",
        model=_xgboost,
        file="xgboost.json",
        libraries=(_XGBOOST, OPTUNA),
        read_by={_XGBOOST: 1},
        by_default=False,
    ),
)
"""The learners, simplest first."""

BLEND = ModelKind(kind="blend", words="Blend")
"""Made of the models of all learners that a training names; its files hold theirs."""


def kinds() -> tuple[str, ...]:
    """Return the kinds of model there are, simplest first."""
    return tuple(one.kind for one in _every())


def default_kinds() -> tuple[str, ...]:
    """Return the kinds that a project trains which names none."""
    return tuple(one.kind for one in _every() if one.by_default)


def too_few_to_blend(chosen: Sequence[str]) -> bool:
    """Return whether a blend is asked for of fewer than two others."""
    return BLEND.kind in chosen and len(set(chosen)) < 3


def model_kind(kind: str, *, place: str, refused: type[TenureError] = ModelError, hint: str = "") -> ModelKind:
    """Return what a kind declares; raise `refused` for an unknown one that was read in `place`."""
    for one in _every():
        if one.kind == kind:
            return one
    raise refused(
        f"{place}: there is no model of kind '{kind}'; allowed: {choices(kinds())}.",
        hint=hint or "tenure.toml: set [train] models to some of those, then run 'tenure train'.",
    )


def libraries() -> tuple[Library, ...]:
    """Return the libraries of all learners, each once, by package."""
    return _libraries(LEARNERS)


def libraries_of(chosen: tuple[str, ...]) -> tuple[Library, ...]:
    """Return the libraries of the learners on by default and of those of the `chosen` kinds, each once, by package."""
    asked = [learner for learner in LEARNERS if learner.by_default or learner.kind in chosen]
    return _libraries(asked)


def _every() -> tuple[ModelKind, ...]:
    return (*LEARNERS, BLEND)


def _libraries(learners: Iterable[Learner]) -> tuple[Library, ...]:
    every = set(COMMON)
    for learner in learners:
        every.update(learner.libraries)
    return tuple(sorted(every, key=lambda library: library.package))
