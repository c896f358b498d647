"""A new project: the bank template, or a small one, copied for the bank to edit."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path

from tenure.errors import InvalidConfig
from tenure.host.paths import local_path

#: What a project's version control leaves out: what runs make, and the bank's rows.
_IGNORED = "lake/\nout/\ndata/\n__pycache__/\n"


def write_project(folder: Path, *, name: str = "", minimal: bool = False) -> list[Path]:
    """Write the bank template into `folder` and return its files; `name` is the bank's, else the template's.

    With `minimal` it is a project of a few lines. Raises InvalidConfig if a project is there, or the folder is no
    local one.
    """
    folder = new_project_folder(folder)
    with as_file(files("tenure") / "templates" / ("minimal" if minimal else "bank")) as template:
        shutil.copytree(template, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    if name:
        settings = folder / "tenure.toml"
        settings.write_text(_named(settings.read_text(encoding="utf-8"), name), encoding="utf-8")
    (folder / "data").mkdir(exist_ok=True)
    _ignore(folder)
    return sorted(file for file in folder.rglob("*") if file.is_file() and "data" not in file.relative_to(folder).parts)


def new_project_folder(folder: Path) -> Path:
    """Return the folder of a project to be; raise InvalidConfig if a project is there, or it is no local one."""
    folder = local_path(folder, asked_by="the project's folder")
    if (folder / "tenure.toml").exists():
        raise InvalidConfig(f"'{folder}' is a Tenure project already.", hint="Give another folder, or remove this one.")
    return folder


def settings_text(name: str, data: str, *, minimal: bool = False) -> str:
    """Return tenure.toml of a bank of that name whose raw files lie in `data`."""
    template = files("tenure") / "templates" / ("minimal" if minimal else "bank") / "tenure.toml"
    text = _named(template.read_text(encoding="utf-8"), name)
    if data == "data":
        return text
    line = f"path = {json.dumps(data, ensure_ascii=False)}"
    if "[data]" not in text:
        return f"{text}\n[data]\n{line}\n"
    return re.sub(r"(?m)(?<=^\[data\]\n)path = .*$", lambda _: line, text)


def write_files(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write texts into a project's folder, by their paths in it, and return the files."""
    written = []
    for path, text in texts.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        written.append(file)
    _ignore(folder)
    return sorted(written)


def _named(settings: str, name: str) -> str:
    """The settings with the bank's name in place of the template's."""
    line = f"name = {json.dumps(name, ensure_ascii=False)}"
    return re.sub(r"(?m)(?<=^\[project\]\n)name = \"[^\"]*\"", lambda _: line, settings)


def _ignore(folder: Path) -> None:
    ignored = folder / ".gitignore"
    if not ignored.exists():
        ignored.write_text(_IGNORED, encoding="utf-8")
