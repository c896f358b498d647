"""The catalogue: tables are known by name, whatever lies in the folders."""

import shutil

import pyarrow as pa
import pytest

from tenure.define.contract_base import Contract
from tenure.store.catalogue import CATALOGUE
from tenure.store.lake import Lake

ROWS = pa.table({"x": [1]})
TABLES = ("snapshots", "staging/customers", "tiles/payments")


@pytest.fixture
def lake(tmp_path):
    made = Lake(tmp_path / "lake")
    for table in TABLES:
        made.write(ROWS, Contract(table=table))
    return made


def test_every_table_that_was_committed_is_known_and_nothing_else(lake):
    (lake.folder / "staging" / "orders").mkdir()
    (lake.folder / "landing" / "orders").mkdir(parents=True)
    assert lake.tables() == list(TABLES)
    lake.write(ROWS, Contract(table="snapshots"))
    assert lake.tables() == list(TABLES)
    assert Lake(lake.folder).tables() == list(TABLES)


def test_no_folder_is_listed_to_find_tables(lake, monkeypatch):
    monkeypatch.setattr("pathlib.Path.rglob", None)
    monkeypatch.setattr("tenure.store.catalogue.Catalogue._found_in_folders", None)
    assert lake.tables() == list(TABLES)


def test_a_table_whose_folder_was_moved_away_is_no_table_until_it_is_built_again(lake):
    shutil.rmtree(lake.path("snapshots"))
    assert lake.tables() == list(TABLES[1:])
    lake.write(ROWS, Contract(table="snapshots"))
    assert lake.tables() == list(TABLES)


@pytest.mark.parametrize(
    "content", [None, b"", b'{"sha256": "0", "content": {"tables": ["snapshots"]}}', b'{"tables": 3}']
)
def test_a_catalogue_that_is_lost_or_damaged_is_made_again_from_the_lake(lake, content):
    file = lake.folder / CATALOGUE
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    assert lake.tables() == list(TABLES)
    lake.write(ROWS, Contract(table="features"))
    assert lake.tables() == ["features", *TABLES]
    shutil.rmtree(lake.path("features"))
    assert lake.tables() == list(TABLES)


def test_a_run_killed_between_the_note_and_the_commit_leaves_no_table(lake):
    lake.catalogue.note("labels")
    assert lake.tables() == list(TABLES)
