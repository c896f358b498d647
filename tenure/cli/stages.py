"""One verb a stage; `features` also looks definitions up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tenure.cli.application import (
    VERBS,
    DataOption,
    EngineOption,
    ExtractedOption,
    JsonOption,
    ProjectOption,
    app,
    verb,
)
from tenure.cli.printing import open_project, print_entries, print_moved, print_one, print_reconciliation, print_record
from tenure.cli.records import FeatureRecord
from tenure.cli.running import run_stages
from tenure.cli.terminal import say
from tenure.define.stage import STAGES, Stage


def add_stages() -> None:
    """Add a verb for each stage to the command."""
    for stage in STAGES.values():
        if stage.name == "features":
            _add_features(stage)
        elif stage.name == "staging":
            verb(stage.purpose, stage.name, f"{stage.words}.")(_staging)
        elif stage.name == "reconcile":
            verb(stage.purpose, stage.name, f"{stage.words}.")(_reconcile)
        elif stage.name == "drift":
            verb(stage.purpose, stage.name, f"{stage.words}.")(_drift)
        elif stage.name == "labels":
            verb(stage.purpose, stage.name, f"{stage.words}.")(_labels)
        else:
            verb(stage.purpose, stage.name, f"{stage.words}.")(_command_of(stage))


def _command_of(stage: Stage) -> Callable[..., None]:
    """Return the command that does one stage."""

    def command(
        project: ProjectOption = Path(),
        data: DataOption = None,
        engine: EngineOption = "",
        as_json: JsonOption = False,
    ) -> None:
        run_stages(project, data, engine, as_json, (stage.name,))

    return command


def _staging(
    project: ProjectOption = Path(),
    data: DataOption = None,
    engine: EngineOption = "",
    as_json: JsonOption = False,
    extracted: ExtractedOption = None,
    undo: Annotated[
        str, typer.Option("--undo-extract", help="Take back the last extract of this source, and stage nothing.")
    ] = "",
) -> None:
    if not undo:
        run_stages(project, data, engine, as_json, ("staging",), extracted=extracted)
        return
    from tenure.intake.captures import undo_extract

    with open_project(project, data, engine) as work:
        taken_back, version = undo_extract(work, undo)
    say(
        f"The extract of {undo} of {taken_back:%Y-%m-%d} is taken back: staging/{undo} has {version.rows:,} versions "
        "again. Bring the right one, then run 'tenure staging'."
    )


def _labels(
    project: ProjectOption = Path(),
    data: DataOption = None,
    engine: EngineOption = "",
    as_json: JsonOption = False,
    churn: Annotated[
        str, typer.Option("--churn", help="Make the labels of this churn definition, in labels_of/NAME, instead.")
    ] = "",
) -> None:
    if not churn:
        run_stages(project, data, engine, as_json, ("labels",))
        return
    from tenure.stages.labels import labels_of
    from tenure.stages.run import run

    with open_project(project, data, engine) as work:
        work.project.churn_named(churn)
        for record in run(work, ("labels",), {"labels": labels_of(churn)}):
            print_record(record, as_json)


def _reconcile(
    project: ProjectOption = Path(),
    data: DataOption = None,
    engine: EngineOption = "",
    as_json: JsonOption = False,
) -> None:
    from tenure.catalog.reconciliations import reconciled
    from tenure.stages.run import run

    with open_project(project, data, engine, as_json=as_json) as work:
        for record in run(work, ("reconcile",)):
            print_record(record, as_json)
        for ledger in reconciled(work):
            print_reconciliation(ledger, as_json)
        if work.project.reconciliations and not as_json:
            say(f"page: {work.output / 'reconciliation.html'}")


def _drift(
    project: ProjectOption = Path(),
    data: DataOption = None,
    engine: EngineOption = "",
    as_json: JsonOption = False,
) -> None:
    from tenure.catalog.drift import drifted
    from tenure.stages.run import run

    with open_project(project, data, engine, as_json=as_json) as work:
        for record in run(work, ("drift",)):
            print_record(record, as_json)
        for one in drifted(work)[0].moved:
            print_moved(one, as_json)


def _add_features(stage: Stage) -> None:
    """`tenure features` builds the table; `tenure features list|search|describe` looks definitions up."""
    group = typer.Typer(help=f"{stage.words}; or look features up.", rich_markup_mode=None)
    build = _command_of(stage)

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
        """Print what a feature column means, which rows it reads, and where it is defined."""
        from tenure.catalog.features import entries

        with open_project(project, None, "") as work:
            for entry in entries(work.project, [name]):
                record = FeatureRecord.of(entry)
                lines = [f"{key:13} {value}" for key, value in asdict(record).items() if value]
                print_one(record, "\n".join(lines), as_json)

    VERBS[stage.name] = stage.purpose
    app.add_typer(group, name=stage.name)


add_stages()
