"""A new project: the bank template, copied for the bank to edit."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from pathlib import Path

from tenure.errors import InvalidConfig
from tenure.host.paths import local_path


def write_project(folder: Path) -> list[Path]:
    """Write the bank template into `folder` and return its files.

    Raises InvalidConfig if a project is there, or the folder is no local one.
    """
    folder = local_path(folder, asked_by="the project's folder")
    if (folder / "tenure.toml").exists():
        raise InvalidConfig(f"'{folder}' is a Tenure project already.", hint="Give another folder, or remove this one.")
    with as_file(files("tenure") / "templates" / "bank") as template:
        shutil.copytree(template, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return sorted(file for file in folder.rglob("*") if file.is_file() and "data" not in file.relative_to(folder).parts)
