"""The verbs of a location hold of a local folder and of a prefix of S3 alike."""

from pathlib import PurePosixPath

import pytest

from tenure.storage.location import below, open_to_read, put, stamp, write_whole


def written(location, content=b"rows"):
    write_whole(made(location), content)
    return location


def made(location):
    """The location, with the folders above it where there are folders."""
    if hasattr(location, "mkdir"):
        location.parent.mkdir(parents=True, exist_ok=True)
    return location


def test_a_name_is_taken_apart_and_put_together(folder):
    file = folder / "features" / "snapshot_date=2024-05-31" / "part-1.parquet"
    assert (file.name, file.stem, file.suffix) == ("part-1.parquet", "part-1", ".parquet")
    assert file.parent == folder / "features/snapshot_date=2024-05-31"
    assert file.with_name("part-2.parquet") == file.parent / "part-2.parquet"
    assert file.parts[-2:] == ("snapshot_date=2024-05-31", "part-1.parquet")
    assert below(file, folder) == PurePosixPath("features/snapshot_date=2024-05-31/part-1.parquet")
    assert sorted([file, folder]) == [folder, file]
    assert len({file, folder / "features" / "snapshot_date=2024-05-31/part-1.parquet"}) == 1


def test_what_lies_elsewhere_is_not_below(folder):
    with pytest.raises(ValueError, match=r"lake|prefix|subpath|lie"):
        below(folder / "one" / "file", folder / "other")


def test_what_was_written_is_read(folder):
    file = written(folder / "a" / "b.json", b'{"x": 1}')
    assert file.read_bytes() == b'{"x": 1}'
    assert file.exists()
    assert file.is_file()
    assert (folder / "a").exists()
    assert (folder / "a").is_dir()
    assert not (folder / "a").is_file()


def test_what_is_not_there_says_so(folder):
    missing = folder / "a" / "missing"
    assert not missing.exists()
    assert not missing.is_file()
    assert not missing.is_dir()
    for ask in (missing.read_bytes, lambda: stamp(missing), lambda: open_to_read(missing), missing.unlink):
        with pytest.raises(FileNotFoundError):
            ask()
    missing.unlink(missing_ok=True)


def test_a_whole_file_takes_the_place_of_another(folder):
    file = written(folder / "record", b"old, and longer")
    before = stamp(file)
    write_whole(file, b"new")
    assert file.read_bytes() == b"new"
    assert stamp(file) != before
    assert [f.name for f in folder.rglob("*")] == ["record"]


def test_files_are_found_at_any_depth_by_name(folder):
    for name in ("b/two.parquet", "a/one.parquet", "a/c=1/three.parquet", "a/notes.txt"):
        written(folder / name)
    found = sorted(str(below(file, folder)) for file in folder.rglob("*.parquet"))
    assert found == ["a/c=1/three.parquet", "a/one.parquet", "b/two.parquet"]


def test_a_prefix_is_no_folder_of_a_longer_name(folder):
    written(folder / "features_old" / "file")
    assert not (folder / "features").exists()
    assert list((folder / "features").rglob("*")) == []


def test_a_file_is_read_at_any_position(folder):
    content = bytes(range(256)) * 40
    with open_to_read(written(folder / "data", content)) as opened:
        assert opened.seek(-6, 2) == len(content) - 6
        assert opened.read() == content[-6:]
        assert opened.seek(1000) == 1000
        assert opened.read(24) == content[1000:1024]
        assert opened.tell() == 1024
        opened.seek(10, 1)
        assert opened.read(2) == content[1034:1036]


def test_a_local_file_is_moved_to_its_place(folder, tmp_path):
    local = tmp_path / "made.parquet"
    local.write_bytes(b"rows")
    put(local, folder / "table" / "part.parquet")
    assert (folder / "table" / "part.parquet").read_bytes() == b"rows"
    assert not local.exists()


@pytest.mark.parametrize("name", ["blank here", "ümlaut", "100%", "a+b", "snapshot_date=2024-05-31", "it's", "a&b"])
def test_names_hold_what_names_of_files_hold(folder, name):
    file = written(folder / name / f"{name}.json", name.encode())
    assert list(folder.rglob("*.json")) == [file]
    assert file.read_bytes() == name.encode()


def test_what_is_removed_is_gone(folder):
    file = written(folder / "a")
    file.unlink()
    assert not file.exists()
    assert list(folder.rglob("*")) == []
