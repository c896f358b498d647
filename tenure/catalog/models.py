"""The registry of models in the lake: what was trained, whether it may be used here, and its files.

    registry's row ──► files as registered? ──► libraries? ──► columns mean what it learned? ──► the model

Nothing of a file reaches a library before all three are answered.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from tenure.errors import MissingTable, OutdatedModel, choices
from tenure.model.libraries import require_same_libraries
from tenure.session.meaning import LABEL
from tenure.session.work import Work
from tenure.store.model_files import read_model_files

if TYPE_CHECKING:
    from tenure.model.base import Model
    from tenure.model.cross_fit import CrossFitModel

Row = Mapping[str, Any]


def newest_training(work: Work) -> list[Row]:
    """Return the registry's rows of the newest training, the champion first; raise MissingTable if there is none."""
    work.require("models")
    registry = work.read("models").to_pylist()
    champions = [row for row in registry if row["champion"]]
    if len(champions) != 1:
        raise MissingTable(
            f"the registry of models marks {len(champions)} versions as champion; it must be one.",
            hint="Run 'tenure train'.",
        )
    when = champions[0]["created_at"]
    return sorted((row for row in registry if row["created_at"] == when), key=lambda row: not row["champion"])


def versions_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Return the model versions of rows of the registry."""
    return tuple(str(row["model_version"]) for row in rows)


def usable_files(work: Work, row: Row) -> dict[str, bytes]:
    """Return the files of a registered version, by name, if it may be used here.

    Raises DamagedModel if a file is not as registered; OutdatedModel if it was trained with other libraries, or if a
    column that it reads, or what it predicts, is defined otherwise now.
    """
    files = read_model_files(work.lake, row)
    require_same_libraries(row)
    _require_same_meaning(work, row)
    return files


def loaded_models(work: Work, rows: Iterable[Row]) -> dict[str, CrossFitModel]:
    """Return the models of rows of the registry by version, in their order.

    Raises what `usable_files` does, and OutdatedModel for one that an older Tenure trained, without folds.
    """
    found = {str(row["model_version"]): usable_files(work, row) for row in rows}
    from tenure.model.cross_fit import CrossFitModel
    from tenure.model.registry import load_model

    loaded: dict[str, CrossFitModel] = {}
    for version, files in found.items():
        model = load_model(files)
        if not isinstance(model, CrossFitModel):
            raise OutdatedModel(
                f"model '{version}' was trained by an older Tenure, on one part of the customers alone.",
                hint="Run 'tenure train'.",
            )
        model.threads = work.config.engine.threads
        loaded[version] = model
    return loaded


def definitions_of(work: Work, model: Model) -> dict[str, str]:
    """Return the digests of what a model reads and predicts, as the definitions stand now."""
    now = work.meanings
    return {name: now[name] for name in (*model.columns.names, LABEL)}


def registered(work: Work, rows: list[dict[str, Any]]) -> pa.Table:
    """Return the registry with new rows at its end; earlier ones stay, no longer champion.

    A registry of an older Tenure lacks columns: its rows are null there.
    """
    new = pa.Table.from_pylist(rows)
    if work.lake.find("models") is None:
        return new
    old = work.lake.read("models")
    old = old.filter(pc.invert(pc.is_in(old["model_version"], new["model_version"])))
    for field in new.schema:
        if field.name not in old.column_names:
            old = old.append_column(field, pa.nulls(old.num_rows, field.type))
    place = old.column_names.index("champion")
    old = old.set_column(place, "champion", pa.array([False] * old.num_rows, pa.bool_()))
    return pa.concat_tables([old.select(new.column_names).cast(new.schema), new])


def _require_same_meaning(work: Work, row: Row) -> None:
    """Raise OutdatedModel, naming the columns, if what a model learned is defined otherwise now."""
    learned, now = json.loads(row["definitions"]), work.meanings
    changed = [name for name, digest in learned.items() if now.get(name) != digest]
    if not changed:
        return
    is_label_changed = LABEL in changed
    if is_label_changed:
        changed.remove(LABEL)
    changes = []
    if changed:
        changes.append(f"the columns {choices(changed)}")
    if is_label_changed:
        changes.append(f"the churn definition '{work.churn.name}' ({work.churn.where_defined})")
    raise OutdatedModel(
        f"model '{row['model_version']}' learned other definitions than those here of {' and '.join(changes)}: "
        "it can't score what it did not learn.",
        hint="Run 'tenure train'.",
    )
