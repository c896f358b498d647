"""Verbs that tell: versions, states, SQL, lineage, tables, features."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tenure.cli.application import DataOption, EngineOption, JsonOption, ProjectOption, app, print_version
from tenure.cli.printing import open_lake, open_project, print_entries, print_record, print_stage
from tenure.cli.running import stage_command
from tenure.cli.terminal import say


@app.command()
def version() -> None:
    """Print Tenure's version."""
    print_version(asked=True)


@app.command()
def status(project: ProjectOption = Path(), as_json: JsonOption = False) -> None:
    """Tell what each stage last did, from the run ledger."""
    from tenure.catalog.status import state

    with open_lake(project) as work:
        records = state(work)
    if not records and not as_json:
        say("Nothing was run yet. Run 'tenure run'.")
    for record in records:
        if as_json:
            say(json.dumps(record, default=str))
        else:
            print_stage(record)


@app.command()
def sql(
    stage: Annotated[str, typer.Argument(help="staging, snapshots, features, labels, splits or training_set.")],
    project: ProjectOption = Path(),
    data: DataOption = None,
    engine: EngineOption = "",
) -> None:
    """Print the SQL of a stage, as it runs."""
    from tenure.catalog.sql import SQL_STAGES, statements

    name = stage.replace("-", "_")
    if name not in SQL_STAGES:
        raise typer.BadParameter(f"'{stage}' is not made by SQL; stages that are: {', '.join(SQL_STAGES)}")
    with open_project(project, data, engine) as work:
        for select in statements(work, name, work.dialect):
            say(f"-- {select.table}\n{select.text};\n")


@app.command()
def lineage(
    column: Annotated[str, typer.Argument(help="A feature column, or TABLE.COLUMN such as transactions.amount.")],
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Tell what a column is made of, back to the raw columns, and what reads it, on to the models."""
    from tenure.catalog.lineage import lineage as traced

    with open_project(project, None, "") as work:
        found = traced(work, column)
        say(json.dumps(found.as_json()) if as_json else found.drawn())


@app.command()
def history(
    table: Annotated[str, typer.Argument(help="A table such as features or staging/customers; left out: all.")] = "",
    project: ProjectOption = Path(),
    limit: Annotated[int, typer.Option(min=1, help="The newest versions.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Tell a table's versions: when, how many rows, made of what, by which run and stage."""
    from tenure.catalog.versions import newest_versions, versions

    with open_lake(project) as work:
        for one in versions(work, table, limit) if table else newest_versions(work):
            if as_json:
                say(json.dumps(vars(one)))
            else:
                told = f"{one.stage or '-':13} {one.run_id:22} {one.note}".rstrip()
                name = "" if table else f"{one.table:28} "
                say(f"{name}{one.version:>4}  {one.committed_at}  {one.rows:>12,} rows  {one.fingerprint:16}  {told}")


@app.command()
def restore(
    table: Annotated[str, typer.Argument(help="A table such as features or staging/customers.")],
    version: Annotated[int, typer.Option(help="The version to make current again.")],
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Make an old version of a table current again, as a new version."""
    from tenure.catalog.versions import next_stage
    from tenure.catalog.versions import restore as restored

    with open_lake(project) as work:
        done = restored(work, table, version)
        print_record(done, as_json)
        after = next((next_stage(name) for name in done.versions), "")
        if after and not as_json:
            say(f"What reads it is stale now. Run: tenure run --from {after} --project {project}")


@app.command()
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
    for number, row in enumerate(found.to_pylist()):
        if as_json:
            say(json.dumps(row, default=str))
        else:
            lines = [f"{name:40} {'' if value is None else value}".rstrip() for name, value in row.items()]
            say(("\n" if number else "") + "\n".join(lines))


def add_features_commands(doc: str) -> None:
    """`tenure features` builds the table; `tenure features list|search|describe` looks definitions up."""
    group = typer.Typer(help=f"{doc}; or look features up.", rich_markup_mode=None)
    build = stage_command("features")

    @group.callback(invoke_without_command=True)
    def features(
        context: typer.Context,
        project: ProjectOption = Path(),
        data: DataOption = None,
        engine: EngineOption = "",
        as_json: JsonOption = False,
    ) -> None:
        if context.invoked_subcommand is None:
            build(project, data, engine, as_json)

    @group.command("list")
    def list_(
        names: Annotated[list[str] | None, typer.Argument(help="Views, services or columns; left out: all.")] = None,
        project: ProjectOption = Path(),
        as_json: JsonOption = False,
    ) -> None:
        """List feature columns."""
        from tenure.catalog.features import entries

        with open_project(project, None, "") as work:
            print_entries(entries(work.project, names or ()), as_json)

    @group.command()
    def search(
        words: Annotated[list[str], typer.Argument(help="Words of the name or the meaning.")],
        project: ProjectOption = Path(),
        as_json: JsonOption = False,
    ) -> None:
        """Find the feature columns that fit some words, the best first."""
        from tenure.catalog.features import search as find

        with open_project(project, None, "") as work:
            found = find(work.project, " ".join(words))
        print_entries(found, as_json)
        if not found:
            say(f"No feature column fits '{' '.join(words)}'; see all with 'tenure features list'.", err=True)

    @group.command()
    def describe(
        name: Annotated[str, typer.Argument(help="A feature column.")],
        project: ProjectOption = Path(),
        as_json: JsonOption = False,
    ) -> None:
        """Tell what a feature column means, which rows it reads, and where it is defined."""
        from tenure.catalog.features import entries

        with open_project(project, None, "") as work:
            for entry in entries(work.project, [name]):
                if as_json:
                    say(json.dumps(vars(entry)))
                else:
                    say("\n".join(f"{key:13} {value}" for key, value in vars(entry).items() if value))

    app.add_typer(group, name="features")
