"""Verbs of the data contracts: drafted from staged rows, written, checked and compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenure.cli.application import VERBS, EngineOption, JsonOption, ProjectOption, app
from tenure.cli.printing import open_project, print_one
from tenure.cli.records import ContractChangeRecord, ContractRecord, RuleRecord
from tenure.cli.terminal import say
from tenure.errors import CheckFailed

if TYPE_CHECKING:
    from tenure.catalog.contracts import Written

_contracts = typer.Typer(
    help="Agree on the raw tables: draft, export, check and compare contracts.", rich_markup_mode=None
)
VERBS["contract"] = "prove"
app.add_typer(_contracts, name="contract")


@_contracts.callback()
def contract() -> None:
    """Take what stands before the verb."""


@_contracts.command("draft")
def draft(
    sources: Annotated[list[str] | None, typer.Argument(help="Sources; left out: all without a contract.")] = None,
    project: ProjectOption = Path(),
    engine: EngineOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write a contract of each source that has none, with rules that its staged rows suggest and their evidence."""
    from tenure.catalog.contracts import draft as drafted

    with open_project(project, None, engine) as work:
        for one in drafted(work, sources or ()):
            _print_written(one, as_json)
    if not as_json:
        say("Read each rule beside its evidence, correct it, and write the owner. Then run 'tenure contract check'.")


@_contracts.command("export")
def export(
    project: ProjectOption = Path(),
    tables: Annotated[bool, typer.Option("--all", help="Those of Tenure's own tables too, of what is built.")] = False,
    breaking: Annotated[
        bool, typer.Option("--breaking", help="Accept breaking changes of sources.py: the contract's next version.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the generated part of each contract anew from sources.py; rules that stand by hand are kept."""
    from tenure.catalog.contracts import export as exported
    from tenure.catalog.contracts import unread

    with unread(project) as work:
        for one in exported(work, tables=tables, breaking=breaking):
            _print_written(one, as_json)


def _print_written(one: Written, as_json: bool) -> None:
    print_one(ContractRecord.of(one), f"{one.state:8} {one.file}  {one.note}".rstrip(), as_json)


@_contracts.command("check")
def check(project: ProjectOption = Path(), engine: EngineOption = "", as_json: JsonOption = False) -> None:
    """Hold the rules of the contracts against the staged rows."""
    from tenure.catalog.contracts import check as checked

    held, broken = 0, list[str]()
    with open_project(project, None, engine) as work:
        for one in checked(work):
            held += one.passed
            line = (
                f"BROKEN   {one.table}.{one.column}: {one.rule}; {one.failed:,} of {one.rows:,} rows, {one.share:.2%}"
            )
            if not one.passed:
                broken.append(f"{one.table}.{one.column}")
            if as_json or not one.passed:
                print_one(RuleRecord.of(one), line, as_json)
    if broken:
        raise CheckFailed(
            f"{len(broken)} of {held + len(broken)} rules of contracts are broken, the first of {broken[0]}.",
            hint="Correct the data, or the rule in contracts/; each rule's evidence stands beside it.",
        )
    if not as_json:
        say(f"ok  {held:,} rules hold" if held else "No contract has a rule. Run 'tenure contract draft'.")


@_contracts.command("diff")
def diff(project: ProjectOption = Path(), as_json: JsonOption = False) -> None:
    """Tell how sources.py differs from the contracts as written last, and from the staged rows' columns."""
    from tenure.catalog.contracts import diff as compared

    found = 0
    with open_project(project, None, "") as work:
        for one in compared(work):
            found += 1
            line = f"{one.change.kind:9} {one.table:20} {one.where:9} {one.change.text}"
            print_one(ContractChangeRecord.of(one), line, as_json)
    if not as_json and not found:
        say("ok  sources.py, the contracts and the staged rows agree")
