"""The registry of model versions, and the way from files back to a model; nothing is ever unpickled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import pandas as pd

from tenure.errors import UnsafeModelFile
from tenure.model import CUT_SHORT
from tenure.model.base import Model
from tenure.model.blend import BlendModel
from tenure.model.cross_fit import CrossFitModel
from tenure.model.learners import model_kind
from tenure.model.learners.learner import Learner
from tenure.model.libraries import versions_here


def model_version(model: Model, files: Mapping[str, str], data_fingerprint: str) -> str:
    """Return a name such as 'lightgbm-3f9a1c2b': the same for the same files (name to SHA-256) and training data.

    The files hold all that a model is, its parameters too, and nothing of when, where and by how many threads it was
    trained. A search that the guard of [train] seconds ended marks the name: 'lightgbm-3f9a1c2b-cut-short'.
    """
    content = json.dumps([model.kind, dict(files), data_fingerprint], sort_keys=True)
    return f"{model.kind}-{sha256(content.encode()).hexdigest()[:8]}{CUT_SHORT if model.cut_short else ''}"


def registry_row(
    model: Model,
    *,
    model_version: str,
    created_at: datetime,
    champion: bool,
    data_fingerprint: str,
    training_set: pd.DataFrame,
    figures: Mapping[str, float],
    files: Mapping[str, str],
    definitions: Mapping[str, str],
    inputs: Mapping[str, str],
) -> dict[str, Any]:
    """Return the registry's row of one model; parameters, dropped, metrics, libraries, files, definitions and inputs
    are JSON text.

    `files` maps a file's name to its SHA-256, `definitions` a column that the model reads (and 'churned', what it
    predicts) to the digest of what it means, `inputs` a table that it was trained from to its fingerprint.
    training_rows, training_churners and the snapshot dates (DATE) are those of split 'train'; metrics are the
    `figures` of all test customers, null where undefined.
    """
    train = training_set[training_set["split"] == "train"]
    dates = pd.to_datetime(train["snapshot_date"])
    known = {name: None if pd.isna(figure) else float(figure) for name, figure in figures.items()}
    return {
        "model_version": model_version,
        "kind": model.kind,
        "created_at": created_at,
        "champion": champion,
        "parameters": json.dumps(model.parameters, sort_keys=True),
        "dropped": json.dumps(dict(model.columns.dropped), sort_keys=True),
        "data_fingerprint": data_fingerprint,
        "training_rows": len(train),
        "training_churners": int(train["churned"].sum()),
        "first_snapshot_date": dates.min().date(),
        "last_snapshot_date": dates.max().date(),
        "metrics": json.dumps(known, sort_keys=True),
        "libraries": json.dumps(versions_here(), sort_keys=True),
        "files": json.dumps(dict(files), sort_keys=True),
        "definitions": json.dumps(dict(definitions), sort_keys=True),
        "inputs": json.dumps(dict(inputs), sort_keys=True),
    }


def load_model(files: Mapping[str, bytes]) -> Model:
    """Return the model that `Model.files` wrote; its predictions are equal to the last bit.

    Raises UnsafeModelFile if a file is missing, broken, of an unknown kind, or holds a type that is not
    trusted.
    """
    hint = "load only files that 'tenure train' wrote; run 'tenure train' again"
    try:
        card = json.loads(files["model.json"])
        kind = card["kind"]
    except (KeyError, TypeError, ValueError) as error:
        raise UnsafeModelFile(f"model.json is missing or no model card: {error!r}", hint=hint) from error
    try:
        return _loaded(card, kind, files, hint)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnsafeModelFile(f"the files of a '{kind}' are no whole model: {error!r}", hint=hint) from error


def _loaded(card: Mapping[str, Any], kind: str, files: Mapping[str, bytes], hint: str) -> Model:
    if "folds" in card:
        return CrossFitModel.load(card, files, load_model)
    declared = model_kind(kind, place="model.json", refused=UnsafeModelFile, hint=hint)
    return declared.load(card, files) if isinstance(declared, Learner) else BlendModel.load(card, files, load_model)
