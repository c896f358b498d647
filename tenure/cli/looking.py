"""Verbs that look: at versions, states, SQL, lineage, tables and every column; none builds what a stage does."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from tenure.cli.application import DataOption, EngineOption, JsonOption, ProjectOption, print_version, verb
from tenure.cli.printing import (
    open_lake,
    open_project,
    print_diff,
    print_one,
    print_record,
    print_rows,
    print_stage,
)
from tenure.cli.records import DocumentRecord, LineageRecord, StageRecord, VersionRecord, ViewRecord
from tenure.cli.terminal import say
from tenure.define.stage import SQL_STAGES
from tenure.errors import TenureError


@verb("look")
def version() -> None:
    """Print Tenure's version."""
    print_version(asked=True)


@verb("look")
def status(project: ProjectOption = Path(), as_json: JsonOption = False) -> None:
    """Print what each stage last did, from the run ledger."""
    from tenure.catalog.status import state

    with open_lake(project) as work:
        records = state(work)
    if not records and not as_json:
        say("Nothing was run yet. Run 'tenure run'.")
    for record in records:
        print_stage(StageRecord.of_ledger(record), as_json)


@verb("look")
def explore(
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write a page of every column: how it is distributed, what is missing, what goes with what, what moved."""
    from tenure.stages.explore import PAGE
    from tenure.stages.explore import explore as look

    with open_project(project, None, "", as_json=as_json) as work:
        print_record(look(work), as_json)
        if not as_json:
            say(f"page: {work.output / PAGE}")


@verb("look")
def sql(
    stage: Annotated[
        str, typer.Argument(help="staging, reconcile, snapshots, features, labels, splits or training_set.")
    ] = "",
    project: ProjectOption = Path(),
    data: DataOption = None,
    engine: EngineOption = "",
    shell: Annotated[bool, typer.Option("--shell", help="Ask the lake anything: SELECTs from the input.")] = False,
    personal: Annotated[bool, typer.Option("--personal", help="With the personal columns (of --shell).")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the SQL of a stage, as it runs; or ask the lake in SQL (--shell)."""
    from tenure.catalog.sql import statements

    if shell:
        _ask(project, personal, as_json)
        return
    name = stage.replace("-", "_")
    if name not in SQL_STAGES:
        raise typer.BadParameter(f"'{stage}' is not made by SQL; stages that are: {', '.join(SQL_STAGES)}")
    with open_project(project, data, engine) as work:
        for select in statements(work, name, work.dialect):
            say(f"-- {select.table}\n{select.text};\n")


def _ask(project: Path, personal: bool, as_json: bool) -> None:
    """Answer SELECTs, each up to its ';', until the input ends."""
    from tenure.catalog.shell import shell

    is_person = sys.stdin.isatty()
    with open_project(project, None, "") as work, shell(work, personal=personal) as asked:
        if is_person:
            say("Ask in SQL, up to ';'. Leave with Ctrl-D.")
        for question in _statements(sys.stdin):
            try:
                found = asked.ask(question)
            except TenureError as error:
                if not is_person:
                    raise
                say(f"{error.message} {error.hint}".strip(), err=True)
                continue
            print_rows(found, as_json)


def _statements(lines: Iterable[str]) -> Iterator[str]:
    """The statements of some lines, each up to a ';' at a line's end; the last one needs none."""
    begun: list[str] = []
    for line in lines:
        begun.append(line)
        if line.rstrip().endswith(";"):
            yield "".join(begun).strip()
            begun = []
    if "".join(begun).strip():
        yield "".join(begun).strip()


@verb("look")
def views(
    project: ProjectOption = Path(),
    personal: Annotated[bool, typer.Option("--personal", help="With the personal columns.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a DuckDB file in which each table of the lake is a read-only view of its newest version."""
    from tenure.catalog.views import write_views

    with open_project(project, None, "") as work:
        file, found = write_views(work, personal=personal)
    for view in found:
        left_out = f"  without {', '.join(view.left_out)}" if view.left_out else ""
        line = f"{view.name:32} version {view.version:>4} {view.rows:>12,} rows{left_out}"
        print_one(ViewRecord(view.name, view.table, view.version, view.rows, list(view.left_out)), line, as_json)
    if not as_json:
        say(f"views: {file}")


@verb("look")
def lineage(
    column: Annotated[str, typer.Argument(help="A feature column, or TABLE.COLUMN such as transactions.amount.")],
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Print what a column is made of, back to the raw columns, and what reads it, on to the models."""
    from tenure.catalog.lineage import lineage as traced

    with open_project(project, None, "") as work:
        found = traced(work, column)
        print_one(LineageRecord.of(found), found.drawn(), as_json)


@verb("look")
def history(
    table: Annotated[str, typer.Argument(help="A table such as features or staging/customers; left out: all.")] = "",
    project: ProjectOption = Path(),
    limit: Annotated[int, typer.Option(min=1, help="The newest versions.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Print a table's versions: when, how many rows, made of what, by which run and stage."""
    from tenure.catalog.versions import newest_versions, versions

    with open_lake(project) as work:
        for one in versions(work, table, limit) if table else newest_versions(work):
            maker = f"{one.stage or '-':13} {one.run_id:22} {one.note}".rstrip()
            name = "" if table else f"{one.table:28} "
            line = f"{name}{one.version:>4}  {one.committed_at}  {one.rows:>12,} rows  {one.fingerprint:16}  {maker}"
            print_one(VersionRecord.of(one), line, as_json)


@verb("look")
def show(
    table: Annotated[str, typer.Argument(help="A table such as features or staging/customers.")],
    project: ProjectOption = Path(),
    version: Annotated[int | None, typer.Option(help="A version; left out: the newest.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many rows.")] = 10,
    where: Annotated[str, typer.Option(help='A condition on one row, such as "customer_id = 42".')] = "",
    column: Annotated[list[str] | None, typer.Option(help="A column; may be given again. Left out: all.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show some rows of a table, of today or of an old version."""
    from tenure.catalog.versions import shown

    with open_lake(project) as work:
        found = shown(work, table, version=version, most=limit, where=where, columns=column or ())
    print_rows(found, as_json)


@verb("look")
def diff(
    table: Annotated[str, typer.Argument(help="A table such as features or staging/customers.")],
    before: Annotated[int, typer.Argument(metavar="V1", min=0, help="A version.")],
    after: Annotated[int, typer.Argument(metavar="V2", min=0, help="The version to compare it with.")],
    project: ProjectOption = Path(),
    tolerance: Annotated[
        float, typer.Option(min=0, help="Floats that differ by no more are equal; left out: their bits.")
    ] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Print what changed between two versions of a table: rows, cells, columns, the largest changes."""
    from tenure.catalog.diff import diff as compared

    if not math.isfinite(tolerance):
        raise typer.BadParameter(f"--tolerance {tolerance} is no number; allowed: 0 or more")
    with open_project(project, None, "") as work:
        print_diff(compared(work, table, before, after, tolerance=tolerance), as_json)


@verb("look")
def docs(
    project: ProjectOption = Path(),
    out: Annotated[Path | None, typer.Option(help="The folder; left out: dictionary/ of the output.")] = None,
    format_: Annotated[
        list[str] | None,
        typer.Option("--format", help="markdown, html, xlsx, dbt or json; may be given again. Left out: all."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the data dictionary: every column's meaning, formula, window, lineage and history."""
    from tenure.catalog.dictionary import write_dictionary
    from tenure.host.paths import local_path

    folder = local_path(out, asked_by="--out") if out else None
    with open_project(project, None, "") as work:
        for file in write_dictionary(work, format_ or (), folder):
            print_one(DocumentRecord(str(file)), f"docs: {file}", as_json)
