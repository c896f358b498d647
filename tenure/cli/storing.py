"""Verbs of the feature store and its lake: what is due, what is computed, exported, restored, adopted."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenure.cli.application import (
    VERBS,
    DataOption,
    EngineOption,
    FromOption,
    JsonOption,
    ProjectOption,
    ToOption,
    app,
    verb,
)
from tenure.cli.printing import open_lake, open_project, print_one, print_plan, print_record
from tenure.cli.records import (
    CompactRecord,
    CopyRecord,
    ForgottenFileRecord,
    ForgottenRecord,
    ForgottenTableRecord,
    MigrationRecord,
    PlanRecord,
    RepairRecord,
)
from tenure.cli.terminal import say
from tenure.define.flat import require_dates

if TYPE_CHECKING:
    from tenure.catalog.forgetting import Forgotten


@verb("build")
def plan(
    project: ProjectOption = Path(),
    data: DataOption = None,
    first: FromOption = None,
    last: ToOption = None,
    engine: EngineOption = "",
    as_json: JsonOption = False,
) -> None:
    """Print which snapshots and tiles are missing or stale, why, and what a backfill would do. Changes nothing."""
    from tenure.feature_store.plan import plan_backfill
    from tenure.intake.calendar import calendar
    from tenure.intake.staging import restaged

    start, end = _days(first, last)
    with open_project(project, data, engine) as work:
        require_dates(work.project, "'tenure plan'")
        changed = restaged(work)
        for name, read in changed.items():
            table = work.stored(name)
            staged = work.lake.find(table) is not None
            state, why = (
                ("stale", f"raw files or definition changed; {read}") if staged else ("missing", "not staged yet")
            )
            print_plan(PlanRecord(table, "", state, why), as_json)
        found = plan_backfill(work, calendar(work).plan, first=start, last=end)
        for part in found.partitions:
            if as_json or part.state != "current":
                print_plan(PlanRecord.of(part), as_json)
    if not as_json:
        states = Counter(part.state for part in found.features)
        say(f"features: {', '.join(f'{n} {state}' for state, n in states.items())}")
        if changed:
            say("This plans on the rows staged before: run 'tenure staging', then 'tenure plan' again.")
        if found.due or found.retired:
            dropped = f" and drop {len(found.retired)}" if found.retired else ""
            planned = len(found.features) - len(found.retired)
            say(f"Run 'tenure backfill' to compute {len(found.due)} of {planned} snapshots{dropped}.")


@verb("build")
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
    with open_project(project, data, engine, as_json=as_json) as work:
        for record in backfilled(work, start, end):
            print_record(record, as_json)


@verb("build")
def materialize(
    project: ProjectOption = Path(), data: DataOption = None, engine: EngineOption = "", as_json: JsonOption = False
) -> None:
    """Compute the features of the newest snapshot, if they are missing or stale."""
    from tenure.stages.run import materialize as materialized

    with open_project(project, data, engine) as work:
        for record in materialized(work):
            print_record(record, as_json)


def _days(first: datetime | None, last: datetime | None) -> tuple[date | None, date | None]:
    start, end = first and first.date(), last and last.date()
    if start and end and start > end:
        raise typer.BadParameter(f"--from {start} comes after --to {end}")
    return start, end


@verb("build")
def adopt(
    name: Annotated[str, typer.Argument(help="The name of the project that the lake belongs to now.")],
    project: ProjectOption = Path(),
) -> None:
    """Give the lake to this project: the same bank under a new name, or in another folder."""
    from tenure.session.work import adopt as adopted

    lake, owner = adopted(project, name)
    typer.echo(f"The lake '{lake}' belongs to project '{owner.project}' now. Run 'tenure run'.")


_lakes = typer.Typer(help="Move a lake: from this machine to S3, or back.", rich_markup_mode=None)
VERBS["lake"] = "build"
app.add_typer(_lakes, name="lake")


@_lakes.callback()
def lake() -> None:
    """Take what stands before the verb."""


@_lakes.command("copy")
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="The lake: a folder, or s3://bucket/prefix.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Where nothing lies yet, or an earlier try's beginning.")],
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Copy a lake, each file held against its digest; what an earlier try copied is not sent again."""
    from tenure.session.moving import copy_lake

    done = copy_lake(project, source, target)
    size = f"{done.bytes / 1e6:,.1f} MB"
    line = f"{done.files:,} files, {done.sent:,} of them copied now ({size}). Set [lake] path = '{target}' to use them."
    print_one(CopyRecord(done.files, done.sent, done.bytes), line, as_json)


@_lakes.command("migrate")
def migrate(
    old: Annotated[str, typer.Argument(metavar="FROM", help="The folder of the lake that an older Tenure wrote.")],
    project: ProjectOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Take the newest version of each table of a lake of format 0 into this project's new lake."""
    from tenure.session.moving import migrate_lake

    for version in migrate_lake(project, old):
        line = f"{version.table:28} {version.rows:>12,} rows"
        print_one(MigrationRecord(version.table, version.rows), line, as_json)
    if not as_json:
        say(f"'{old}' is as it was. Run 'tenure run': what changed since is built anew.")


@verb("build")
def compact(
    project: ProjectOption = Path(),
    keep: Annotated[
        int, typer.Option(min=1, help="Days for which versions that were replaced can still be read.")
    ] = 30,
    as_json: JsonOption = False,
) -> None:
    """Merge small files of every table, and remove what only versions replaced longer ago still name."""
    from tenure.catalog.views import refresh_views
    from tenure.feature_store.upkeep import compact_lake

    with open_project(project, None, "") as work:
        for done in compact_lake(work, keep=timedelta(days=keep)):
            line = f"{done.table:28} {done.files_before:>6,} → {done.files:>6,} files"
            removed = f"  {done.removed:,} old ones removed, {done.bytes / 1e6:,.1f} MB" if done.removed else ""
            record = CompactRecord(done.table, done.files_before, done.files, done.removed, done.bytes)
            print_one(record, f"{line}{removed}", as_json)
        refresh_views(work)


@verb("build")
def repair(
    project: ProjectOption = Path(),
    data: DataOption = None,
    engine: EngineOption = "",
    as_json: JsonOption = False,
) -> None:
    """Move damaged files aside and build again what can be built; say what can't be."""
    from tenure.stages.repair import repair as repaired
    from tenure.store.repair import Repaired

    found = lost = 0
    with open_project(project, data, engine) as work:
        for done in repaired(work):
            if not isinstance(done, Repaired):
                print_record(done, as_json)
                continue
            found += 1
            lost += done.is_loss
            moved = f" ({len(done.moved):,} moved to damaged/{work.run_id})" if done.moved else ""
            line = f"{'LOST' if done.is_loss else 'ok':4}  {done.table}: {done.meaning}{moved}"
            print_one(RepairRecord.of(done), line, as_json)
    if as_json:
        return
    if not found:
        say("ok  nothing is damaged")
    elif lost:
        say("What is lost is named above. A backup may have it: see docs/storage.md.")


@verb("build")
def forget(
    keys: Annotated[
        list[str],
        typer.Argument(metavar="KEY…", help="A customer's key each; of several columns 'a=1,b=2' or '1,2'."),
    ],
    project: ProjectOption = Path(),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: it can't be undone.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove customers from every table, version and file that is kept, and refuse their rows from now on."""
    from tenure.catalog.forgetting import foreseen
    from tenure.catalog.forgetting import forget as forgotten

    if as_json and not (yes or dry_run):
        raise typer.BadParameter("--json asks nothing: add --yes, or --dry-run")
    if not yes:
        with open_project(project, None, "") as work:
            _print_forgotten(foreseen(work, keys), as_json, done=False)
        if dry_run or not typer.confirm("Forget for good? It can't be undone"):
            return
    with open_project(project, None, "") as work:
        _print_forgotten(forgotten(work, keys), as_json, done=True)


def _print_forgotten(found: Forgotten, as_json: bool, *, done: bool) -> None:
    """Print what goes, or went: tables, files, then the sum."""
    for table in found.tables:
        line = f"{table.table:28} {table.rows:>10,} rows of {table.files:,} {'file' if table.files == 1 else 'files'}"
        print_one(ForgottenTableRecord(table.table, table.files, table.rows), line, as_json)
    for file in found.files:
        print_one(ForgottenFileRecord(file.file, file.done), f"{file.file}  {file.done}", as_json)
    if as_json:
        say(ForgottenRecord(done, found.customers, found.rows, found.models, found.proved).line())
        return
    if found.models:
        say(
            f"Models that saw the customer, and stay as they are until they are trained anew: {', '.join(found.models)}"
        )
    if not done:
        say("Nothing was changed.")
        return
    say(f"Forgotten. {found.proved:,} files were decoded and searched: no trace.")
    say("If the raw files hold the customer still, they are the bank's to clean; staging leaves such rows out.")


@verb("build", "historical-features")
def historical_features(
    spine: Annotated[Path, typer.Option("--spine", help="Parquet or CSV file with the key's columns and a time.")],
    features: Annotated[str, typer.Option("--features", help="Views, columns or services, separated by commas.")],
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
        strange, keys = job.unmatched()
    say(f"{rows:,} {'row' if rows == 1 else 'rows'} with {len(job.columns)} features: {out}{note and f'; {note}'}")
    if strange:
        of_keys = f"{keys:,} {'key' if keys == 1 else 'keys'}"
        say(f"note: {strange:,} of the {rows:,} rows, of {of_keys}, match no customer; their features are nobody's.")


@verb("build")
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
        for name in done.versions:
            after = next_stage(name)
            if after and not as_json:
                say(f"What reads it is stale now. Run: tenure run --from {after} --project {project}")
