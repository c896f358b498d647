"""Landed rows and scratch files: whole or not at all, and nothing of an earlier run stays."""

import pytest

from tenure.store import landing as landings
from tenure.store.lake import Lake


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def test_rows_that_are_landed_take_the_place_of_all_that_were_before_whatever_their_kind(lake):
    landing = lake.landing("payments-raw")
    for name in ("first", "second"):
        with landing.replace(name) as folder:
            (folder / "rows-00001.parquet").write_bytes(name.encode())
        (landing.folder / "rows.parquet").write_bytes(b"of a server's query")
    assert landing.files("first") == []
    assert [file.read_bytes() for file in landing.files("second")] == [b"second"]
    with landing.replace("third") as folder:
        (folder / "rows-00001.parquet").write_bytes(b"third")
    assert sorted(path.name for path in landing.folder.iterdir()) == ["third"]


def test_a_landing_that_fails_leaves_what_was_landed(lake):
    landing = lake.landing("payments-raw")
    with landing.replace("first") as folder:
        (folder / "rows-00001.parquet").write_bytes(b"first")
    with pytest.raises(FileNotFoundError), landing.replace("second") as folder:
        (folder / "gone" / "rows-00001.parquet").write_bytes(b"half")
    assert sorted(path.name for path in landing.folder.iterdir()) == ["first"]


def test_scratch_is_gone_after_its_run_and_so_is_what_a_killed_run_left_but_nothing_else(lake):
    killed, foreign = lake.folder / ".proof-20240101T000000-abcdef", lake.folder / ".proof-mine"
    for folder in (killed, foreign):
        folder.mkdir(parents=True)
    with lake.scratch("20240102T000000-abcdef") as folder:
        folder.mkdir()
        assert sorted(path.name for path in lake.folder.iterdir()) == [folder.name, foreign.name]
    assert list(lake.folder.iterdir()) == [foreign]


def test_a_landing_on_s3_that_breaks_off_between_two_files_counts_for_nothing(prefix, monkeypatch):
    landing, sent, put = Lake(prefix).landing("payments-raw"), [], landings.put

    def breaks_off(file, place):
        if sent:
            raise ConnectionError("broken off")
        sent.append(put(file, place))

    def land():
        with landing.replace("digest") as folder:
            for number in (1, 2):
                (folder / f"rows-{number:05}.parquet").write_bytes(b"rows")

    monkeypatch.setattr(landings, "put", breaks_off)
    with pytest.raises(ConnectionError):
        land()
    assert landing.files("digest") == []
    monkeypatch.setattr(landings, "put", put)
    land()
    assert [file.name for file in landing.files("digest")] == ["rows-00001.parquet", "rows-00002.parquet"]
