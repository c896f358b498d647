"""What only S3 has: conditions on a write, ETags on a read, uploads in parts, refusals in words."""

import threading
from dataclasses import replace

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.errors import InvalidConfig, StorageError
from tenure.storage import credentials, reading, s3
from tenure.storage.credentials import s3_client
from tenure.storage.reading import OpenObject, RangedFiles
from tenure.storage.s3 import S3Location
from tenure.storage.settings import S3Settings


def test_of_many_who_create_an_object_one_does(prefix):
    place, won = prefix / "lease", []

    def create(number):
        if place.create(f"writer {number}".encode()):
            won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert place.read_bytes() == f"writer {won[0]}".encode()


def test_an_object_of_the_same_content_is_taken_for_our_own(prefix):
    """As after an answer that was lost: the PUT is sent again and refused, though it had succeeded."""
    place = prefix / "commit"
    assert place.create(b"token 1")
    assert place.create(b"token 1")
    assert not place.create(b"token 2")


def test_an_object_is_replaced_only_as_it_was_seen(prefix):
    place = prefix / "lease"
    seen = place.write(b"one")
    assert place.replace(b"two", seen)
    assert not place.replace(b"three", seen)
    assert place.read_bytes() == b"two"
    assert not (prefix / "none").replace(b"x", seen)


def test_an_object_that_changed_since_it_was_opened_is_not_read_on(prefix):
    place, size = prefix / "data", 2 * reading._SMALL
    place.write(b"a" * size)
    opened = OpenObject(place)
    assert opened.read(10) == b"a" * 10
    place.write(b"b" * size)
    with pytest.raises(StorageError, match="was changed while it was read"):
        opened.read(10)


def test_an_object_that_is_another_than_was_noted_is_not_read(prefix):
    place = prefix / "data"
    noted = place.as_noted(100, place.write(b"a" * 100))
    place.write(b"b" * 100)
    with pytest.raises(StorageError, match="was changed while it was read"):
        OpenObject(noted).read(10)


def test_an_object_that_was_read_is_kept_by_its_content(prefix):
    place = prefix / "data"
    noted = place.as_noted(100, place.write(b"a" * 100))
    assert OpenObject(noted).read() == b"a" * 100
    now = place.as_noted(100, place.write(b"b" * 100))
    assert OpenObject(now).read() == b"b" * 100
    assert OpenObject(noted).read() == b"a" * 100


def test_objects_that_were_not_read_for_longest_are_let_go(monkeypatch):
    monkeypatch.setattr(reading, "_MOST_KEPT", 10)
    kept = reading._Kept()
    for name in "abc":
        kept.put(("", name, ""), b"1234")
        kept.get(("", "a", ""))
    assert [name for name in "abc" if kept.get(("", name, ""))] == ["a", "c"]


def test_a_small_object_is_one_request(prefix, monkeypatch):
    place = prefix / "data"
    noted = place.as_noted(100, place.write(bytes(range(100))))
    asked = []
    ranged = type(place).read_range
    monkeypatch.setattr(type(place), "read_range", lambda *them: asked.append(them) or ranged(*them))
    opened = OpenObject(noted)
    opened.seek(50)
    assert opened.read(2) == bytes([50, 51])
    opened.seek(-1, 2)
    assert opened.read() == bytes([99])
    assert len(asked) == 1


def test_a_large_file_is_sent_in_parts_and_none_is_left(prefix, tmp_path, monkeypatch):
    monkeypatch.setattr(s3, "_PART", 5 * 1024 * 1024)
    file = tmp_path / "large"
    content = bytes(range(256)) * (11 * 1024 * 4)
    file.write_bytes(content)
    stat = (prefix / "large").upload(file)
    assert stat.size == len(content)
    assert "-" in stat.etag  # of parts
    assert (prefix / "large").read_bytes() == content
    assert "Uploads" not in s3_client(prefix.settings).list_multipart_uploads(Bucket=prefix.bucket)


def test_many_objects_are_removed_at_once_and_the_rest_stays(prefix):
    for number in range(12):
        (prefix / f"part-{number}").write(b"x")
    prefix.remove([prefix / f"part-{number}" for number in range(10)])
    assert [place.name for place in prefix.listed()] == ["part-10", "part-11"]


def test_a_listing_goes_on_over_its_pages(prefix):
    for number in range(7):
        (prefix / f"part-{number}").write(b"x")
    assert len(list(prefix._listed(most=3))) == 7


@pytest.mark.parametrize("threads", [1, 4, 16])
def test_duckdb_reads_ranges_by_many_threads(prefix, tmp_path, threads):
    rows = 400_000
    table = pa.table({"n": pa.array(range(rows)), "text": [f"row {n % 977}" for n in range(rows)]})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=20_000)
    place = prefix / "snapshot_date=2024-05-31" / "rows.parquet"
    place.upload(tmp_path / "rows.parquet")
    connection = duckdb.connect(config={"threads": threads})
    files = RangedFiles()
    connection.register_filesystem(files)
    found = connection.sql(
        f"SELECT SUM(n), COUNT(DISTINCT text), MIN(snapshot_date) FROM read_parquet('{files.url_of(place)}')"
    ).fetchall()[0]
    assert found[:2] == (rows * (rows - 1) // 2, 977)
    assert str(found[2]) == "2024-05-31"


def test_arrow_reads_an_open_object(prefix, tmp_path):
    pq.write_table(pa.table({"n": [1, 2, 3]}), tmp_path / "rows.parquet")
    place = prefix / "rows.parquet"
    place.upload(tmp_path / "rows.parquet")
    assert pq.ParquetFile(OpenObject(place)).read().column("n").to_pylist() == [1, 2, 3]


@pytest.mark.parametrize("url", ["s3://", "s3://UPPER/x", "s3://a", "http://bucket/x"])
def test_what_names_no_bucket_is_refused(url):
    with pytest.raises(InvalidConfig, match=r"\[lake\] path is .* names no bucket"):
        S3Location.of(url, S3Settings(), asked_by="[lake] path")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://first-bank/lake/", "s3://first-bank/lake"),
        ("S3A://first-bank", "s3://first-bank/"),
        ("s3:/first-bank/lake", "s3://first-bank/lake"),  # A Path has swallowed a slash.
        (" s3://first-bank/a b/c", "s3://first-bank/a b/c"),
    ],
)
def test_a_url_names_a_place(url, shown):
    assert str(S3Location.of(url, S3Settings(), asked_by="[lake] path")) == shown


def test_no_bucket_of_that_name_is_said(prefix):
    with pytest.raises(StorageError, match="there is no bucket 'second-bank'") as refused:
        S3Location("second-bank", "x", prefix.settings).write(b"")
    assert refused.value.hint == "Make it, or correct the URL."


def test_a_service_that_is_not_there_is_said(bucket, s3_settings, monkeypatch):
    monkeypatch.setattr(s3, "_TRIES", 2)
    monkeypatch.setattr(credentials, "ATTEMPTS", 1)
    nobody = replace(s3_settings, endpoint="http://127.0.0.1:9")
    with pytest.raises(StorageError, match="can't be reached") as refused:
        S3Location(bucket, "x", nobody).read_bytes()
    assert "[s3] in tenure.toml" in refused.value.hint
