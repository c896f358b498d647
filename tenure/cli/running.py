"""Verbs that begin: a project, a demo bank, a run of the stages."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from tenure.cli.application import DataOption, EngineOption, ExtractedOption, JsonOption, ProjectOption, verb
from tenure.cli.printing import open_project, print_record, print_stage
from tenure.cli.records import StageRecord
from tenure.cli.terminal import say
from tenure.define.stage import STAGES
from tenure.faults.boundary import boundary


@verb("build")
def init(
    folder: Annotated[Path, typer.Argument(help="The new project's folder.")],
    origin: Annotated[
        str,
        typer.Option(
            "--from", help="Folder of raw files, or one file, or env:NAME of a PostgreSQL database, to look at."
        ),
    ] = "",
    minimal: Annotated[bool, typer.Option("--minimal", help="A project of about 60 lines in all.")] = False,
) -> None:
    """Write a bank project to edit: tenure.toml, sources.py, churn.py and features/."""
    from tenure.session.start import write_project

    if origin:
        _init_from(folder, origin, minimal)
        return
    for file in write_project(folder, name=folder.resolve().name, minimal=minimal):
        say(f"wrote {file}")
    say(f"Put the raw files into {folder / 'data'}, edit sources.py, then run: tenure check --project {folder}")


def _init_from(folder: Path, origin: str, minimal: bool) -> None:
    """Write a project for the tables that are there, and ask what they can't answer."""
    from tenure.begin.project import begin_project

    with boundary(f"looking at the tables of --from for '{folder}'"):
        begun = begin_project(folder, origin, minimal=minimal)
    for file in begun.files:
        say(f"wrote {file}")
    if begun.questions:
        say("What the tables could not say; the same list ends sources.py:")
    for number, question in enumerate(begun.questions, start=1):
        say(f"{number:3}. {question}")
    say(f"Read sources.py, edit what is wrong, then run: tenure check --project {folder}")


@verb("build")
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
    begun = perf_counter()
    rows = generate_bank(folder, customers=number).rows["transactions"]
    seconds = perf_counter() - begun
    generated = StageRecord("generate", "built", rows, seconds, f"{number:,} customers")
    print_stage(generated, as_json)
    run_stages(folder, None, engine, as_json)


@verb("build")
def run(
    project: ProjectOption = Path(),
    data: DataOption = None,
    engine: EngineOption = "",
    as_json: JsonOption = False,
    first: Annotated[str, typer.Option("--from", help="First stage.")] = "staging",
    last: Annotated[str, typer.Option("--to", help="Last stage.")] = "report",
    extracted: ExtractedOption = None,
) -> None:
    """Run every stage; a stage whose definitions and inputs are unchanged does nothing."""
    from tenure.stages.run import stages_between

    order = list(STAGES)
    for name in (first, last):
        if name not in order:
            raise typer.BadParameter(f"'{name}' is not a stage; stages: {', '.join(order)}")
    if order.index(first) > order.index(last):
        raise typer.BadParameter(f"--from {first} comes after --to {last}; the order is: {', '.join(order)}")
    run_stages(project, data, engine, as_json, tuple(stages_between(first, last)), extracted=extracted)


def run_stages(
    project: Path,
    data: Path | None,
    engine: str,
    as_json: bool,
    stages: tuple[str, ...] | None = None,
    *,
    extracted: datetime | None = None,
) -> None:
    """Run stages, by default all, and print what each did; say where the report is if it was written."""
    from tenure.stages.run import run as stages_run

    with open_project(project, data, engine, as_json=as_json) as work:
        work.extracted = extracted.date() if extracted else None
        for record in stages_run(work, stages or tuple(STAGES)):
            print_record(record, as_json)
        if not as_json and (not stages or "report" in stages):
            say(f"report: {work.output / 'report.html'}\nlist:   {work.output / 'attrition_list.csv'}")
