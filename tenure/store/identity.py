"""What a lake is and whose: `_lake.json`, written once at first use, read before anything else.

{"format": 1, "lake": "6f1c…", "project": "First Bank", "folder": "..", "tenure": "0.1.0"}

A lake belongs to one project: the one of that name ([project] name) in that folder. The folder, noted relative to the
lake, counts only while it still holds a project: a project that was moved, or that another machine checked out, keeps
its lake, and two projects of one name on one machine do not share one.
"""

from __future__ import annotations

import json
import os
import shlex
import unicodedata
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from uuid import uuid4

from tenure.errors import LakeFormat, LakeOfAnotherProject, StoreError
from tenure.storage.location import Location, write_whole
from tenure.storage.s3 import S3Location

#: The format of the lakes that this Tenure writes; 0 is that of lakes without the file.
FORMAT = 1

FILE_NAME = "_lake.json"

#: What makes a folder a project.
_PROJECT_FILE = "tenure.toml"


@dataclass(frozen=True)
class Owner:
    """A project as a lake knows it: its name and its folder, and the version of Tenure that works on it."""

    project: str
    folder: Path
    tenure: str


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A lake's own facts.

    `folder` is that of its project, relative to the lake; `tenure` is the version of Tenure that made it.
    """

    format: int
    lake: str
    project: str
    folder: str
    tenure: str


def read_identity(lake: Location) -> Identity | None:
    """Return the lake's identity, or None of a folder that is no lake yet.

    Raises LakeFormat for a lake in an older or newer format, StoreError if its file is damaged or a link.
    """
    file = lake / FILE_NAME
    if isinstance(file, Path) and file.is_symlink():
        raise _damaged(file, "is a link")
    try:
        content = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        if _has(lake, "_log_digests.json"):
            raise _damaged(file, "is gone") from None
        if _has(lake, "_delta_log"):
            raise _older(lake) from None
        return None
    try:
        noted = json.loads(content)
        number = noted["format"]
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise _damaged(file, f"has the format {number!r}")
        if number > FORMAT:
            raise _newer(lake, number, str(noted.get("tenure", "")))
        found = Identity(**{name: noted[name] for name in Identity.__dataclass_fields__})
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(file, "can't be read") from error
    if not all(isinstance(text, str) for text in (found.lake, found.project, found.folder)):
        raise _damaged(file, "can't be read")
    return found


def is_lake(folder: Location) -> bool:
    """Return whether a folder is a lake, by its file alone; nothing is read."""
    return (folder / FILE_NAME).is_file()


def lakes_inside(folder: Location) -> list[Location]:
    """Return the lakes that lie in a folder, or one folder deeper."""
    if isinstance(folder, S3Location):
        # A lake's own objects are many, and it was looked into when it became one.
        return [] if is_lake(folder) else [place.parent for place in folder.rglob(FILE_NAME)]
    files = (*folder.glob(f"*/{FILE_NAME}"), *folder.glob(f"*/*/{FILE_NAME}"))
    return [file.parent for file in files]


def require_owner(lake: Location, owner: Owner) -> Identity | None:
    """Return the lake's identity, None of a folder that is no lake yet; raise LakeOfAnotherProject if it is not his."""
    found = read_identity(lake)
    if found is not None and not _is_owner(lake, found, owner):
        raise _another(lake, found, owner)
    return found


def claim(lake: Location, owner: Owner) -> Identity:
    """Return the lake's identity, written if the folder is no lake yet or its project was moved. Hold the lock."""
    found = require_owner(lake, owner)
    folder = _relative(owner.folder, lake)
    if found is None:
        return begin(lake, owner)
    if found.folder == folder:
        return found
    now = replace(found, folder=folder)
    _write(lake, now)
    return now


def begin(lake: Location, owner: Owner) -> Identity:
    """Make a folder a lake of its owner's, whatever lies there already, and return its identity. Hold the lock."""
    folder = _relative(owner.folder, lake)
    made = Identity(format=FORMAT, lake=uuid4().hex, project=owner.project, folder=folder, tenure=owner.tenure)
    _write(lake, made)
    return made


def adopt(lake: Location, owner: Owner, present: str) -> Identity:
    """Give a lake to another project, or to one of a new name; `present` must be the name that it has now.

    Hold the lock. Returns the new identity. Raises StoreError if it is no lake or belongs to a project of another name.
    """
    found = read_identity(lake)
    if found is None:
        raise StoreError(f"'{lake}' is no lake yet: it belongs to nobody.", hint="Run 'tenure run'.")
    if not _same_name(found.project, present):
        raise StoreError(
            f"the lake '{lake}' belongs to project '{found.project}', not to '{present}'.",
            hint=f"Run {_adopt(found, owner)}.",
        )
    now = replace(found, project=owner.project, folder=_relative(owner.folder, lake))
    _write(lake, now)
    return now


def _write(lake: Location, identity: Identity) -> None:
    write_whole(lake / FILE_NAME, (json.dumps(asdict(identity), ensure_ascii=False, indent=1) + "\n").encode())


def _is_owner(lake: Location, found: Identity, owner: Owner) -> bool:
    if not _same_name(found.project, owner.project):
        return False
    known = _project_of(lake, found)
    return not (known / _PROJECT_FILE).is_file() or known.samefile(owner.folder)


def _same_name(one: str, other: str) -> bool:
    """Names are equal however their umlauts are composed."""
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


def _relative(folder: Path, lake: Location) -> str:
    """The project's folder as the lake notes it: seen from the lake, whole where the lake lies on no machine."""
    return str(folder.resolve()) if isinstance(lake, S3Location) else os.path.relpath(folder.resolve(), lake.resolve())


def _project_of(lake: Location, found: Identity) -> Path:
    """The folder of the project that owns the lake, if it is on this machine."""
    return Path(found.folder) if isinstance(lake, S3Location) else lake / found.folder


def _has(lake: Location, name: str) -> bool:
    """Whether a table of the lake holds such a file or folder; lakes of format 0 know no digests."""
    if isinstance(lake, S3Location):
        # There was no format 0 on S3, so what is asked is whether any table is there.
        return lake.holds(f"/{name}")
    return any(next(lake.glob(f"{tables}/{name}"), None) is not None for tables in ("*", "*/*"))


def _adopt(found: Identity, owner: Owner) -> str:
    return f"tenure adopt {shlex.quote(found.project)} --project {shlex.quote(str(owner.folder))}"


def _another(lake: Location, found: Identity, owner: Owner) -> LakeOfAnotherProject:
    where = where_now = ""
    if _same_name(found.project, owner.project):
        where, where_now = f" in '{_project_of(lake, found).resolve()}'", f" in '{owner.folder.resolve()}'"
    return LakeOfAnotherProject(
        f"the lake '{lake}' belongs to project '{found.project}'{where}; this is project '{owner.project}'{where_now}, "
        "and a lake holds the rows of one project.",
        hint="Give this project a lake of its own: [lake] path in tenure.toml. If it is the same bank under a new name "
        f"or in another folder, run: {_adopt(found, owner)}",
    )


def _older(lake: Location) -> LakeFormat:
    return LakeFormat(
        f"the lake '{lake}' holds tables and no {FILE_NAME}: it was made by an older Tenure (format 0), and this one "
        f"reads format {FORMAT}.",
        hint=f"Move it away and take its tables over: mv {shlex.quote(str(lake))} {shlex.quote(f'{lake}-old')}, then "
        f"'tenure lake migrate {shlex.quote(f'{lake}-old')}' and 'tenure run'.",
    )


def _newer(lake: Location, number: int, version: str) -> LakeFormat:
    made_by = f" ({version})" if version else ""
    return LakeFormat(
        f"the lake '{lake}' has format {number}: it was made by a newer Tenure{made_by}; this one reads {FORMAT}.",
        hint="Use that Tenure, or set [lake] path in tenure.toml to another folder.",
    )


def _damaged(file: Location, what: str) -> StoreError:
    return StoreError(
        f"'{file}' {what}: it tells whose lake this is, and nothing is read or written without it.",
        hint="Put the file back from a copy of the lake, or move the lake's folder away and run 'tenure run'.",
    )
