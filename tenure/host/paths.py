"""Paths: from what people write to a local folder, and from a folder to what each library takes.

people write    '~/bank/lake', '../lake', 's3://bucket/lake'     `local_path`: home is put in, another place is refused
deltalake       takes text for a URL or a path, and decodes it    `require_lake_path` refuses what it would misread
DuckDB, Spark   take a file's path for a pattern                  `duckdb_path`, `spark_path` escape its signs
"""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from tenure.errors import InvalidConfig

#: A place that is not in the file system: 's3://bucket', or 's3:/bucket' where a Path has swallowed a slash.
_URL = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]+):[/\\]")

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

#: What deltalake reads otherwise than it is written: '%20' as a blank, a backslash as a slash, the rest as a URL's end.
_MISREAD = re.compile(r"%[0-9A-Fa-f]{2}|[\\#?]")

_PLAIN_LAKE = "Move the project, or set [lake] path in tenure.toml to a folder without such signs."


def local_path(written: str | Path, *, asked_by: str, folder: Path | None = None) -> Path:
    """Return the local path that was written; a relative one is below `folder`, and a leading '~' is the home folder.

    `asked_by` names the setting, option or definition. Raises InvalidConfig for a URL, for a home that there is none
    of, and for text that no file system can take.
    """
    require_local(str(written), asked_by=asked_by)
    path = Path(written)
    # A Path has lost the './' of './~'; a folder that is really called so is meant then.
    is_home = str(written).startswith("~") and not (isinstance(written, Path) and path.exists())
    try:
        path = path.expanduser() if is_home else path
    except RuntimeError as error:
        raise InvalidConfig(
            f"{asked_by} is '{written}', and there is no such home folder.", hint="Write the folder's whole path."
        ) from error
    if folder is not None:
        return folder / path
    # DuckDB and pyarrow put the home folder in for a leading '~' themselves.
    return path.absolute() if str(path).startswith("~") else path


def require_local(written: str, *, asked_by: str) -> None:
    """Raise InvalidConfig if a text is a URL, or no path at all."""
    url = _URL.match(written)
    if url and url[1].lower() == "file":
        raise InvalidConfig(
            f"{asked_by} is '{written}', a URL; allowed: the path of a local folder or file.",
            hint="Write the path itself, without 'file://'.",
        )
    if url:
        raise InvalidConfig(
            f"{asked_by} is '{written}', a URL that can't be read or written here; allowed: a local path, and for "
            "data, lake and output a place on S3 (s3://bucket/prefix).",
            hint="Copy the files to one of these, or mount the store as a folder.",
        )
    if "\x00" in written:
        raise InvalidConfig(f"{asked_by} is {written!r}, which holds a zero byte and is no path.")


def require_lake_path(folder: Path) -> None:
    """Raise InvalidConfig if a lake can't lie in `folder`: a library would read its path otherwise than it is written.

    Blanks, quotes, brackets, umlauts and a single '%' are fine. Links are followed first.
    """
    for path in (folder.absolute(), folder.resolve()):
        sign = _misread(path)
        if sign:
            raise InvalidConfig(
                f"the lake's folder {str(path)!r} holds {sign}, which the lake's format can't keep in a path.",
                hint=_PLAIN_LAKE,
            )


def _misread(path: PurePath) -> str:
    # Windows' backslashes and the beginning of its long paths, '\\\\?\\', are no signs of a name.
    text = path.relative_to(path.anchor).as_posix()
    if _not_utf8(text):
        return "bytes that are not UTF-8"
    found = _CONTROL.search(text) or _MISREAD.search(text)
    if found:
        return repr(found[0]) if found[0].isprintable() and found[0] != "\\" else f"the sign {found[0]!r}"
    part = next((part for part in path.parts if "=" in part), "")
    # Engines read a folder such as 'region=south' as a column of all rows below it.
    return f"the folder '{part}' with its '='" if part else ""


def require_data_path(folder: Path) -> None:
    """Raise InvalidConfig if raw files can't be read below `folder` by every engine."""
    for path in (folder.absolute(), folder.resolve()):
        text = path.as_posix()
        bad = "bytes that are not UTF-8" if _not_utf8(text) else "a backslash" if "\\" in text else ""
        if bad:
            raise InvalidConfig(
                f"the data folder {text!r} holds {bad}, which not every engine reads in a path.",
                hint="Rename the folder, or set [data] path in tenure.toml, or --data, to another one.",
            )


def _not_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def delta_path(folder: Path) -> str:
    """Return a table's folder as deltalake takes it: absolute, so that no part of it can be read as a URL's scheme.

    Links and '..' are resolved, since deltalake drops 'link/..' without following the link.
    """
    return str(folder.resolve())


def duckdb_path(file: PurePath) -> str:
    """Return a file's path as DuckDB's readers take it: it matches that one file, whatever signs its name holds."""
    return re.sub(r"[*?\[]", r"[\g<0>]", file.as_posix())


def spark_path(file: Path) -> str:
    """Return a file's path as Spark's readers take it: absolute, and it matches that one file."""
    return escaped_for_spark(file.absolute().as_posix())


def escaped_for_spark(path: str) -> str:
    """Return a whole path, or URL, with the signs escaped that Spark's readers take for a pattern."""
    return re.sub(r"[{}\[\]*?\\,]", r"\\\g<0>", path)


def literal_part(pattern: str) -> tuple[PurePath, tuple[str, ...]]:
    """Return the leading part of a pattern that holds no wildcard, and the parts behind it."""
    parts = PurePath(pattern).parts
    count = next((n for n, part in enumerate(parts) if re.search(r"[*?\[]", part)), len(parts))
    return PurePath(*parts[:count]), parts[count:]
