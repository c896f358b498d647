"""Fixed width: values by their places, headers and trailers passed over; a line of another length is refused."""

from __future__ import annotations

import gzip

import pytest
from tiny_bank import SOURCES, write_tiny_bank

from tenure import FixedWidth
from tenure.errors import BadValue, EmptyTable, InvalidDefinition, MissingColumn, UnreadableFile
from tenure.intake.readers import fixed_width, readers_of
from tenure.session.work import Work
from tenure.stages.run import run

LAYOUT = {"customer_id": (1, 4), "region": (5, 6), "opened_on": (11, 10), "closed_on": (21, 10)}
FIRST = "   1Brünn 2023-07-01          "
SECOND = "   2 Zoë  2023-07-022024-01-31"
ROWS = [
    {"customer_id": "   1", "region": "Brünn ", "opened_on": "2023-07-01", "closed_on": " " * 10},
    {"customer_id": "   2", "region": " Zoë  ", "opened_on": "2023-07-02", "closed_on": "2024-01-31"},
]


def fixed_bank(folder, path="customers.txt", layout=LAYOUT, more=""):
    """The tiny bank with its customers in lines of fixed width."""
    bank = write_tiny_bank(folder / "bank")
    declared = f'FixedWidth("{path}", layout={layout!r}{more})'
    sources = SOURCES.replace('Csv("customers.csv")', declared).replace("import ", "import FixedWidth, ")
    (bank / "sources.py").write_text(sources)
    return bank


def work_on(bank, engine=None):
    work = Work.open(bank, engine=engine.dialect if engine else "")
    if engine:
        work.use_engine(engine)
    return work


def landed(bank, *contents, engine=None):
    """The rows of one file or several, as the engine has them, in the order of the files."""
    for number, content in enumerate(contents, 1):
        name = "customers.txt" if len(contents) == 1 else f"customers-{number}.txt"
        (bank / "data" / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with work_on(bank, engine) as work:
        (reader,) = readers_of(work, work.project.sources["customers"]).values()
        kinds = reader.land("customers")
        assert set(kinds.values()) == {"text"}
        return work.engine.run("SELECT * FROM customers").to_pylist()


def refused(bank, *contents, error=UnreadableFile):
    with pytest.raises(error) as caught:
        landed(bank, *contents)
    assert caught.value.hint
    assert not list((bank / "lake" / "landing").rglob("*.parquet")), "nothing half-landed stays"
    return caught.value.message


def staged(bank, engine=None):
    with work_on(bank, engine) as work:
        list(run(work, ("staging",)))
        return work.read("customers").sort_by("customer_id").to_pylist()


def test_values_are_read_by_their_places(engine, tmp_path):
    assert landed(fixed_bank(tmp_path), f"{FIRST}\n{SECOND}\n", engine=engine) == ROWS


@pytest.mark.parametrize(
    "content",
    [
        f"{FIRST}\r\n{SECOND}\r\n",
        f"\ufeff{FIRST}\n{SECOND}",
        f"{FIRST}\n\n{SECOND}\n\n\r\n",
        gzip.compress(f"{FIRST}\n{SECOND}\n".encode()),
    ],
    ids=["carriage returns", "byte order mark", "empty lines", "gzip"],
)
def test_ends_of_lines_and_packers_change_nothing(tmp_path, content):
    assert landed(fixed_bank(tmp_path), content) == ROWS


@pytest.mark.parametrize("encoding", ["latin-1", "cp037", "cp273", "cp500", "cp1140"])
def test_every_encoding_is_read(tmp_path, encoding):
    bank = fixed_bank(tmp_path, more=f", encoding='{encoding}'")
    ends = {"latin-1": [b"\n", b"\r\n"]}.get(encoding, [b"\x15", b"\x25", b"\x0d\x25"])
    for end in ends:
        lines = [line.encode(encoding) + end for line in (FIRST, SECOND)]
        assert landed(bank, b"".join(lines)) == ROWS


@pytest.mark.parametrize("encoding", ["latin-1", "cp037"])
def test_records_may_follow_each_other_without_line_breaks(tmp_path, encoding, monkeypatch):
    bank = fixed_bank(tmp_path, more=f", encoding='{encoding}', line_breaks=False, skip_first=1, skip_last=1")
    content = "".join([f"{'HDR':30}", FIRST, SECOND, f"{'TRL 2':30}"]).encode(encoding)
    monkeypatch.setattr(fixed_width, "blocks", seven_bytes_at_once)
    assert landed(bank, content) == ROWS


def seven_bytes_at_once(file):
    content = file.read_bytes()
    return (content[start : start + 7] for start in range(0, len(content), 7))


def test_a_record_that_is_cut_off_is_refused(tmp_path):
    bank = fixed_bank(tmp_path, more=", encoding='cp037', line_breaks=False")
    message = refused(bank, (FIRST + SECOND).encode("cp037")[:-1])
    assert message == "customers.txt, record 2: 29 characters, where the layout has 30."


def test_headers_and_trailers_of_each_file_are_passed_over(engine, tmp_path):
    bank = fixed_bank(tmp_path, path="customers-*.txt", more=", skip_first=2, skip_last=1")
    files = [f"HDR\n\nof March\n{line}\nTRAILER 0000001\n" for line in (FIRST, SECOND)]
    assert landed(bank, *files, engine=engine) == ROWS


# Landed as Parquet before an engine sees it: test_readers.py has one such file on Spark.
@pytest.mark.thorough_on_spark
def test_rows_are_typed_as_those_of_a_csv(engine, tmp_path):
    bank = fixed_bank(tmp_path, more=', null=("2024-01-31",)')
    (bank / "data" / "customers.txt").write_text(f"{FIRST}\n{SECOND}\n")
    (bank / "data" / "payments.csv").write_text("payment_id,customer_id,paid_on,amount\n1,1,2024-01-01,2.50\n")
    rows = staged(bank, engine)
    assert [(row["customer_id"], row["region"], row["closed_on"]) for row in rows] == [
        (1, "Brünn", None),
        (2, "Zoë", None),
    ]


@pytest.mark.parametrize(
    ("change", "length"), [(lambda line: line[:-1], 29), (lambda line: line + "x", 31), (lambda _: " ", 1)]
)
def test_a_line_of_another_length_is_refused_with_its_number(tmp_path, change, length):
    message = refused(fixed_bank(tmp_path), f"{FIRST}\n{change(SECOND)}\n")
    assert message == f"customers.txt, line 2: {length} characters, where the layout has 30."


def test_a_line_is_named_by_its_file_s_number_where_a_pattern_matches(tmp_path):
    bank = fixed_bank(tmp_path, path="customers-*.txt")
    assert refused(bank, FIRST, f"{SECOND}\nx").startswith("file 2 of 2 that match 'customers-*.txt', line 2: 1 char")


def test_a_file_in_another_encoding_is_refused_with_its_line(tmp_path):
    message = refused(fixed_bank(tmp_path), f"{FIRST}\n".encode() + SECOND.encode("latin-1"))
    assert message == "customers.txt, line 2: not utf-8: invalid continuation byte at byte 8 of the line."


def test_a_file_without_line_breaks_is_not_held_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(fixed_width, "_LONGEST_LINE", 100)
    assert "has the file no line breaks?" in refused(fixed_bank(tmp_path), FIRST * 10)


@pytest.mark.parametrize("content", ["", "\n\n", "HDR\n"])
def test_files_without_rows_are_refused(tmp_path, content):
    bank = fixed_bank(tmp_path, more=", skip_first=1")
    assert refused(bank, content, error=EmptyTable) == "source 'customers' has no rows (customers.txt)."


def test_a_declared_column_that_the_layout_lacks_is_named(tmp_path):
    bank = fixed_bank(tmp_path, layout={"customer_id": (1, 4), "rest": (5, 26)})
    (bank / "data" / "customers.txt").write_text(f"{FIRST}\n")
    with pytest.raises(
        MissingColumn, match=r"reads column 'region', which its data lack; they have: customer_id, rest"
    ):
        staged(bank)


def test_the_line_of_a_bad_value_is_told(tmp_path):
    bank = fixed_bank(tmp_path)
    (bank / "data" / "customers.txt").write_text(f"{FIRST}\n\n{SECOND.replace('07-02', '02-30')}\n")
    with pytest.raises(BadValue, match=r"not a date: 2023-02-30 \(customers\.txt, line 3\)"):
        staged(bank)


def test_rows_of_the_same_contents_and_layout_are_not_landed_again(tmp_path):
    bank = fixed_bank(tmp_path)

    def landings():
        return {file: file.stat().st_mtime_ns for file in (bank / "lake" / "landing").rglob("*.parquet")}

    landed(bank, f"{FIRST}\n{SECOND}\n")
    first = landings()
    landed(bank, f"{FIRST}\n{SECOND}\n")
    assert landings() == first
    (bank / "sources.py").write_text((bank / "sources.py").read_text().replace("(1, 4)", "(2, 3)"))
    assert [row["customer_id"] for row in landed(bank, f"{FIRST}\n{SECOND}\n")] == ["  1", "  2"]
    assert landings().keys() != first.keys()


def test_batches_are_joined(tmp_path, monkeypatch):
    monkeypatch.setattr(fixed_width, "_ROWS", 3)
    lines = [f"{number:4}{FIRST[4:]}" for number in range(10)]
    rows = landed(fixed_bank(tmp_path), "\n".join(lines))
    assert [row["customer_id"].strip() for row in rows] == [str(number) for number in range(10)]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"layout": {}}, r"has layout=.*allowed: names with the first place, counted from 1"),
        ({"layout": {"a": (0, 4)}}, "has layout="),
        ({"layout": {"a": (1, 0)}}, "has layout="),
        ({"layout": {"a": (1,)}}, "has layout="),
        ({"layout": {"a": 4}}, "has layout="),
        ({"layout": {"": (1, 4)}}, "has layout="),
        ({"layout": {5: (1, 4)}}, "has layout="),
        ({"layout": {"a": (1, True)}}, "has layout="),
        ({"layout": [("a", 1, 4)]}, "has layout="),
        ({"layout": {"a": (1, 4), "A": (5, 4)}}, "'a' and 'A', which differ in case alone"),
        ({"encoding": "utf-16"}, "has encoding='utf-16'.*allowed: utf-8, latin-1, cp037"),
        ({"skip_first": -1}, "has skip_first=-1.*allowed: a whole number of lines, 0 to 10000"),
        ({"skip_last": True}, "has skip_last=True"),
        ({"line_breaks": "no"}, "has line_breaks='no'.*allowed: True or False"),
        ({"line_breaks": False}, "line_breaks=False and encoding='utf-8'.*allowed without line breaks: latin-1, cp037"),
        ({"null": "?"}, "has null='[?]'"),
        ({"path": ""}, "has path=''"),
    ],
)
def test_what_no_layout_is_is_refused_where_it_is_defined(fields, words):
    with pytest.raises(InvalidDefinition, match=words):
        FixedWidth(**{"path": "a.txt", "layout": {"a": (1, 4)}, **fields})
