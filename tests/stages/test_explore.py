"""`tenure explore`: its tables against NumPy over the stored features, its page, and what it never shows."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from canaries import leaks_in_files
from tiny_bank import write_leavers, write_tiny_bank
from typer.testing import CliRunner

from tenure import cli
from tenure.define.stage import SQL_STAGES
from tenure.errors import MissingTable
from tenure.session.work import Work
from tenure.stages.explore import PAGE, TABLES, explore
from tenure.stages.run import run
from tenure.store.runs import ledger

CANARIES = ("Quentin Secretperson", "1941-03-07", "internal-note-77")


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Path:
    """A bank up to its training set, with a name, a day of birth and a note of each customer; looked at once."""
    folder = write_tiny_bank(tmp_path_factory.mktemp("explore") / "bank")
    write_leavers(folder / "data")
    people = pd.read_csv(folder / "data" / "customers.csv", dtype=str)
    people["full_name"], people["born"], people["note"] = CANARIES
    people.loc[1:, "born"] = [f"{1950 + n % 50}-01-01" for n in range(1, len(people))]
    people["joined"] = np.where(people.index < 3, "1900-01-01", people["opened_on"])
    people.to_csv(folder / "data" / "customers.csv", index=False)
    edit(
        folder / "sources.py",
        '        Column("region", role="attribute"),\n',
        '        Column("region", role="attribute", doc="Where the branch is"),\n'
        '        Column("full_name", role="pii"),\n'
        '        Column("born", type="date", role="pii"),\n'
        '        Column("note", role="metadata"),\n'
        '        Column("joined", type="date", role="attribute"),\n',
    )
    edit(
        folder / "features" / "paid.py",
        'Attribute("region", of="region", doc="Region")',
        'Attribute("region", of="region", doc="Region"), '
        'Attribute("age", of="born", how="years_since", unit="years", doc="Age")',
    )
    with Work.open(folder) as work:
        assert {record.status for record in run(work, SQL_STAGES) if record.stage != "reconcile"} == {"built"}
        assert explore(work).status == "built"
    return folder


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def rows(folder, table):
    with Work.look(folder) as work:
        return work.lake.read(table).to_pandas()


def test_profiles_are_those_of_the_stored_features(bank):
    features, profiles = rows(bank, "features"), rows(bank, "explore/profiles")
    found = profiles[(profiles["relation"] == "features") & (profiles["column_name"] == "amount_mean_30d")]
    whole = found[found["snapshot_date"].isna()].iloc[0]
    numbers = features["amount_mean_30d"].astype(float)
    assert (whole["rows"], whole["missing"]) == (len(numbers), numbers.isna().sum())
    assert whole["missing"] > 0
    assert whole["mean"] == pytest.approx(numbers.mean(), rel=1e-12)
    assert whole["deviation"] == pytest.approx(numbers.std(), rel=1e-12)
    assert (whole["least"], whole["greatest"]) == (numbers.min(), numbers.max())
    assert whole["median"] == pytest.approx(numbers.median())
    by_month = numbers.groupby(features["snapshot_date"]).median()
    assert len(by_month) == 6
    months = found.dropna(subset=["snapshot_date"]).set_index("snapshot_date")["median"]
    assert list(months.index) == list(by_month.index)
    np.testing.assert_allclose(months, by_month)


def test_all_pairs_are_those_of_pandas(bank):
    features, found = rows(bank, "features"), rows(bank, "explore/correlations")
    names = [name for name in features if name not in ("customer_id", "snapshot_date")]
    assert len(found) == len(names) * (len(names) - 1) / 2
    numbers = features[[name for name in names if name != "region"]].astype(float)
    pearson, spearman = numbers.corr(), numbers.rank().corr()
    compared = 0
    for pair in found.itertuples():
        one, other = pair.first_column, pair.second_column
        if "region" not in (one, other) and not np.isnan(pearson.loc[one, other]):
            assert pair.rows == len(numbers[[one, other]].dropna())
            assert pair.pearson == pytest.approx(pearson.loc[one, other], abs=1e-9)
            assert pair.spearman == pytest.approx(spearman.loc[one, other], abs=1e-9)
            compared += 1
    assert compared > 50


def test_labels_are_looked_at_within_train_alone(bank):
    labels, training_set = rows(bank, "explore/labels"), rows(bank, "training_set")
    train = training_set[training_set["split"] == "train"]
    assert set(labels["rows"]) == {len(train)}
    assert set(labels["churners"]) == {train["churned"].sum()}
    assert 0 < len(train) < len(training_set)
    one = labels.set_index("column_name").loc["payment_count_30d"]
    expected = np.corrcoef(train["payment_count_30d"].astype(float), train["churned"])[0, 1]
    assert one["correlation"] == pytest.approx(expected, abs=1e-12)


def test_days_that_systems_write_are_counted(bank):
    profiles = rows(bank, "explore/profiles").set_index(["relation", "column_name"])
    joined = profiles.loc[("staging/customers", "joined")]
    assert (joined["kind"], joined["placeholder_days"], joined["outliers_below"]) == ("day", 3, 0)
    assert joined["distinct_values"] == 2


def test_no_personal_value_and_no_metadata_is_kept_or_shown(bank):
    places = [bank / "out" / PAGE, *(bank / "lake" / "explore").rglob("*.parquet")]
    assert len(places) > len(TABLES)
    assert leaks_in_files(bank / "lake" / "explore", CANARIES) == []
    assert leaks_in_files(bank / "out", CANARIES) == []
    profiles = rows(bank, "explore/profiles")
    assert not set(profiles["column_name"]) & {"full_name", "born", "note", "customer_id", "payment_id"}
    age = profiles[profiles["column_name"] == "age"]
    assert len(age) == 7
    assert age[["least", "lower_quartile", "median", "upper_quartile", "greatest"]].isna().all(axis=None)
    assert "age" not in set(rows(bank, "explore/distributions")["column_name"])
    page = (bank / "out" / PAGE).read_text()
    assert "made of personal data: its values are not shown" in page
    assert "3 columns that the sources declare personal or metadata are left out" in " ".join(page.split())


def test_what_is_unchanged_is_not_computed_again_and_the_page_comes_back(bank):
    with Work.open(bank) as work:
        before = {table: work.lake.require(table).version for table in TABLES}
        assert explore(work).status == "current"
    (bank / "out" / PAGE).unlink()
    done = CliRunner().invoke(cli.app, ["explore", "--project", str(bank)])
    assert (done.exit_code, (bank / "out" / PAGE).is_file()) == (0, True)
    assert re.search(r"explore +built .* columns, \d+ pairs; explore.html is", done.output)
    assert f"page: {bank / 'out' / PAGE}" in done.output.replace("\n", "")
    with Work.open(bank) as work:
        assert all(work.lake.require(table).version > before[table] for table in TABLES)
        assert [row["status"] for row in ledger(work.lake) if row["stage"] == "explore"][-2:] == ["current", "built"]
        assert "explore" in CliRunner().invoke(cli.app, ["status", "--project", str(bank)]).output


def test_without_features_the_stage_to_run_is_named(tmp_path):
    folder = write_tiny_bank(tmp_path / "bank")
    with Work.open(folder) as work:
        with pytest.raises(MissingTable) as refused:
            explore(work)
        assert "tenure features" in refused.value.hint
        assert [row["status"] for row in ledger(work.lake)] == ["failed"]


def test_without_a_training_set_features_are_looked_at_and_the_page_says_so(tmp_path):
    folder = write_tiny_bank(tmp_path / "bank")
    with Work.open(folder) as work:
        list(run(work, ("staging", "snapshots", "features")))
        assert "no label was read" in explore(work).message
        assert work.lake.require("explore/labels").rows == 0
    assert "Nothing is said of the label" in (folder / "out" / PAGE).read_text()


@pytest.mark.spark
def test_files_that_spark_wrote_give_the_same_figures(tmp_path, spark_session):
    from tenure.engines.base import EngineSettings
    from tenure.engines.spark import SparkEngine

    found = []
    for engine in ("duckdb", "spark"):
        folder = write_tiny_bank(tmp_path / engine)
        edit(folder / "tenure.toml", "first = 2024-01-31", "first = 2024-05-31")
        with Work.open(folder, engine=engine, overrides={"verify": {"customers": 0}}) as work:
            if engine == "spark":
                work.use_engine(SparkEngine(EngineSettings(name="spark"), spark_session))
            list(run(work, ("staging", "snapshots", "features")))
            explore(work)
        profiles = rows(folder, "explore/profiles").sort_values(["relation", "column_name", "snapshot_date"])
        pairs = rows(folder, "explore/correlations")
        found.append([frame.reset_index(drop=True) for frame in (profiles, pairs)])
    for one, other in zip(*found, strict=True):
        pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=1e-9)
