"""The application, its options, and how an error becomes a message, a hint and an exit code."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer
from typer.core import TyperGroup

from tenure import errors
from tenure.cli import signals, terminal
from tenure.faults.boundary import Interrupted, boundary
from tenure.version import __version__

Purpose: TypeAlias = Literal["build", "look", "prove", "model"]

_HELP = "Tenure: from a bank's raw tables to a feature store and a customer attrition model."


class _Stopped(BaseException):
    """Carries a KeyboardInterrupt past typer, which would end the process without a word."""


#: The verbs by name with what they are for, in the order in which `--help` lists them.
VERBS: dict[str, Purpose] = {}

_PURPOSES: dict[Purpose, str] = {
    "build": "Build the tables",
    "look": "Look at what is there",
    "prove": "Prove that it is right",
    "model": "Model attrition",
}


class _Verbs(TyperGroup):
    """The verbs; Ctrl-C in one of them comes out to `main`."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  (its parameters are click's)
        """List the verbs by purpose, each with its whole summary."""
        for purpose, heading in _PURPOSES.items():
            with formatter.section(heading):
                formatter.write_dl([(name, self._summary(name)) for name in VERBS if VERBS[name] == purpose])

    def _summary(self, name: str) -> str:
        text = self.commands[name].help or ""
        return " ".join(text.partition("\n\n")[0].split())

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise _Stopped from error


app = typer.Typer(
    cls=_Verbs,
    help=_HELP,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


def verb(purpose: Purpose, name: str = "", help_: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return the decorator that makes a function a verb of the command, listed under its purpose."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        called = name or function.__name__
        VERBS[called] = purpose
        return app.command(called, help=help_ or None)(function)

    return register


EXIT_CODES: dict[type[errors.TenureError], int] = {
    errors.InternalError: 1,
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
ExtractedOption = Annotated[
    datetime | None,
    typer.Option(
        "--extracted",
        formats=["%Y-%m-%d"],
        help="When the extract was made, of sources with history='capture' whose files' names don't tell.",
    ),
]
FromOption = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First snapshot; left out: the plan's first.")
]
ToOption = Annotated[
    datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last snapshot; left out: the plan's last.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def print_version(asked: bool) -> None:
    """Print Tenure's version and end, if it was asked for."""
    if asked:
        terminal.say(__version__)
        raise typer.Exit


@app.callback(help=_HELP)
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=print_version, is_eager=True, help="Print Tenure's version.")
    ] = False,
) -> None:
    """Take the options that stand before the verb."""


def main() -> None:
    """Run the command; turn an error into a message, a hint and an exit code, Ctrl-C and SIGTERM into one line."""
    terminal.prepare()
    with signals.handled():
        code = _run_command()
    sys.exit(code)


def _run_command() -> int:
    """Run the command and return its exit code."""
    doing = typed_verb()
    try:
        with boundary(doing, internal=True):
            try:
                app()
            except SystemExit as leaving:  # typer's way to end, when all went well too
                terminal.finish()
                if leaving.code != 130:
                    return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
                raise
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
        # typer ends so where Ctrl-C comes before or after the verb itself.
        return _interrupted(doing) if code == 130 else code
    except _Stopped as stopped:
        cause = stopped.__cause__
        return _interrupted(cause.doing if isinstance(cause, Interrupted) else doing)
    except Interrupted as error:
        return _interrupted(error.doing)
    except errors.TenureError as error:
        return _failed(error)
    return 0


def typed_verb() -> str:
    """Return the command without its options, which may hold anything: 'tenure run'."""
    named = [word for word in sys.argv[1:2] if re.fullmatch(r"[a-z][a-z_-]{1,30}", word)]
    return f"'{' '.join(['tenure', *named])}'"


def _interrupted(doing: str) -> int:
    terminal.say(signals.line(doing), err=True)
    signals.forget_interrupted_code()
    return signals.exit_code()


def _failed(error: errors.TenureError) -> int:
    unkept = " No log could be kept: no project was open." if error.original is not None else ""
    terminal.say(f"{type(error).__name__}: {error.message}{unkept}", err=True, style="1;31")
    if error.hint:
        terminal.say(error.hint, err=True)
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 1)
