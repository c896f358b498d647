"""Examples in findings of checks, proofs, comparisons and leaks show personal values by their shape alone."""

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from tiny_bank import write_tiny_bank

from tenure.catalog.personal import personal_origins
from tenure.checks.in_sql import require_passed, run_checks
from tenure.define.contract_base import Contract
from tenure.define.definitions import load_project
from tenure.define.personal import personal_cells, personal_columns, personal_keys
from tenure.define.raw_tables import Csv
from tenure.define.source import Column, Source
from tenure.define.table_contracts import contracts
from tenure.engines.base import EngineSettings
from tenure.engines.duckdb import DuckDBEngine
from tenure.errors import AdditivityError, CheckFailed
from tenure.faults.boundary import translated
from tenure.insight.contributions import Contributions
from tenure.leaks.raw_tables import RawTime, difference_finding, rival_finding
from tenure.leaks.staged_rows import TimeTest, time_finding
from tenure.leaks.target_proxies import target_proxy
from tenure.proofs.differences import compare
from tenure.proofs.wording import compare_rows
from tenure.publish.personal import personal_words
from tenure.store.digests import FileDigests

KEY = "4929-Qzx"
SHAPE = "9999-Xxx (8 characters)"

VISITS = Source(
    "visits",
    read={"raw": Csv("visits.csv")},
    select="SELECT * FROM raw",
    key="card",
    event_time="born_on",
    known_time="known_on",
    columns=[
        Column("card", role="pii"),
        Column("copy", raw="card"),
        Column("born_on", type="date", role="pii"),
        Column("known_on", type="date", role="time"),
        Column("name", role="pii"),
        Column("city"),
    ],
)


def test_a_copy_of_a_personal_column_and_a_personal_time_are_personal():
    assert personal_columns(VISITS) == {"card", "copy", "born_on", "name", "event_time"}


def test_a_check_that_fails_shows_the_shape_of_a_personal_key():
    engine = DuckDBEngine(EngineSettings(memory="1GB", threads=1))
    engine.register("rows_in", pa.table({"card": [KEY, KEY], "n": [17, 17]}))
    contract = Contract(table="visits", keys=("card", "n"), personal=frozenset({"card"}))
    found = run_checks(engine, contract, "rows_in")
    engine.close()
    assert found[0].example == f"card={SHAPE}, n=17"
    with pytest.raises(CheckFailed) as caught:
        require_passed(found)
    assert KEY not in caught.value.message + caught.value.hint


def test_cells_that_differ_show_personal_ones_by_their_shape():
    left, right = {"card": KEY, "age": 93, "n": 1}, {"card": KEY, "age": 94, "n": 1}
    found = compare_rows([left], [right], ("card",), ("age", "n"), "by the oracle", {"card", "age"})
    assert found.example == f"age at card={SHAPE}: 2 digits stored, 2 digits by the oracle"
    found = compare_rows([left], [], ("card",), ("age", "n"), "by the oracle", {"card", "age"})
    assert found.example == f"at card={SHAPE}: 1 rows stored, 0 by the oracle"


def test_tables_that_differ_show_personal_cells_by_their_shape():
    left, right = (pa.table({"card": [KEY], "age": [age], "n": [age]}) for age in (93, 94))
    assert compare("t", left, right, ["card"], {"card", "age"}).example == (
        f"age at card={SHAPE}: 2 digits against 2 digits"
    )
    plain = compare("t", left.drop(["age"]), right.drop(["age"]), ["card"], {"card"})
    assert plain.example == f"n at card={SHAPE}: 93 against 94", "what is not personal is shown"


def test_signs_of_a_leak_show_personal_values_by_their_shape():
    at = datetime(1931, 7, 23, 11)
    test = TimeTest(detection="future-dated row", column="born_on", condition="", value="event_time")
    findings = [time_finding(VISITS, test, 1, 2, 1.0, {"card": KEY, "shown": at, "known_time": "2024-01-30"})]
    example = {"card": KEY, "whole_value": "Qzx A", "cut_value": "Qzx B"}
    for column in ("name", ""):
        found = {"row_count": 9, "lost": 1, "gained": 0, **{f"column_{n}": 1 for n in range(6)}}
        findings.append(difference_finding(VISITS, date(2024, 1, 31), found, column, example))
    claim, rival = (RawTime(source=VISITS, raw=VISITS.raws["raw"], column=name) for name in ("known_on", "born_on"))
    findings.append(
        rival_finding(claim, rival, "raw", {"row_count": 9, "found": 3, "rival": at, "claimed": "2024-01-31"})
    )
    for finding in findings:
        assert "Qzx" not in finding.message + finding.hint
        assert "1931-07-23" not in finding.message + finding.hint
    assert SHAPE in findings[0].message
    assert "Xxx X (5 characters) with them, Xxx X (5 characters) without" in findings[1].message
    assert "not 2024-01-31" in findings[3].message, "what is not personal is shown"


def test_a_personal_value_that_tells_the_label_is_not_named():
    values = pa.array(["Qzx"] * 20 + ["b"] * 40)
    churned, snapshot = np.array([1] * 20 + [0] * 40), np.zeros(60, np.int64)
    finding = target_proxy(values, churned, snapshot, personal=True)
    assert finding is not None
    assert "with the value Xxx (3 characters)" in finding.message
    assert "'Qzx'" in target_proxy(values, churned, snapshot).message


def test_values_that_do_not_add_up_show_the_shape_of_a_personal_key():
    found = Contributions(np.array([[1.0]]), np.array([0.0]), np.array([5.0]))
    identity = pd.DataFrame({"card": [KEY], "snapshot_date": [date(2024, 1, 31)]})
    features = pd.DataFrame({"age": [93]})
    with pytest.raises(AdditivityError) as caught:
        found.check(identity, features, ["age"], {"card", "age"})
    assert f"card={SHAPE}, snapshot_date=2024-01-31" in caught.value.message
    assert "feature 'age', whose value is 2 digits" in caught.value.message


NAMED = "The list names customers by id alone."
MADE = "made of it, and may stand in reasons and segments. Its own values are in no list or page."


@pytest.mark.parametrize(
    ("personal", "keys", "sentences"),
    [
        ({}, (), ["No source declares a column of personal data.", NAMED]),
        (
            {"a.name": (), "a.born": ("age", "churned")},
            (),
            [
                "Declared personal, and in no feature, list or page: a.name.",
                f"a.born is declared personal too; age and the label are {MADE}",
                NAMED,
            ],
        ),
        (
            {"a.id": ("n",), "a.born": tuple("uvwxyz")},
            ("id",),
            [
                f"a.born is declared personal too; u, v, w, x and 2 more are {MADE}",
                f"{NAMED} Of these, id is declared personal: the list has it, this page shows only the shape.",
            ],
        ),
    ],
)
def test_the_report_says_what_is_made_of_personal_data(personal, keys, sentences):
    assert personal_words(personal, "customer", ["id"], keys) == sentences


def test_a_personal_key_and_what_is_made_of_personal_data_are_personal_in_every_table(tmp_path):
    bank = write_tiny_bank(tmp_path / "bank")
    sources, features = bank / "sources.py", bank / "features" / "paid.py"
    plain = load_project(bank, "Tiny")
    assert personal_cells(plain) == frozenset()
    text = sources.read_text().replace(
        'Column("region", role="attribute")', 'Column("born_on", type="date", role="pii")'
    )
    before, found, after = text.rpartition('Column("customer_id", type="integer", role="key")')
    sources.write_text(f"{before}{found.replace('key', 'pii')}{after}")
    asked = 'Attribute("region", of="region", doc="Region")'
    assert asked in features.read_text()
    age = 'Attribute("age", of="born_on", how="years_since", doc="Age")'
    features.write_text(features.read_text().replace(asked, age))
    project = load_project(bank, "Tiny")
    assert personal_keys(project) == {"customer_id"}, "one source that says so is enough"
    assert personal_cells(project) == {"customer_id", "age"}
    tables = contracts(project)
    assert tables["features"].personal == tables["labels"].personal == {"customer_id", "age"}
    assert tables["staging/customers"].personal == {"born_on"}
    made = personal_origins(project, "duckdb", project.churn)
    assert made == {"customers.born_on": ("age",), "payments.customer_id": ()}


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(13, "Permission denied", "/bank/data/people/Qzx-Novák.csv"),
        FileNotFoundError(2, "No such file or directory", "/bank/data/Qzx.parquet"),
        OSError(28, "No space left on device", "/bank/data/Qzx.csv"),
        pa.ArrowInvalid("Could not open Parquet input source '/bank/data/Qzx.parquet': no footer"),
    ],
)
def test_errors_of_the_machine_name_raw_files_by_their_shape(error):
    found = translated(error, "stage 'staging'", {"the raw data": Path("/bank/data"), "the lake": Path("/bank/lake")})
    assert found is not None
    assert "Qzx" not in found.message + found.hint
    assert "' below '/bank/data'" in found.message
    own = translated(PermissionError(13, "x", "/bank/lake/runs/a.json"), "x", {"the lake": Path("/bank/lake")})
    assert "'/bank/lake/runs/a.json'" in own.message


def test_the_memory_of_digests_holds_no_name_of_a_raw_file(tmp_path):
    (lake := tmp_path / "lake").mkdir()
    for file in (tmp_path / "Qzx.csv", lake / "own.parquet"):
        file.write_text("x")
        known = FileDigests(lake / "_verified.json")
        digest = known.of(file)
        known.save()
        assert FileDigests(lake / "_verified.json").of(file) == digest
    kept = (lake / "_verified.json").read_text()
    assert "Qzx" not in kept
    assert str(lake / "own.parquet") in kept
    assert kept.count(digest) == 2, "both are remembered"
