"""Environments: peers that are not in the project's lock run in virtual environments of their own, made once."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = {
    "polars": ["polars==2.1.0"],
    # featuretools calls pandas in ways that pandas 3 dropped.
    "featuretools": ["featuretools==1.31.0", "pandas<3", "pyarrow>=20", "setuptools<81"],
}


def interpreter(name: str, folder: Path) -> str:
    """Return the Python that has a peer: this one if it does or none is named, else that of its environment."""
    if not name or importlib.util.find_spec(name):
        return sys.executable
    home, wanted = folder / name, "\n".join(REQUIREMENTS[name])
    python, ready = home / "bin" / "python", home / "ready.txt"
    if not ready.exists() or ready.read_text() != wanted:
        sys.stderr.write(f"making an environment with {', '.join(REQUIREMENTS[name])}\n")
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS[name]]
        subprocess.run(install, check=True)
        ready.write_text(wanted)
    return str(python)
