"""Libraries: which versions of a package read the files that another version of it wrote.

Asked of the registry's row before any file is read, and without loading one of the packages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from tenure.errors import OutdatedModel, UnsafeModelFile, choices

LIBRARIES = ("lightgbm", "numpy", "optuna", "pandas", "scikit-learn", "skops")
"""The packages whose versions decide whether a model can be trained again to the same bits."""

READERS: Mapping[str, Mapping[str, int]] = {
    # Plain JSON.
    "rule": {},
    # Fitted objects, attribute by attribute: scikit-learn and skops promise them within a minor version.
    "logistic": {"scikit-learn": 2, "skops": 2, "numpy": 1},
    # LightGBM's own exchange format, which every version of a major number reads.
    "lightgbm": {"lightgbm": 1},
}
"""Of each kind of model, the packages that read its files, and how many leading numbers of the version must be equal."""


def versions_here() -> dict[str, str]:
    """Return the installed version of each of LIBRARIES."""
    return {name: version(name) for name in LIBRARIES}


def require_same_libraries(row: Mapping[str, Any]) -> None:
    """Raise OutdatedModel if a row of the registry was made with a library that may read its files otherwise here."""
    kind = str(row["kind"])
    if kind not in READERS:
        raise UnsafeModelFile(
            f"the registry holds a model of kind '{kind}'; allowed: {choices(READERS)}.", hint="Run 'tenure train'."
        )
    trained_with = json.loads(row["libraries"])
    for name, leading in READERS[kind].items():
        before, here = str(trained_with.get(name, "")), version(name)
        wanted = before.split(".")[:leading]
        if wanted != here.split(".")[:leading]:
            install = f", or install {name} {'.'.join(wanted)}" if before else ""
            raise OutdatedModel(
                f"model '{row['model_version']}' was trained with {name} {before or 'of a version not on record'}; "
                f"here is {name} {here}, which may read it otherwise.",
                hint=f"Run 'tenure train'{install}.",
            )
