"""Views: each table as read-only SQL in a DuckDB file, of one version, without personal columns unless asked for."""

import shutil
import stat

import duckdb
import pytest
from tiny_bank import write_leavers, write_tiny_bank
from typer.testing import CliRunner

from tenure import cli
from tenure.catalog.views import write_views
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

STAGES = stages_between("staging", "training_set")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = write_tiny_bank(tmp_path_factory.mktemp("views") / "bank")
    write_leavers(folder / "data")
    sources = folder / "sources.py"
    text = sources.read_text()
    assert 'Column("region", role="attribute")' in text
    sources.write_text(text.replace('Column("region", role="attribute")', 'Column("region", role="pii")'))
    features = folder / "features" / "paid.py"
    lines = features.read_text().splitlines(keepends=True)
    features.write_text("".join(line for line in lines if not line.startswith("who = ")))
    with Work.open(folder, overrides={"verify": {"customers": 0}}) as work:
        list(run(work, STAGES))
    return folder


@pytest.fixture
def bank(built, tmp_path):
    return shutil.copytree(built, tmp_path / "bank")


def asked(file, question):
    with duckdb.connect(str(file), read_only=True) as database:
        return database.sql(question).fetchall()


def test_every_table_is_a_view_of_its_rows(bank):
    with Work.open(bank) as work:
        file, views = write_views(work)
        lake = work.lake
        assert {view.table for view in views} == {table for table in lake.tables() if lake.require(table).files}
        for view in views:
            assert asked(file, f"SELECT COUNT(*) FROM {view.name}") == [(lake.require(view.table).rows,)]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert asked(file, "SELECT COUNT(*) FROM features WHERE snapshot_date = DATE '2024-05-31'")[0][0] > 0
    told = dict(asked(file, "SELECT view, version FROM tenure.versions"))
    assert told["features"] == 0


def test_personal_columns_are_shown_only_if_asked_for(bank):
    with Work.open(bank) as work:
        file, views = write_views(work)
        assert {view.name: view.left_out for view in views}["staging.customers"] == ("region",)
        with pytest.raises(duckdb.BinderException, match="region"):
            asked(file, "SELECT region FROM staging.customers")
        file, _ = write_views(work, personal=True)
    assert asked(file, "SELECT COUNT(region) FROM staging.customers")[0][0] > 0


def test_an_outdated_view_says_so_and_shows_no_row(bank):
    with Work.open(bank) as work:
        file, _ = write_views(work)
        rows = work.lake.read("labels")
    assert asked(file, "SELECT COUNT(*) FROM labels") == [(rows.num_rows,)]
    churn = bank / "churn.py"
    churn.write_text(churn.read_text().replace("horizon=30", "horizon=28"))
    with Work.open(bank, overrides={"verify": {"customers": 0}}) as work:
        for record in run(work, STAGES):
            if record.stage == "labels":
                with pytest.raises(duckdb.Error, match="shows version 0 of table 'labels', which has a newer one"):
                    asked(file, "SELECT COUNT(*) FROM labels")
    assert asked(file, "SELECT COUNT(*) FROM labels")[0][0] > 0, "the run wrote them anew at its end"


@pytest.mark.parametrize("personal", [True, False])
def test_a_run_writes_the_views_anew_as_they_were_asked_for(bank, personal):
    with Work.open(bank, overrides={"verify": {"customers": 0}}) as work:
        list(run(work, ["labels"]))
        file = work.output / "lake.duckdb"
        assert not file.exists(), "nobody asked for views"
        write_views(work, personal=personal)
        before = file.stat().st_ino
        list(run(work, ["labels"]))
    assert file.stat().st_ino != before
    columns = {row[0] for row in asked(file, "DESCRIBE staging.customers")}
    assert ("region" in columns) == personal


def test_a_file_that_is_no_database_is_left_alone(bank):
    with Work.open(bank, overrides={"verify": {"customers": 0}}) as work:
        file = work.output / "lake.duckdb"
        file.parent.mkdir(exist_ok=True)
        file.write_text("the bank's own")
        list(run(work, ["labels"]))
    assert file.read_text() == "the bank's own"


def test_the_verb_names_the_file_and_each_view(bank):
    done = CliRunner().invoke(cli.app, ["views", "--project", str(bank)])
    assert done.exit_code == 0
    assert "features" in done.stdout
    assert "without region" in done.stdout
    assert str(bank / "out" / "lake.duckdb") in done.stdout
