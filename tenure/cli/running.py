"""Verbs that make something: a project, a bank, tables; one verb a stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from tenure.cli.application import DataOption, EngineOption, FromOption, JsonOption, ProjectOption, ToOption, app
from tenure.cli.printing import open_project, print_plan, print_record, told
from tenure.cli.terminal import say


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="The new project's folder.")]) -> None:
    """Write a bank project to edit: tenure.toml, sources.py, churn.py and features/."""
    from tenure.session.start import write_project

    for file in write_project(folder):
        say(f"wrote {file}")
    say(f"Put the raw files into {folder / 'data'}, edit sources.py, then run: tenure check --project {folder}")


@app.command()
def demo(
    customers: Annotated[str, typer.Option(help="How many customers: 2k, 20k, 100k, 1M or any number.")] = "2k",
    folder: Annotated[Path, typer.Option("--dir", help="Folder of the demo bank.")] = Path("demo-bank"),
    engine: EngineOption = "",
    as_json: JsonOption = False,
) -> None:
    """Generate a realistic bank, run every stage on it and write its report."""
    from tenure.demo import generate_bank, parse_customers
    from tenure.host.paths import local_path
    from tenure.session.start import write_project

    number, folder = parse_customers(customers), local_path(folder, asked_by="--dir")
    if not (folder / "tenure.toml").exists():
        write_project(folder)
    with told("generate", as_json) as summarize:
        facts = generate_bank(folder, customers=number)
        summarize(rows=facts.rows["transactions"], message=f"{number:,} customers")
    _run_stages(folder, None, engine, as_json)


@app.command()
def run(
    project: ProjectOption = Path(),
    data: DataOption = None,
    engine: EngineOption = "",
    as_json: JsonOption = False,
    first: Annotated[str, typer.Option("--from", help="First stage.")] = "staging",
    last: Annotated[str, typer.Option("--to", help="Last stage.")] = "report",
) -> None:
    """Run every stage; a stage whose definitions and inputs are unchanged does nothing."""
    from tenure.stages.run import STAGES, stages_between

    for name in (first, last):
        if name not in STAGES:
            raise typer.BadParameter(f"'{name}' is not a stage; stages: {', '.join(STAGES)}")
    order = list(STAGES)
    if order.index(first) > order.index(last):
        raise typer.BadParameter(f"--from {first} comes after --to {last}; the order is: {', '.join(STAGES)}")
    _run_stages(project, data, engine, as_json, tuple(stages_between(first, last)))


@app.command()
def plan(
    project: ProjectOption = Path(),
    data: DataOption = None,
    first: FromOption = None,
    last: ToOption = None,
    engine: EngineOption = "",
    as_json: JsonOption = False,
) -> None:
    """Tell which snapshots and tiles are missing or stale, why, and what a backfill would do. Changes nothing."""
    from tenure.feature_store.plan import plan_backfill
    from tenure.intake.calendar import calendar
    from tenure.intake.staging import restaged

    start, end = _days(first, last)
    with open_project(project, data, engine) as work:
        changed = restaged(work)
        for name in changed:
            known = work.lake.find(f"staging/{name}")
            state, why = ("stale", "raw files or definition changed") if known else ("missing", "not staged yet")
            print_plan({"table": f"staging/{name}", "state": state, "why": why}, as_json)
        found = plan_backfill(work, calendar(work).plan, first=start, last=end)
        for part in found.partitions:
            told = {"table": part.table, "partition": str(part.value), "state": part.state, "why": part.why}
            if as_json or part.state != "current":
                print_plan(told, as_json)
    if not as_json:
        states = Counter(part.state for part in found.features)
        say(f"features: {', '.join(f'{n} {state}' for state, n in states.items())}")
        if changed:
            say("This plans on the rows staged before: run 'tenure staging', then 'tenure plan' again.")
        if found.due or found.retired:
            dropped = f" and drop {len(found.retired)}" if found.retired else ""
            planned = len(found.features) - len(found.retired)
            say(f"Run 'tenure backfill' to compute {len(found.due)} of {planned} snapshots{dropped}.")


@app.command()
def backfill(
    project: ProjectOption = Path(),
    data: DataOption = None,
    first: FromOption = None,
    last: ToOption = None,
    engine: EngineOption = "",
    as_json: JsonOption = False,
) -> None:
    """Compute the features of the planned snapshots that are missing or stale; what is current stays."""
    from tenure.stages.run import backfill as backfilled

    start, end = _days(first, last)
    with open_project(project, data, engine) as work:
        for record in backfilled(work, start, end):
            print_record(record, as_json)


@app.command()
def materialize(
    project: ProjectOption = Path(), data: DataOption = None, engine: EngineOption = "", as_json: JsonOption = False
) -> None:
    """Compute the features of the newest snapshot, if they are missing or stale."""
    from tenure.stages.run import materialize as materialized

    with open_project(project, data, engine) as work:
        for record in materialized(work):
            print_record(record, as_json)


def _days(first: datetime | None, last: datetime | None) -> tuple[date | None, date | None]:
    start, end = (moment.date() if moment else None for moment in (first, last))
    if start and end and start > end:
        raise typer.BadParameter(f"--from {start} comes after --to {end}")
    return start, end


@app.command()
def adopt(
    name: Annotated[str, typer.Argument(help="The name of the project that the lake belongs to now.")],
    project: ProjectOption = Path(),
) -> None:
    """Give the lake to this project: the same bank under a new name, or in another folder."""
    from tenure.session.work import adopt as adopted

    lake, owner = adopted(project, name)
    typer.echo(f"The lake '{lake}' belongs to project '{owner.project}' now. Run 'tenure run'.")


@app.command("historical-features")
def historical_features(
    spine: Annotated[Path, typer.Option("--spine", help="Parquet or CSV file with the key's columns and a time.")],
    features: Annotated[str, typer.Option("--features", help="Views, columns or services, parted by commas.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write, .parquet or .csv.")],
    project: ProjectOption = Path(),
    engine: EngineOption = "",
    timestamp: Annotated[
        str, typer.Option("--timestamp", help="The time's column; left out: snapshot_date or event_timestamp.")
    ] = "",
    safe_csv: Annotated[
        bool, typer.Option("--safe-csv", help="Put ' before texts that a spreadsheet would run as a formula.")
    ] = False,
) -> None:
    """Add features to the rows of a file, each as it was known at the row's own time."""
    from tenure.feature_store.store import FeatureStore
    from tenure.host.paths import local_path

    spine, out = local_path(spine, asked_by="--spine"), local_path(out, asked_by="--out")
    with open_project(project, None, engine) as work, FeatureStore(work) as store:
        names = [name.strip() for name in features.split(",") if name.strip()]
        job = store.get_historical_features(spine, names, timestamp=timestamp)
        note = job.to_file(out, safe_csv=safe_csv)
        rows = job.to_arrow().num_rows
    say(f"{rows:,} {'row' if rows == 1 else 'rows'} with {len(job.columns)} features: {out}{note and f'; {note}'}")


def _run_stages(
    project: Path, data: Path | None, engine: str, as_json: bool, stages: tuple[str, ...] | None = None
) -> None:
    from tenure.stages.run import STAGES
    from tenure.stages.run import run as run_stages

    with open_project(project, data, engine) as work:
        for record in run_stages(work, stages or tuple(STAGES)):
            print_record(record, as_json)
        if not as_json and (not stages or "report" in stages):
            say(f"report: {work.output / 'report.html'}\nlist:   {work.output / 'attrition_list.csv'}")


def stage_command(stage: str) -> Callable[..., None]:
    """Return the command that does one stage."""

    def command(
        project: ProjectOption = Path(),
        data: DataOption = None,
        engine: EngineOption = "",
        as_json: JsonOption = False,
    ) -> None:
        _run_stages(project, data, engine, as_json, (stage,))

    return command
