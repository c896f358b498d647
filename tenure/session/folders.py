"""A project's folders: where its data, lake and output lie, and that they do not overlap.

bank/                  definitions: never in a lake
├── data/              a lake may lie in it only where no source's path can match
├── lake/              holds no definitions, data or output, and no other lake
└── out/               not in the data, not in a lake
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tenure.config import Config
from tenure.define.project import Project
from tenure.errors import InvalidConfig
from tenure.host.paths import literal_part, local_path, require_data_path, require_lake_path
from tenure.store.identity import is_lake, lakes_inside

#: What `tenure report` writes into the output folder.
OUTPUT_FILES = ("attrition_list.csv", "attrition_list.parquet", "report.html")


@dataclass(frozen=True)
class Folders:
    """Where a project's files lie; each path as it was written, a relative one below the project's folder."""

    project: Path
    data: Path
    lake: Path
    output: Path


def folders_of(folder: Path, config: Config, data: Path | None) -> Folders:
    """Return the project's folders; `data` overrides [data] path. Writes nothing.

    Raises InvalidConfig for a URL, for signs that a library can't keep in a path, and for folders that overlap so
    that one could be swept, read or overwritten in the place of another.
    """
    found = Folders(
        project=folder,
        data=local_path(data, asked_by="--data")
        if data
        else local_path(config.data.path, asked_by="[data] path", folder=folder),
        lake=local_path(config.lake.path, asked_by="[lake] path", folder=folder),
        output=local_path(config.output.path, asked_by="[output] path", folder=folder),
    )
    require_lake_path(found.lake)
    require_data_path(found.data)
    _require_apart(found)
    _require_no_other_lake(found)
    return found


def require_unread(folders: Folders, project: Project) -> None:
    """Raise InvalidConfig if a source's path could match a file in the lake, or a file that a run writes as output."""
    for source in project.sources.values():
        asked_by = f"source '{source.name}'"
        for raw in source.raws.values():
            if not raw.path:
                continue
            path = local_path(raw.path, asked_by=f"the path of {asked_by}", folder=folders.data)
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


def require_outside(files: Iterable[Path], folders: Folders, *, asked_by: str) -> None:
    """Raise InvalidConfig if a raw file lies in the lake, or is a link to a file in it."""
    lake = folders.lake.resolve()
    for file in files:
        if file.resolve().is_relative_to(lake):
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
        for outer in folder.resolve().parents if setting == "[lake]" else _with_parents(folder):
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


def _contains(outer: Path, inner: Path) -> bool:
    """Whether `inner` is `outer` or lies in it: by links, by '..', and by names that differ in case alone too."""
    return any(_same(outer, folder) for folder in _with_parents(inner))


def _with_parents(folder: Path) -> Iterator[Path]:
    resolved = folder.resolve()
    yield resolved
    yield from resolved.parents


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # One is not there yet.
        return one.resolve() == other.resolve()


def _can_match(pattern: Path, folder: Path) -> bool:
    """Whether a file in `folder`, or deeper, could match a source's pattern; the folder need not be there."""
    fixed, wild = literal_part(str(pattern))
    return _contains(folder, Path(fixed)) or any(
        _reaches(wild, between) for between in _folders_between(Path(fixed), folder)
    )


def _can_match_file(pattern: Path, file: Path) -> bool:
    """Whether a file, which need not be there, could match a source's pattern."""
    fixed, wild = literal_part(str(pattern))
    if not wild:
        return _same(Path(fixed), file)
    return any(_matches(wild, (*between, file.name)) for between in _folders_between(Path(fixed), file.parent))


def _folders_between(outer: Path, inner: Path) -> Iterator[tuple[str, ...]]:
    """The names of the folders below `outer` that lead to `inner`; none if it lies elsewhere."""
    resolved = inner.resolve()
    for folder in _with_parents(inner):
        if _same(outer, folder):
            yield resolved.relative_to(folder).parts


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
