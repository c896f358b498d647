"""Rows of forgotten customers are refused: out of every source, new files and set-aside rows, and counted."""

from __future__ import annotations

import stat

import pytest
from tiny_bank import write_tiny_bank

from tenure import ChurnDefinition, Column, Csv, Entity, Inactivity, Source
from tenure.config import Config
from tenure.define.project import Project
from tenure.errors import DamagedLake
from tenure.intake.staging import staging
from tenure.session.work import Work
from tenure.store.refused import FILE_NAME, KEY_NAME, begin_refusing, end_forgetting, read_refused

CONFIG = Config(project={"name": "Branches"})


def branches(folder):
    """Customers of two branches: a key of two columns, one a text written with blanks; bookings name both."""
    data = folder / "data"
    data.mkdir(parents=True)
    people = [(branch, number) for branch in ("north", "south") for number in (1, 2, 3)]
    (data / "customers.csv").write_text("branch,number,joined\n" + "".join(f"{b},{n},2023-12-01\n" for b, n in people))
    booked = "".join(f"{place}, {b} ,{n},2024-01-{1 + place:02}\n" for place, (b, n) in enumerate(people * 2))
    (data / "bookings-1.csv").write_text("booking,branch,number,booked_on\n" + booked)
    key = [Column("branch", role="key"), Column("number", type="integer", role="key")]
    customers = Source(
        "customers",
        read=Csv("customers.csv"),
        key=("branch", "number"),
        event_time="joined",
        columns=[*key, Column("joined", type="date", role="time")],
    )
    bookings = Source(
        "bookings",
        read=Csv("bookings-*.csv"),
        key="booking",
        event_time="booked_on",
        quarantine=0.5,
        columns=[
            Column("booking", type="integer", role="key"),
            *key,
            Column("booked_on", type="date", role="time"),
        ],
    )
    project = Project(
        name="Branches",
        entity=Entity("customer", key=("branch", "number"), source="customers"),
        sources={"customers": customers, "bookings": bookings},
        views={},
        churn=ChurnDefinition("quiet", event=Inactivity("bookings"), horizon=30),
    )
    return folder, project


def staged(folder, project, engine=None):
    with Work(folder, CONFIG, project) as work:
        if engine is not None:
            work.use_engine(engine)
        with work.lake.locked():
            return staging(work).message


def keys(folder, table):
    with Work.look(folder) if (folder / "tenure.toml").exists() else Work(folder, CONFIG, None) as work:
        return [(row["branch"], int(row["number"])) for row in work.lake.read(table).to_pylist()]


def refuse(folder, key, project=None):
    with Work(folder, CONFIG, project) as work, work.lake.locked():
        end_forgetting(work.lake.folder, begin_refusing(work.lake.folder, [key]).unfinished)


def test_rows_of_a_refused_customer_are_left_out_of_every_source_and_counted(tmp_path, engine):
    folder, project = branches(tmp_path / "bank")
    refuse(folder, ["north", "2"], project)
    said = staged(folder, project, engine)
    assert "customers: 1 forgotten row left out" in said
    assert "bookings: 2 forgotten rows left out" in said
    others = [("north", 1), ("north", 3), ("south", 1), ("south", 2), ("south", 3)]
    assert sorted(keys(folder, "staging/customers")) == others
    assert sorted(keys(folder, "staging/bookings")) == sorted(others * 2)


def test_a_bad_row_of_a_refused_customer_is_not_set_aside_either(tmp_path):
    folder, project = branches(tmp_path / "bank")
    refuse(folder, ["south", "1"], project)
    with (folder / "data" / "bookings-1.csv").open("a") as rows:
        rows.write("98,south,1,no day\n99,south,2,no day\n")
    assert "1 rows quarantined" in staged(folder, project)
    assert keys(folder, "quarantine/bookings") == [("south", 2)]


def test_new_files_are_refused_too(tmp_path):
    folder, project = branches(tmp_path / "bank")
    refuse(folder, ["north", "1"], project)
    staged(folder, project)
    new = "booking,branch,number,booked_on\n50,north,1,2024-02-01\n51,north,2,2024-02-01\n"
    (folder / "data" / "bookings-2.csv").write_text(new)
    said = staged(folder, project)
    assert "bookings: 1 new file of 2 is read" in said
    assert "bookings: 1 forgotten row left out" in said
    assert ("north", 1) not in keys(folder, "staging/bookings")
    assert len(keys(folder, "staging/bookings")) == 11


def test_the_list_holds_no_key_and_its_own_key_is_for_the_owner_alone(tmp_path):
    refused = begin_refusing(tmp_path, [["person-4711"]])
    assert refused.holds(["person-4711"])
    assert not refused.holds(["person-4712"])
    assert "4711" not in (tmp_path / FILE_NAME).read_text()
    assert stat.S_IMODE((tmp_path / KEY_NAME).stat().st_mode) == 0o600
    assert set(refused.unfinished) == set(refused.customers)
    end_forgetting(tmp_path, refused.unfinished)
    again = read_refused(tmp_path)
    assert (again.unfinished, again.key, again.customers) == ({}, refused.key, refused.customers)


def test_an_account_is_known_by_its_columns_too_and_models_are_noted_until_the_end(tmp_path):
    refused = begin_refusing(tmp_path, [["13"]], {("account_id",): {("7",)}}, ["one"])
    assert refused.holds_account(["account_id"], ["7"])
    assert not refused.holds_account(["card_id"], ["7"])
    assert not refused.holds(["7"])
    assert refused == read_refused(tmp_path)
    # A run after a kill finds neither the rows nor the models any more.
    again = begin_refusing(tmp_path, [["13"]])
    assert list(again.unfinished.values()) == [["one"]]
    assert again.holds_account(["account_id"], ["7"])


def test_parts_of_a_key_are_never_one_text(tmp_path):
    refused = begin_refusing(tmp_path, [["1", "11"]])
    assert not refused.holds(["11", "1"])
    assert not refused.holds(["111"])


@pytest.mark.parametrize("lost", [FILE_NAME, KEY_NAME])
def test_without_the_list_or_its_key_nothing_is_staged(tmp_path, lost):
    folder = write_tiny_bank(tmp_path / "bank")
    with Work.open(folder) as work, work.lake.locked():
        begin_refusing(work.lake.folder, [["3"]])
        file = work.lake.folder / lost
        file.write_text(file.read_text()[:-9])
        with pytest.raises(DamagedLake, match=f"{lost}.* nothing is staged") as raised:
            staging(work)
    assert "Restore" in raised.value.hint
