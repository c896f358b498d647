"""The application, its options, and how an error becomes a message, a hint and an exit code."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tenure import errors

app = typer.Typer(
    help="Tenure: from a bank's raw tables to a feature store and a customer attrition model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)

EXIT_CODES: dict[type[errors.TenureError], int] = {
    errors.ProjectError: 3,
    errors.InputError: 4,
    errors.LabelError: 5,
    errors.ModelError: 5,
    errors.CheckFailed: 6,
    errors.EngineError: 7,
    errors.StoreError: 7,
}


ProjectOption = Annotated[Path, typer.Option("--project", "-p", help="The bank project's folder.")]
DataOption = Annotated[Path | None, typer.Option("--data", help="Folder of the raw files, instead of [data] path.")]
EngineOption = Annotated[str, typer.Option("--engine", help="duckdb or spark, instead of [engine] name.")]
FromOption = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First snapshot; left out: the plan's first.")
]
ToOption = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last snapshot; left out: the plan's last.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def main() -> None:
    """Run the command; turn a TenureError into a message, a hint and an exit code."""
    try:
        app()
    except errors.TenureError as error:
        console = Console(stderr=True, soft_wrap=True, highlight=False)
        console.print(f"{type(error).__name__}: {error.message}", style="bold red", markup=False)
        if error.hint:
            console.print(error.hint, markup=False)
        sys.exit(next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1))
    except OSError as error:
        # A folder that can't be written, a file where a folder should be, a full disk.
        Console(stderr=True, soft_wrap=True, highlight=False).print(
            f"{type(error).__name__}: {error.strerror}: '{error.filename}'", style="bold red", markup=False
        )
        sys.exit(7)
    except KeyboardInterrupt:
        sys.exit(130)
