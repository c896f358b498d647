"""The command: one verb a stage. It prints an error and its hint; it never shows a traceback for a user's mistake.

Exit codes: 0 done · 1 a bug in Tenure · 2 wrong usage · 3 the project's files · 4 the raw data · 5 labels and models
· 6 a broken contract or proof · 7 the engine or the lake.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

import tenure
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


@app.command()
def version() -> None:
    """Print Tenure's version."""
    typer.echo(tenure.__version__)


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="The new project's folder.")]) -> None:
    """Write a bank project to edit: tenure.toml, sources.py, churn.py and features/."""
    from tenure.pipeline.start import write_project

    for file in write_project(folder):
        typer.echo(f"wrote {file}")
    typer.echo(f"Put the raw files into {folder / 'data'}, edit sources.py, then run: tenure check --project {folder}")


@app.command()
def demo(
    customers: Annotated[str, typer.Option(help="How many customers: 2k, 20k, 100k, 1M or any number.")] = "2k",
    folder: Annotated[Path, typer.Option("--dir", help="Folder of the demo bank.")] = Path("demo-bank"),
    engine: EngineOption = "",
    as_json: JsonOption = False,
) -> None:
    """Generate a realistic bank, run every stage on it and write its report."""
    from tenure.demo import generate_bank, parse_customers
    from tenure.pipeline.start import write_project

    number = parse_customers(customers)
    if not (folder / "tenure.toml").exists():
        write_project(folder)
    with _told("generate", as_json) as say:
        facts = generate_bank(folder, customers=number)
        say(rows=facts.rows["transactions"], message=f"{number:,} customers")
    _run_stages(folder, None, engine, as_json)


@app.command()
def check(
    project: ProjectOption = Path(),
    data: DataOption = None,
    engine: EngineOption = "",
    as_json: JsonOption = False,
) -> None:
    """Check every definition against the sources, before anything runs."""
    from tenure.pipeline.inspect import check as findings
    from tenure.pipeline.leaks import data_signs

    with _open(project, data, engine) as work:
        for finding in findings(work):
            typer.echo(json.dumps(vars(finding)) if as_json else f"ok  {finding.subject}: {finding.told}")
        _require_no_leak(data_signs(work), as_json)


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
    from tenure.pipeline.run import STAGES, stages_between

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
    from tenure.pipeline.data import calendar, restaged
    from tenure.pipeline.plan import plan_backfill

    start, end = _days(first, last)
    with _open(project, data, engine) as work:
        changed = restaged(work)
        for name in changed:
            known = work.lake.find(f"staging/{name}")
            state, why = ("stale", "raw files or definition changed") if known else ("missing", "not staged yet")
            _print_plan({"table": f"staging/{name}", "state": state, "why": why}, as_json)
        found = plan_backfill(work, calendar(work).plan, first=start, last=end)
        for part in found.partitions:
            told = {"table": part.table, "partition": str(part.value), "state": part.state, "why": part.why}
            if as_json or part.state != "current":
                _print_plan(told, as_json)
    if not as_json:
        states = Counter(part.state for part in found.features)
        typer.echo(f"features: {', '.join(f'{n} {state}' for state, n in states.items())}")
        if changed:
            typer.echo("This plans on the rows staged before: run 'tenure staging', then 'tenure plan' again.")
        if found.due or found.retired:
            dropped = f" and drop {len(found.retired)}" if found.retired else ""
            planned = len(found.features) - len(found.retired)
            typer.echo(f"Run 'tenure backfill' to compute {len(found.due)} of {planned} snapshots{dropped}.")


def _print_plan(told: dict[str, str], as_json: bool) -> None:
    typer.echo(
        json.dumps(told)
        if as_json
        else f"{told['table']:24} {told.get('partition', ''):10} {told['state']:8} {told['why']}"
    )


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
    from tenure.pipeline.run import backfill as backfilled

    start, end = _days(first, last)
    with _open(project, data, engine) as work:
        for record in backfilled(work, start, end):
            _print_record(record, as_json)


@app.command()
def materialize(
    project: ProjectOption = Path(), data: DataOption = None, engine: EngineOption = "", as_json: JsonOption = False
) -> None:
    """Compute the features of the newest snapshot, if they are missing or stale."""
    from tenure.pipeline.run import materialize as materialized

    with _open(project, data, engine) as work:
        for record in materialized(work):
            _print_record(record, as_json)


def _days(first: datetime | None, last: datetime | None) -> tuple[date | None, date | None]:
    start, end = (moment.date() if moment else None for moment in (first, last))
    if start and end and start > end:
        raise typer.BadParameter(f"--from {start} comes after --to {end}")
    return start, end


@app.command()
def status(project: ProjectOption = Path(), as_json: JsonOption = False) -> None:
    """Tell what each stage last did, from the run ledger."""
    from tenure.pipeline.inspect import state

    with _open(project, None, "") as work:
        records = state(work)
    if not records and not as_json:
        typer.echo("Nothing was run yet. Run 'tenure run'.")
    for record in records:
        if as_json:
            typer.echo(json.dumps(record, default=str))
        else:
            _print_stage(record)


@app.command()
def sql(
    stage: Annotated[str, typer.Argument(help="staging, snapshots, features, labels, splits or training_set.")],
    project: ProjectOption = Path(),
    data: DataOption = None,
    engine: EngineOption = "",
) -> None:
    """Print the SQL of a stage, as it runs."""
    from tenure.pipeline.inspect import SQL_STAGES, statements

    name = stage.replace("-", "_")
    if name not in SQL_STAGES:
        raise typer.BadParameter(f"'{stage}' is not made by SQL; stages that are: {', '.join(SQL_STAGES)}")
    with _open(project, data, engine) as work:
        for select in statements(work, name, work.dialect):
            typer.echo(f"-- {select.table}\n{select.text};\n")


@app.command()
def lineage(
    column: Annotated[str, typer.Argument(help="A feature column, or TABLE.COLUMN such as transactions.amount.")],
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Tell what a column is made of, back to the raw columns, and what reads it, on to the models."""
    from tenure.pipeline.lineage import lineage as traced

    with _open(project, None, "") as work:
        found = traced(work, column)
        typer.echo(json.dumps(found.as_json()) if as_json else found.drawn())


@app.command()
def history(
    table: Annotated[str, typer.Argument(help="A table such as features or staging/customers; left out: all.")] = "",
    project: ProjectOption = Path(),
    limit: Annotated[int, typer.Option(min=1, help="The newest versions.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Tell a table's versions: when, how many rows, made of what, by which run and stage."""
    from tenure.pipeline.versions import newest_versions, versions

    with _open(project, None, "") as work:
        for one in versions(work, table, limit) if table else newest_versions(work):
            if as_json:
                typer.echo(json.dumps(vars(one)))
            else:
                told = f"{one.stage or '-':13} {one.run_id:22} {one.note}".rstrip()
                name = "" if table else f"{one.table:28} "
                typer.echo(
                    f"{name}{one.version:>4}  {one.committed_at}  {one.rows:>12,} rows  {one.fingerprint:16}  {told}"
                )


@app.command()
def restore(
    table: Annotated[str, typer.Argument(help="A table such as features or staging/customers.")],
    version: Annotated[int, typer.Option(help="The version to make current again.")],
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Make an old version of a table current again, as a new version."""
    from tenure.pipeline.versions import next_stage
    from tenure.pipeline.versions import restore as restored

    with _open(project, None, "") as work:
        done = restored(work, table, version)
        _print_record(done, as_json)
        after = next((next_stage(name) for name in done.versions), "")
        if after and not as_json:
            typer.echo(f"What reads it is stale now. Run: tenure run --from {after} --project {project}")


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
    from tenure.pipeline.versions import shown

    with _open(project, None, "") as work:
        found = shown(work, table, version=version, most=limit, where=where, columns=column or ())
    for number, row in enumerate(found.to_pylist()):
        if as_json:
            typer.echo(json.dumps(row, default=str))
        else:
            lines = [f"{name:40} {'' if value is None else value}".rstrip() for name, value in row.items()]
            typer.echo(("\n" if number else "") + "\n".join(lines))


@app.command()
def verify(
    project: ProjectOption = Path(),
    data: DataOption = None,
    engine: EngineOption = "",
    as_json: JsonOption = False,
    rows: Annotated[bool, typer.Option("--rows", help="Only: rows of snapshots in = rows of features out.")] = False,
    oracle: Annotated[bool, typer.Option("--oracle", help="Only: sampled customers in plain Python.")] = False,
    time_travel: Annotated[
        bool, typer.Option("--time-travel", help="Only: everybody with the future destroyed.")
    ] = False,
    backfill: Annotated[bool, typer.Option("--backfill", help="Only: everybody, one snapshot at a time.")] = False,
    leaks: Annotated[bool, typer.Option("--leaks", help="Only: rows and features that know too much.")] = False,
    customers: Annotated[int, typer.Option(min=0, help="Customers of the oracle; 0: as [verify] says.")] = 0,
    snapshots: Annotated[int, typer.Option(min=0, help="Snapshots at most; 0: all of the oracle's, else 3.")] = 0,
    engines: Annotated[str, typer.Option(help="Compare these two engines instead, such as duckdb,spark.")] = "",
) -> None:
    """Prove the stored features: rows, oracle, time travel, backfill, no leaks; or compare two engines cell by cell."""
    from tenure.pipeline import verify as stage
    from tenure.pipeline.leaks import every_sign

    if engines:
        left, _, right = engines.partition(",")
        if _print_comparisons(stage.compare_engines(project, data, left, right), as_json):
            raise errors.CheckFailed(f"{left} and {right} do not give the same tables.", hint="See the lines above.")
        return
    flags = {"rows": rows, "oracle": oracle, "time travel": time_travel, "backfill": backfill}
    with _open(project, data, engine) as work:
        chosen = [name for name, asked in flags.items() if asked]
        if chosen or not leaks:
            for proof in stage.verify(work, chosen, customers=customers, most=snapshots):
                _print_proof(proof, as_json)
        if leaks or not chosen:
            _require_no_leak(every_sign(work), as_json)


def _print_proof(proof: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(vars(proof)))
        return
    found = "equal" if proof.holds else f"{proof.different_cells:,} differ, {proof.example}"
    status = "proved" if proof.holds else "FAILED"
    typer.echo(f"{proof.proof:13} {status:8} {proof.cells:>12,} cells {proof.seconds:>7.2f} s  {found}: {proof.told}")
    for column, reason in proof.unproven.items():
        typer.echo(f"{'':13} not proved {column}: {reason}")


def _require_no_leak(signs: Iterator[Any], as_json: bool) -> None:
    """Print each sign of a leak as it is found; raise CheckFailed, naming the first, if any is one."""
    leaks, notes = [], 0
    for sign in signs:
        leaks += [sign] if sign.alarm else []
        notes += not sign.alarm
        mark = "LEAK" if sign.alarm else "note"
        typer.echo(json.dumps(vars(sign)) if as_json else f"{mark}  {sign.subject}: {sign.detection}: {sign.told}")
    if leaks:
        number = "1 leak" if len(leaks) == 1 else f"{len(leaks)} leaks, the first"
        raise errors.CheckFailed(f"{number} in {leaks[0].subject}: {leaks[0].told}", hint=leaks[0].hint)
    if not as_json:
        typer.echo(f"ok  leaks: none found{', but for the notes above' if notes else ''}")


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
) -> None:
    """Add features to the rows of a file, each as it was known at the row's own time."""
    from tenure.pipeline.feature_store import FeatureStore

    with FeatureStore(project, engine=engine) as store:
        names = [name.strip() for name in features.split(",") if name.strip()]
        job = store.get_historical_features(spine, names, timestamp=timestamp)
        job.to_file(out)
        rows = job.to_arrow().num_rows
    typer.echo(f"{rows:,} {'row' if rows == 1 else 'rows'} with {len(job.columns)} features: {out}")


def _print_comparisons(comparisons: Iterator[Any], as_json: bool) -> bool:
    """Print each comparison as it ends; return whether any found a difference."""
    different = False
    for comparison in comparisons:
        different |= not comparison.equal
        told = f"{comparison.rows:,} rows × {comparison.columns} columns: " + (
            "equal" if comparison.equal else f"{comparison.different_cells:,} cells differ, {comparison.example}"
        )
        typer.echo(json.dumps(vars(comparison)) if as_json else f"{comparison.table:24} {told}")
    return different


def _stage_command(stage: str) -> Callable[..., None]:
    def command(
        project: ProjectOption = Path(),
        data: DataOption = None,
        engine: EngineOption = "",
        as_json: JsonOption = False,
    ) -> None:
        _run_stages(project, data, engine, as_json, (stage,))

    return command


def _add_stage_commands() -> None:
    from tenure.pipeline.stages import STAGE_DOCS

    for stage, doc in STAGE_DOCS.items():
        if stage == "features":
            _add_features_commands(doc)
        else:
            app.command(stage, help=f"{doc}.")(_stage_command(stage))


def _add_features_commands(doc: str) -> None:
    """`tenure features` builds the table; `tenure features list|search|describe` looks definitions up."""
    group = typer.Typer(help=f"{doc}; or look features up.", rich_markup_mode=None)
    build = _stage_command("features")

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
        from tenure.pipeline.catalog import entries

        with _open(project, None, "") as work:
            _print_entries(entries(work.project, names or ()), as_json)

    @group.command()
    def search(
        words: Annotated[list[str], typer.Argument(help="Words of the name or the meaning.")],
        project: ProjectOption = Path(),
        as_json: JsonOption = False,
    ) -> None:
        """Find the feature columns that fit some words, the best first."""
        from tenure.pipeline.catalog import search as find

        with _open(project, None, "") as work:
            found = find(work.project, " ".join(words))
        _print_entries(found, as_json)
        if not found:
            typer.echo(f"No feature column fits '{' '.join(words)}'; see all with 'tenure features list'.", err=True)

    @group.command()
    def describe(
        name: Annotated[str, typer.Argument(help="A feature column.")],
        project: ProjectOption = Path(),
        as_json: JsonOption = False,
    ) -> None:
        """Tell what a feature column means, which rows it reads, and where it is defined."""
        from tenure.pipeline.catalog import entries

        with _open(project, None, "") as work:
            for entry in entries(work.project, [name]):
                if as_json:
                    typer.echo(json.dumps(vars(entry)))
                else:
                    typer.echo("\n".join(f"{key:13} {value}" for key, value in vars(entry).items() if value))

    app.add_typer(group, name="features")


def _print_entries(entries: Sequence[Any], as_json: bool) -> None:
    for entry in entries:
        unit = f" [{entry.unit}]" if entry.unit else ""
        typer.echo(json.dumps(vars(entry)) if as_json else f"{entry.name:48} {entry.text}{unit}")


def _open(project: Path, data: Path | None, engine: str) -> Any:
    from tenure.pipeline.work import Work

    return Work.open(project, data=data, engine=engine)


def _run_stages(
    project: Path, data: Path | None, engine: str, as_json: bool, stages: tuple[str, ...] | None = None
) -> None:
    from tenure.pipeline.run import STAGES
    from tenure.pipeline.run import run as run_stages

    with _open(project, data, engine) as work:
        for record in run_stages(work, stages or tuple(STAGES)):
            _print_record(record, as_json)
        if not as_json and (not stages or "report" in stages):
            typer.echo(f"report: {work.output / 'report.html'}\nlist:   {work.output / 'attrition_list.csv'}")


def _print_record(record: Any, as_json: bool) -> None:
    told = {k: v for k, v in vars(record).items() if k != "checks"} | {"checks": len(record.checks)}
    if as_json:
        typer.echo(json.dumps(told, default=str))
    else:
        _print_stage(told)


def _print_stage(record: dict[str, Any]) -> None:
    note = f"  {record['message']}" if record["message"] else ""
    typer.echo(
        f"{record['stage']:13} {record['status']:8} {record['rows']:>12,} rows {record['seconds']:>8.2f} s{note}"
    )


@contextmanager
def _told(stage: Literal["generate"], as_json: bool) -> Iterator[Callable[..., None]]:
    import time

    begun, told = time.perf_counter(), {"stage": stage, "status": "built", "rows": 0, "message": ""}
    yield lambda **facts: told.update(facts)
    told["seconds"] = time.perf_counter() - begun
    typer.echo(json.dumps(told)) if as_json else _print_stage(told)


_add_stage_commands()

if __name__ == "__main__":
    main()
