"""Libraries: which versions of a package read the files that another version of it wrote.

Asked of the registry's row before any file is read, and without loading one of the packages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tenure.errors import OutdatedModel, UnsafeModelFile
from tenure.model.learners import BLEND, libraries, model_kind
from tenure.model.learners.learner import ModelKind


def versions_here() -> dict[str, str]:
    """Return package → version of the learners' libraries, which decide whether a model can be trained again to the
    same bits; one that is not installed here is left out.
    """
    installed = {library.package: library.version for library in libraries()}
    return {package: version for package, version in installed.items() if version}


def require_same_libraries(row: Mapping[str, Any]) -> None:
    """Raise OutdatedModel if a row of the registry was made with a library that may read its files otherwise here.

    Raises UnsafeModelFile for an unknown kind.
    """
    read_by = {library: leading for kind in _kinds(row) for library, leading in kind.read_by.items()}
    trained_with = json.loads(row["libraries"])
    for library, leading in read_by.items():
        name, here = library.package, library.version
        before = str(trained_with.get(name, ""))
        wanted = before.split(".")[:leading]
        if wanted != here.split(".")[:leading]:
            install = f", or install {name} {'.'.join(wanted)}" if before else ""
            raise OutdatedModel(
                f"model '{row['model_version']}' was trained with {name} {before or 'of a version not on record'}; "
                f"here is {name} {here or 'of no version'}, which may read it otherwise.",
                hint=f"Run 'tenure train'{install}.",
            )


def _kinds(row: Mapping[str, Any]) -> list[ModelKind]:
    """What the kind of a registered model declares, and those of the parts of a blend."""
    names = [str(row["kind"])]
    if names == [BLEND.kind]:
        names += json.loads(row["parameters"])["parts"]
    return [
        model_kind(name, place="registry of models", refused=UnsafeModelFile, hint="Run 'tenure train'.")
        for name in names
    ]
