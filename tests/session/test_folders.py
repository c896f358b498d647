"""The folders of a project lie apart: data, definitions, lake and output."""

import pytest
from tiny_bank import write_tiny_bank

from tenure.errors import InvalidConfig
from tenure.session.folders import OUTPUT_FILES
from tenure.session.work import Work
from tenure.stages import quality_page, reconcile
from tenure.stages import report as deliver
from tenure.stages.run import run


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def put(bank, section, key, value):
    """Write a setting into the project's tenure.toml."""
    file = bank / "tenure.toml"
    file.write_text(file.read_text() + f"\n[{section}]\n{key} = '{value}'\n")


def everything(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ("lake", "data"),
        ("lake", "data/../data"),
        ("lake", "."),
        ("lake", ""),
        ("lake", ".."),
        ("lake", "features"),
        ("lake", "features/lake"),
        ("lake", "link"),
        ("lake", "link/../data"),
        ("lake", "out"),
        ("data", "lake"),
        ("data", "lake/raw"),
        ("output", "lake"),
        ("output", "lake/out"),
        ("output", "data"),
        ("output", "link"),
    ],
)
def test_folders_that_overlap_are_refused_before_anything_is_written(bank, section, path):
    (bank / "link").symlink_to("data")
    put(bank, section, "path", path)
    before = everything(bank)
    with pytest.raises(InvalidConfig, match=r"overlap|features/|one folder") as refused:
        Work.look(bank)
    assert refused.value.hint
    assert everything(bank) == before


def test_an_overlap_that_links_above_hide_is_refused(bank, tmp_path):
    (tmp_path / "alias").symlink_to(bank)
    put(bank, "lake", "path", f"{tmp_path}/alias/data")
    with pytest.raises(InvalidConfig, match="overlap"):
        Work.look(bank)


@pytest.mark.parametrize(
    ("pattern", "lake", "fits"),
    [
        ("payments.csv", "data/lake", True),
        ("pay*.csv", "data/lake", True),
        ("*/payments.csv", "data/lake", False),
        ("**/*.csv", "data/lake", False),
        ("raw/*.csv", "data/lake", True),
        ("l?ke/*.csv", "data/lake", False),
        ("../data/lake/*/*.csv", "data/lake", False),
        ("*/*/x.csv", "data/a/lake", False),
        ("[b-z]*/*/x.csv", "data/a/lake", True),
        ("x/../lake/x.csv", "data/lake", False),
        ("../lake/x.csv", "lake", False),
    ],
)
def test_a_lake_in_the_data_is_allowed_where_no_source_can_match(bank, pattern, lake, fits):
    (bank / "data" / "x").mkdir()
    put(bank, "lake", "path", lake)
    file = bank / "sources.py"
    file.write_text(file.read_text().replace('Csv("payments.csv")', f'Csv("{pattern}")'))
    if fits:
        assert Work.open(bank).lake.folder == bank / lake
    else:
        with pytest.raises(InvalidConfig, match=r"source 'payments' reads .* can match files in the lake"):
            Work.open(bank)


def test_a_link_in_the_data_that_leads_into_the_lake_is_refused(bank):
    with Work.open(bank) as work:
        for _ in run(work, ["staging"]):
            pass
    (bank / "data" / "more").symlink_to(bank / "lake" / "staging" / "payments")
    file = bank / "sources.py"
    file.write_text(file.read_text().replace('Csv("payments.csv")', 'Parquet("m*/*.parquet")'))
    file.write_text(file.read_text().replace("import Column,", "import Parquet, Column,"))
    with Work.open(bank) as work, pytest.raises(InvalidConfig, match="lies in the lake"):
        list(run(work, ["staging"]))


def test_output_that_a_source_would_read_is_refused(bank):
    put(bank, "output", "path", "data/out")
    file = bank / "sources.py"
    assert Work.open(bank)
    file.write_text(file.read_text().replace('Csv("payments.csv")', 'Csv("*/*.csv")'))
    with pytest.raises(InvalidConfig, match="can match what runs write to the output folder"):
        Work.open(bank)
    assert OUTPUT_FILES == (deliver.LIST_CSV, deliver.LIST_PARQUET, deliver.REPORT, quality_page.PAGE, reconcile.PAGE)


@pytest.mark.parametrize(
    ("section", "path"), [("lake", "inner"), ("data", "staging"), ("output", "out"), ("lake", "a/b/c")]
)
def test_another_projects_lake_is_no_place_for_anything(tmp_path, bank, section, path):
    other = write_tiny_bank(tmp_path / "other")
    with Work.open(other).lake.locked():
        pass
    put(bank, section, "path", f"../other/lake/{path}")
    with pytest.raises(InvalidConfig, match=rf"\[{section}\] path is .* lies in another lake"):
        Work.look(bank)


def test_a_lake_around_another_lake_is_refused(tmp_path, bank):
    other = write_tiny_bank(tmp_path / "other")
    put(other, "lake", "path", "../lakes/other")
    with Work.open(other).lake.locked():
        pass
    put(bank, "lake", "path", "../lakes")
    with pytest.raises(InvalidConfig, match="holds another lake"):
        Work.look(bank)
