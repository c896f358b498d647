"""A project's folders: where its data, lake and output lie, and that they do not overlap.

bank/                  definitions: never in a lake
├── data/              a lake may lie in it only where no source's path can match
├── lake/              holds no definitions, data or output, and no other lake
└── out/               not in the data, not in a lake
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tenure.config import Config
from tenure.define.project import Project
from tenure.errors import InvalidConfig
from tenure.host.paths import literal_part, local_path, require_data_path, require_lake_path
from tenure.storage.location import Location, below, is_s3, located
from tenure.storage.s3 import S3Location
from tenure.storage.settings import S3Settings
from tenure.store.identity import is_lake, lakes_inside

#: What `tenure report` and `tenure reconcile` write into the output folder.
OUTPUT_FILES = ("attrition_list.csv", "attrition_list.parquet", "report.html", "quality.html", "reconciliation.html")


@dataclass(frozen=True)
class Folders:
    """Where a project's files lie; each path as it was written, a relative one below the project's folder.

    `s3` is how those on S3 are reached, `scratch` where rows spill, None for the lake's own place.
    """

    project: Path
    data: Location
    lake: Location
    output: Location
    s3: S3Settings
    scratch: Path | None = None


def folders_of(folder: Path, config: Config, data: Location | str | None) -> Folders:
    """Return the project's folders; `data` overrides [data] path. Writes nothing.

    Raises InvalidConfig for a URL, for signs that a library can't keep in a path, and for folders that overlap so
    that one could be swept, read or overwritten in the place of another.
    """
    s3 = s3_settings(config, folder)

    def place(path: str, asked_by: str) -> Location:
        return located(path, asked_by=asked_by, folder=folder, s3=s3)

    found = Folders(
        project=folder,
        data=located(data, asked_by="--data", s3=s3) if data else place(config.data.path, "[data] path"),
        lake=place(config.lake.path, "[lake] path"),
        output=place(config.output.path, "[output] path"),
        s3=s3,
        scratch=_scratch(config.engine.spill_folder, folder),
    )
    if isinstance(found.lake, Path):
        require_lake_path(found.lake)
    elif config.lake.mode != "owner":
        raise InvalidConfig(
            f"[lake] mode is '{config.lake.mode}', and the lake '{found.lake}' lies on S3, which knows no such rights.",
            hint="Leave mode out; who may read the lake is said by the bucket's policy: see docs/storage.md.",
        )
    if isinstance(found.data, Path):
        require_data_path(found.data)
    _require_apart(found)
    _require_no_other_lake(found)
    return found


def _scratch(written: str, folder: Path) -> Path | None:
    """The folder that [engine] names for spill; None if it names none."""
    if not written:
        return None
    asked_by = "[engine] spill_folder"
    if is_s3(written):
        raise InvalidConfig(
            f"{asked_by} is '{written}'; rows spill to a disk of this machine.", hint="Give a local folder."
        )
    found = local_path(written, asked_by=asked_by, folder=folder)
    if not found.is_dir() or not os.access(found, os.W_OK | os.X_OK):
        raise InvalidConfig(
            f"{asked_by} is '{found}', which is no folder that this user can write to.",
            hint="Make the folder, or leave spill_folder out: rows then spill into the lake's own folder.",
        )
    return found


def s3_settings(config: Config, folder: Path) -> S3Settings:
    """Return how the project in `folder` reaches S3."""
    section = config.s3
    bundle = local_path(section.ca_bundle, asked_by="[s3] ca_bundle", folder=folder) if section.ca_bundle else None
    if bundle and not bundle.is_file():
        raise InvalidConfig(f"[s3] ca_bundle is '{bundle}', and there is no such file.", hint="Give the file's path.")
    return S3Settings(
        endpoint=section.endpoint,
        region=section.region,
        path_style=section.path_style,
        ca_bundle=bundle,
        proxy=section.proxy,
        profile=section.profile,
        encryption=section.encryption,
        kms_key=section.kms_key,
    )


def require_unread(folders: Folders, project: Project) -> None:
    """Raise InvalidConfig if a source's path could match a file in the lake, or a file that a run writes as output."""
    for source in project.sources.values():
        asked_by = f"source '{source.name}'"
        for raw in source.raws.values():
            if not raw.path:
                continue
            path = located(raw.path, asked_by=f"the path of {asked_by}", folder=folders.data, s3=folders.s3)
            if _can_match(path, folders.lake):
                raise InvalidConfig(
                    f"{asked_by} reads '{raw.path}', which can match files in the lake '{folders.lake}'.",
                    hint="Set [lake] path in tenure.toml to a folder outside the data, or narrow the source's path.",
                )
            if any(_can_match_file(path, folders.output / name) for name in OUTPUT_FILES):
                raise InvalidConfig(
                    f"{asked_by} reads '{raw.path}', which can match what runs write to the output folder "
                    f"'{folders.output}'.",
                    hint="Set [output] path in tenure.toml to a folder outside the data, or narrow the source's path.",
                )


def require_outside(files: Iterable[Location], folders: Folders, *, asked_by: str) -> None:
    """Raise InvalidConfig if a raw file lies in the lake, or is a link to a file in it."""
    for file in files:
        if _contains(folders.lake, file):
            raise InvalidConfig(
                f"{asked_by} reads '{file}', which lies in the lake '{folders.lake}'.",
                hint="Raw files and the lake want folders of their own; narrow the source's path.",
            )


def _require_apart(folders: Folders) -> None:
    move_lake = "Set [lake] path in tenure.toml to a folder of its own, such as 'lake'."
    lake, output, data = folders.lake, folders.output, folders.data
    inside_lake = {"the project's definitions": folders.project, "the data": data, "the output": output}
    for what, folder in inside_lake.items():
        if _contains(lake, folder):
            raise InvalidConfig(
                f"the lake '{lake}' and the folder of {what}, '{folder}', overlap: a lake keeps nothing else.",
                hint=move_lake,
            )
    if _contains(folders.project / "features", lake):
        raise InvalidConfig(f"the lake '{lake}' lies in the folder of the project's features/*.py.", hint=move_lake)
    if _same(output, data):
        raise InvalidConfig(
            f"the output and the data are one folder, '{data}': the list could take the place of a raw file.",
            hint="Set [output] path in tenure.toml to a folder of its own, such as 'out'.",
        )


def _require_no_other_lake(folders: Folders) -> None:
    """Refuse to lie in, or around, a lake that is not the project's own."""
    for setting, folder in (("[lake]", folders.lake), ("[data]", folders.data), ("[output]", folders.output)):
        for outer in list(_with_parents(folder))[1 if setting == "[lake]" else 0 :]:
            if is_lake(outer) and not _same(outer, folders.lake):
                raise InvalidConfig(
                    f"{setting} path is '{folder}', which lies in another lake, '{outer}'.",
                    hint=f"Set {setting} path in tenure.toml to a folder outside of it.",
                )
    for inner in lakes_inside(folders.lake):
        raise InvalidConfig(
            f"the lake '{folders.lake}' holds another lake, '{inner}'.",
            hint="Set [lake] path in tenure.toml to a folder of its own.",
        )


def _contains(outer: Location, inner: Location) -> bool:
    """Whether `inner` is `outer` or lies in it: by links, by '..', and by names that differ in case alone too."""
    return any(_same(outer, folder) for folder in _with_parents(inner))


def _with_parents(folder: Location) -> Iterator[Location]:
    if isinstance(folder, S3Location):
        while True:
            yield folder
            if not folder.key:
                return
            folder = folder.parent
    resolved = folder.resolve()
    yield resolved
    yield from resolved.parents


def _same(one: Location, other: Location) -> bool:
    if isinstance(one, S3Location) or isinstance(other, S3Location):
        return one == other
    try:
        return one.samefile(other)
    except OSError:  # One is not there yet.
        return one.resolve() == other.resolve()


def _can_match(pattern: Location, folder: Location) -> bool:
    """Whether a file in `folder`, or deeper, could match a source's pattern; the folder need not be there."""
    fixed, wild = _literal_part(pattern)
    return _contains(folder, fixed) or any(_reaches(wild, between) for between in _folders_between(fixed, folder))


def _can_match_file(pattern: Location, file: Location) -> bool:
    """Whether a file, which need not be there, could match a source's pattern."""
    fixed, wild = _literal_part(pattern)
    if not wild:
        return _same(fixed, file)
    return any(_matches(wild, (*between, file.name)) for between in _folders_between(fixed, file.parent))


def _literal_part(pattern: Location) -> tuple[Location, tuple[str, ...]]:
    """The folder that a pattern begins with, and its parts from the first wildcard on."""
    if isinstance(pattern, S3Location):
        fixed, wild = literal_part(pattern.key)
        return S3Location(pattern.bucket, fixed.as_posix().strip("./"), pattern.settings), wild
    fixed, wild = literal_part(str(pattern))
    return Path(fixed), wild


def _folders_between(outer: Location, inner: Location) -> Iterator[tuple[str, ...]]:
    """The names of the folders below `outer` that lead to `inner`; none if it lies elsewhere."""
    resolved = inner if isinstance(inner, S3Location) else inner.resolve()
    for folder in _with_parents(inner):
        if _same(outer, folder):
            yield below(resolved, folder).parts


def _reaches(pattern: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a path below the folder of these names can match the pattern's parts."""
    if not names:
        return bool(pattern)
    if not pattern:
        return False
    if pattern[0] == "**":
        return _reaches(pattern[1:], names) or _reaches(pattern, names[1:])
    return fnmatchcase(names[0], pattern[0]) and _reaches(pattern[1:], names[1:])


def _matches(pattern: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the path of exactly these names matches the pattern's parts."""
    if not pattern:
        return not names
    if pattern[0] == "**":
        return _matches(pattern[1:], names) or (bool(names) and _matches(pattern, names[1:]))
    return bool(names) and fnmatchcase(names[0], pattern[0]) and _matches(pattern[1:], names[1:])
