"""Packed raw files are read as their text, whatever their names; a damaged one is refused by name."""

import gzip
import io
import shutil
import zipfile

import pyarrow as pa
import pytest
from tiny_bank import write_tiny_bank

from tenure.errors import BadValue, UnreadableFile
from tenure.session.work import Work
from tenure.stages.run import run


def zipped(*members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(members):
            archive.writestr(f"part-{number}.csv", content)
        archive.writestr("__MACOSX/._part-0.csv", b"of a Mac")
    return packed.getvalue()


def zstd(content):
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(content)
    return sink.getvalue().to_pybytes()


def in_two_members(content):
    """As log rotation puts gzip files one behind the other."""
    half = len(content) // 2
    return gzip.compress(content[:half]) + gzip.compress(content[half:])


PACKERS = {"gzip": gzip.compress, "two gzips": in_two_members, "zip": zipped, "zstd": zstd}


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def payments(folder, engine=None):
    with Work.open(folder, **({"engine": engine.dialect} if engine else {})) as work:
        if engine:
            work.use_engine(engine)
        list(run(work, ("staging",)))
        return work.read("payments").sort_by("payment_id").to_pylist()


# Unpacked before an engine sees them.
@pytest.mark.thorough_on_spark
@pytest.mark.parametrize("packer", PACKERS)
def test_packed_files_are_read_by_what_they_are_not_by_their_names(bank, engine, packer):
    file = bank / "data" / "payments.csv"
    right = payments(bank)
    shutil.rmtree(bank / "lake")
    file.write_bytes(PACKERS[packer](file.read_bytes()))
    assert payments(bank, engine) == right


def test_a_pattern_may_match_packed_and_plain_files(bank):
    file = bank / "data" / "payments.csv"
    right = payments(bank)
    header, *rows = file.read_text().splitlines(keepends=True)
    file.unlink()
    (bank / "data" / "payments-1.csv.gz").write_bytes(gzip.compress("".join([header, *rows[:500]]).encode()))
    (bank / "data" / "payments-2.csv").write_text("".join([header, *rows[500:]]))
    sources = bank / "sources.py"
    sources.write_text(sources.read_text().replace('Csv("payments.csv")', 'Csv("payments-*")'))
    assert payments(bank) == right
    assert not (bank / "lake" / "spill").exists()


def test_the_line_of_a_bad_value_is_that_of_the_text(bank):
    file = bank / "data" / "payments.csv"
    lines = file.read_text().splitlines(keepends=True)
    lines[40] = lines[40].rsplit(",", 1)[0] + ",much\n"
    file.write_bytes(gzip.compress("".join(lines).encode()))
    with pytest.raises(BadValue, match=r"payments\.csv, line 41"):
        payments(bank)


@pytest.mark.parametrize("packer", ["gzip", "zstd", "zip"])
@pytest.mark.parametrize("left", [0.5, 0.999])
def test_a_file_that_is_cut_off_is_refused(bank, packer, left):
    file = bank / "data" / "payments.csv"
    packed = PACKERS[packer](file.read_bytes())
    file.write_bytes(packed[: int(len(packed) * left)])
    with pytest.raises(UnreadableFile, match=rf"payments\.csv was compressed with {packer}, and is cut off or damaged"):
        payments(bank)


def test_an_archive_of_several_files_is_refused(bank):
    file = bank / "data" / "payments.csv"
    file.write_bytes(zipped(file.read_bytes(), b"more"))
    with pytest.raises(UnreadableFile, match=r"payments\.csv is a zip archive of 2 files"):
        payments(bank)


def test_json_lines_may_be_packed(bank):
    file = bank / "data" / "customers.csv"
    header, *rows = file.read_text().splitlines()
    names = header.split(",")
    lines = []
    for row in rows:
        cells = [f'"{name}": "{value}"' for name, value in zip(names, row.split(","), strict=True)]
        lines.append("{" + ", ".join(cells) + "}\n")
    (bank / "data" / "customers.jsonl").write_bytes(gzip.compress("".join(lines).encode()))
    right = payments(bank)
    sources = bank / "sources.py"
    text = sources.read_text().replace('Csv("customers.csv")', 'JsonLines("customers.jsonl")')
    sources.write_text(text.replace("import Column, Csv, Entity", "import Column, Csv, Entity, JsonLines"))
    assert payments(bank) == right
