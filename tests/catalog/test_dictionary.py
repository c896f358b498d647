"""The data dictionary of a small bank, worked out by hand, and what it may not hold."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
import tiny_bank
import yaml
from canaries import leaks_in_files
from typer.testing import CliRunner

import tenure
from tenure.catalog.dictionary import dictionary, write_dictionary
from tenure.checks.in_memory import schema_of
from tenure.cli import app
from tenure.errors import InvalidConfig
from tenure.publish.dictionary.bank_words import BANK_WORDS
from tenure.publish.dictionary.pages import html, markdown
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

#: Names in a personal column: none of them may be anywhere.
CANARIES = ("Zerbinetta", "Quillfeather", "Ashgrovian")


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """A bank with a personal column and key, built twice: the second time with one feature less and one more."""
    folder = tiny_bank.write_tiny_bank(tmp_path_factory.mktemp("dictionary") / "bank")
    sources, features = folder / "sources.py", folder / "features" / "paid.py"
    customers = folder / "data" / "customers.csv"
    head, *rows = customers.read_text().splitlines()
    named = [f"{row},{CANARIES[number % 3]}" for number, row in enumerate(rows)]
    customers.write_text("\n".join([f"{head},surname", *named]) + "\n")
    sources.write_text(
        sources.read_text().replace(
            'Column("region", role="attribute"),',
            'Column("region", doc="Where | the customer lives"), Column("surname", role="pii"),',
        )
    )
    build(folder)
    text = features.read_text().replace('how=("sum", "mean")', 'how=("sum", "max")')
    features.write_text(text)
    build(folder)
    return folder


def build(folder):
    with Work.open(folder) as work:
        list(run(work, stages_between("staging", "training_set")))


@pytest.fixture(scope="module")
def found(bank):
    with Work.open(bank) as work:
        return dictionary(work)


@pytest.fixture(scope="module")
def written(bank):
    result = CliRunner().invoke(app, ["docs", "-p", str(bank), "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    records = [json.loads(line) for line in result.output.splitlines()]
    assert {record["record"] for record in records} == {"document"}
    assert all(Path(record["file"]).is_file() for record in records)
    return bank / "out" / "dictionary"


def column(found, table, name):
    (entry,) = [one for one in found.tables if one.name == table]
    (said,) = [one for one in entry.columns if one.name == name]
    return said


def test_a_feature_says_its_formula_window_lineage_and_what_it_holds(found):
    said = column(found, "features", "large_count_90d")
    assert said.meaning == "Payments above 50 dollars, count over the 90 days before"
    boundary = "event_time in [t − 90d, t), known_time < t"
    assert said.formula == f"number of the rows of payments where amount > 50, {boundary}"
    assert said.window == "──[ t − 90d ··················)┊ t"
    assert (said.boundary, said.empty) == (boundary, "0 where there are none")
    assert "payments.amount" in said.sources
    assert "payments.amount (payments.csv)" in said.raw
    assert (said.type, said.unit, said.defined) == ("BIGINT", "", "features/paid.py:11")
    assert "r.event_time >= p.start_90d AND r.event_time < p.ts" in said.sql
    assert said.facts == {"rows": 232, "null_share": 0.0, "min": 0, "median": 6.0, "max": 7}
    assert said.since.startswith("version 0, ")
    assert said.changes == ()


def test_a_source_s_column_says_its_doc_role_and_raw_column(found):
    said = column(found, "staging/payments", "amount")
    assert (said.type, said.unit, said.role, said.raw) == (
        "DECIMAL(18, 2)",
        "USD",
        "measure",
        ("payments.amount (payments.csv)",),
    )
    assert column(found, "staging/customers", "region").meaning == "Where | the customer lives"
    assert column(found, "staging/customers", "customer_id").meaning == "the customer"


def test_columns_that_came_and_went_are_told_with_their_version(found):
    added = column(found, "features", "amount_max_30d")
    assert added.since.startswith("version 1, ")
    assert [change.partition(",")[0] for change in added.changes] == ["added in version 1"]
    (features,) = [table for table in found.tables if table.name == "features"]
    assert [gone.partition(",")[0] for gone in features.dropped] == [
        "amount_mean_30d: dropped in version 1",
        "amount_mean_90d: dropped in version 1",
    ]


def test_a_feature_that_came_to_mean_something_else_says_since_when(bank, tmp_path):
    """Not one of which only the words are new, and none where the rows alone changed."""
    folder = shutil.copytree(bank, tmp_path / "bank")
    view = folder / "features" / "paid.py"
    said = view.read_text()
    assert "amount > 50" in said
    view.write_text(said.replace("amount > 50", "amount > 60").replace('doc="', 'doc="In other words: ', 1))
    build(folder)
    with Work.open(folder) as work:
        after = dictionary(work)
    changes = column(after, "features", "large_count_90d").changes
    assert [change.partition(",")[0] for change in changes] == ["defined otherwise since version 2"]
    changed = {
        entry.name for table in after.tables if table.name == "features" for entry in table.columns if entry.changes
    }
    large = {name for name in changed if name.startswith("large_")}
    assert changed - large == {"amount_max_30d", "amount_max_90d"}  # added in version 1, and the same since


def test_every_column_that_sql_makes_has_a_meaning(found):
    made = [table for table in found.tables if not table.name.startswith("staging/")]
    assert {table.name for table in made} >= {
        "snapshots",
        "features",
        "labels",
        "splits",
        "split_proof",
        "training_set",
    }
    assert [f"{t.name}.{c.name}" for t in made for c in t.columns if not c.meaning] == []


def test_of_a_personal_column_and_of_keys_nothing_is_looked_at(found):
    surname = column(found, "staging/customers", "surname")
    assert surname.personal
    assert surname.facts == {}
    for table in found.tables:
        assert [c.name for c in table.columns if c.facts and (c.personal or c.name == "customer_id")] == []


def test_no_name_of_a_customer_is_in_any_file(written, tmp_path):
    with zipfile.ZipFile(written / "dictionary.xlsx") as book:
        book.extractall(tmp_path)
    assert leaks_in_files(written, CANARIES) == leaks_in_files(tmp_path, CANARIES) == []


def test_every_format_is_written(written):
    files = {file.relative_to(written).as_posix() for file in written.rglob("*") if file.is_file()}
    assert files >= {"dictionary.md", "dictionary.html", "dictionary.xlsx", "schema.yml"}
    assert {"tables/features/metadata.json", "tables/staging/payments/metadata.json"} <= files


def test_dbt_s_yaml_names_each_column_once(written, found):
    parsed = yaml.safe_load((written / "schema.yml").read_text())
    tables = {}
    for source in parsed["sources"]:
        for table in source["tables"]:
            names = [one["name"] for one in table["columns"]]
            assert len(set(names)) == len(names)
            tables[f"{source['schema']}/{table['name']}".removeprefix("main/")] = names
    assert tables == {table.name: [one.name for one in table.columns] for table in found.tables}


def test_one_format_alone_goes_into_the_folder_that_is_asked_for(bank, tmp_path):
    words = ["docs", "-p", str(bank), "--out", str(tmp_path / "docs"), "--format", "markdown"]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    assert [file.name for file in (tmp_path / "docs").iterdir()] == ["dictionary.md"]


def test_an_unknown_format_is_refused_before_anything_is_looked_at(bank):

    with (
        Work.open(bank) as work,
        pytest.raises(InvalidConfig, match=r"'pdf' is no format .* dbt, html, json, markdown"),
    ):
        write_dictionary(work, ["pdf"])


def test_a_project_without_a_lake_has_its_dictionary(tmp_path):
    with Work.open(tiny_bank.write_tiny_bank(tmp_path / "bank")) as work:
        made = dictionary(work)
    assert column(made, "features", "amount_sum_90d").type == ""
    assert [table.version for table in made.tables] == [None] * len(made.tables)


def test_the_words_of_banks_name_columns_of_the_bank_pack():
    pack = tenure.load_project(Path(tenure.__file__).parent / "templates" / "bank", "Demo Bank")
    names = set(map(str, pack.columns))
    assert [(word.said, name) for word in BANK_WORDS for name in word.columns if name not in names] == []
    said = " ".join(word.said for word in BANK_WORDS)
    assert all(phrase in said for phrase in ("direct deposit stopped", "bill pay down", "share draft", "card silent"))


def test_columns_say_their_quality_and_features_the_lowest_of_what_they_are_made_of(bank, tmp_path):
    scored = {("payments", ""): 97.5, ("payments", "amount"): 91.25, ("payments", "paid_on"): 99.0}
    copy = shutil.copytree(bank, tmp_path / "bank")
    with Work.open(copy) as work:
        contract = work.contracts["quality"]
        rows = [
            {"source": source, "run_id": "29991231T000000-aaaaaa", "column_name": name, "score": score}
            | {"checks": 2, "failed": 1}
            for (source, name), score in scored.items()
        ]
        values = {"source": "payments", "run_id": rows[0]["run_id"]}
        with work.lake.locked():
            work.lake.write_partition(pa.Table.from_pylist(rows, schema=schema_of(contract)), contract, values)
        made = dictionary(work)
    (payments,) = [table for table in made.tables if table.name == "staging/payments"]
    assert payments.quality == 97.5
    assert column(made, "staging/payments", "amount").quality_words == "91.2 of 100"
    assert column(made, "features", "amount_sum_30d").quality == 91.25
    assert column(made, "labels", "churned").quality == 99.0
    assert "Data quality: 97.5 of 100." in markdown(made)
    assert "91.2 of 100" in html(made)
