"""Model files: written whole or not at all, and read only if their bytes are those that were registered.

models/files/<model_version>/
├── model.json        the SHA-256 of each file stands in the registry's row of the version, column `files`
└── model.txt …       a file that the row does not name is damage too
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pyarrow as pa

from tenure.define.contract_base import Contract
from tenure.errors import DamagedModel
from tenure.storage.location import Location, entries, sync_names
from tenure.storage.s3 import S3Location
from tenure.store.lake import Lake

#: Digits of a digest that a message shows.
_SHOWN = 12


@dataclass(frozen=True)
class DamagedFile:
    """A model file that is not as registered: its version, its path, and what is wrong as a clause."""

    model_version: str
    path: Location
    problem: str


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the SHA-256 of each file's bytes, by name."""
    return {name: sha256(content).hexdigest() for name, content in sorted(files.items())}


def folder_of(lake: Lake, model_version: str) -> Location:
    """Return the folder of a version's files."""
    return lake.path("models") / "files" / model_version


def write_model_files(lake: Lake, model_version: str, files: Mapping[str, bytes]) -> None:
    """Put a version's files in place at once; files that are there already with the same bytes stay untouched."""
    folder = folder_of(lake, model_version)
    if not list(_problems(folder, digests(files))):
        return
    if isinstance(folder, S3Location):
        # Nobody reads them before the registry names the version; a versioned bucket keeps what lay there.
        for name, content in files.items():
            (folder / name).write(content)
        return
    partial = folder.with_name(f".{model_version}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, content in files.items():
        with (partial / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    sync_names(partial)
    if os.path.lexists(folder):
        # What lies there is damaged, or not Tenure's: it is moved out of the way, and stays.
        folder.rename(folder.with_name(f".{model_version}.replaced-{uuid4().hex[:8]}"))
    # Not `replace`: Windows replaces no folder, and none is there any more.
    partial.rename(folder)
    sync_names(folder.parent)


def read_model_files(lake: Lake, row: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of a row of the registry, by name; raise DamagedModel if one is not as registered.

    The bytes returned are the bytes that were hashed, so that nothing unchecked reaches a library.
    """
    version, registered = str(row["model_version"]), _registered(row)
    folder, found = folder_of(lake, version), {}
    for name in registered:
        try:
            found[name] = (folder / name).read_bytes()
        except OSError:
            break
    hint = "Run 'tenure train'."
    if not registered:
        raise DamagedModel(
            f"the registry keeps no digests of the files of model '{version}', so they can't be checked.", hint=hint
        )
    problems = list(_problems(folder, registered, found))
    if problems:
        file, problem = problems[0]
        more = f"; {len(problems)} files are damaged" if len(problems) > 1 else ""
        raise DamagedModel(f"file '{file.name}' of model '{version}' {problem} ('{file}'){more}.", hint=hint)
    return found


def damaged_model_files(lake: Lake) -> Iterator[DamagedFile]:
    """Yield every file of every registered version that is changed, missing or not named by the registry.

    Versions that were registered before digests were kept are left out: `unverifiable_models` names them.
    """
    for row in _rows(lake):
        version = str(row["model_version"])
        if registered := _registered(row):
            for file, problem in _problems(folder_of(lake, version), registered):
                yield DamagedFile(version, file, problem)


def registered_digests(lake: Lake) -> dict[str, str]:
    """Return the SHA-256 of each model file that the registry names, by its way from the lake's folder."""
    return {
        f"models/files/{row['model_version']}/{name}": digest
        for row in _rows(lake)
        for name, digest in _registered(row).items()
    }


def forget_damaged_models(lake: Lake, contract: Contract) -> list[str]:
    """Let the registry keep no digests of versions whose files are damaged, and return them; hold the lake's lock.

    Their rows stay, with all that was measured of them.
    """
    lost = {damage.model_version for damage in damaged_model_files(lake)}
    if lost:
        rows = lake.read("models")
        files = ["{}" if str(row["model_version"]) in lost else row["files"] for row in rows.to_pylist()]
        place = rows.schema.get_field_index("files")
        lake.write(
            rows.set_column(place, "files", pa.array(files, pa.string())),
            contract,
            fingerprint=lake.require("models").fingerprint,
        )
    return sorted(lost)


def unverifiable_models(lake: Lake) -> list[str]:
    """Return the registered versions of whose files no digests are kept."""
    return [str(row["model_version"]) for row in _rows(lake) if not _registered(row)]


def _rows(lake: Lake) -> list[dict[str, Any]]:
    return lake.read("models").to_pylist() if lake.find("models") else []


def _registered(row: Mapping[str, Any]) -> dict[str, str]:
    """The digests that a row of the registry keeps; none in a registry of an older Tenure."""
    return dict(json.loads(row.get("files") or "{}"))


def _problems(
    folder: Location, registered: Mapping[str, str], read: Mapping[str, bytes] | None = None
) -> Iterator[tuple[Location, str]]:
    """Yield the files of a version's folder that are not as registered; `read` holds bytes that were read before."""
    try:
        present = {file.name: file for file in entries(folder)}
    except OSError:
        present = {}
    for name, expected in registered.items():
        file = folder / name
        if name not in present:
            yield file, "is missing"
            continue
        try:
            content = read[name] if read and name in read else file.read_bytes()
        except OSError as error:
            yield file, f"can't be read: {error.strerror}"
            continue
        got = sha256(content).hexdigest()
        if got != expected:
            yield file, f"was changed: its SHA-256 is {got[:_SHOWN]}…, registered is {expected[:_SHOWN]}…"
    for name in sorted(present.keys() - registered.keys()):
        yield present[name], "is not one that was registered"
