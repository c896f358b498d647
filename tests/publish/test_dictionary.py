"""The dictionary's writers: what is in a definition can do no harm in a page, a workbook or a tool."""

from __future__ import annotations

import builtins
import html
import io
import json
import re
import zipfile

import pytest
import yaml
from python_calamine import CalamineWorkbook

from tenure.errors import MissingDependency
from tenure.publish.dictionary import files, pages
from tenure.publish.dictionary.bank_words import BANK_WORDS, bank_words
from tenure.publish.dictionary.entries import ColumnEntry, Dictionary, TableEntry
from tenure.publish.dictionary.written import FORMATS, files_of

FORMULA = '=HYPERLINK("http://evil.example","open")'
SCRIPT = "<script>alert(1)</script>"
JINJA = "{{ env_var('SECRET') }} {% raw %}"

COLUMNS = (
    ColumnEntry(name="customer_id", type="BIGINT", role="key", meaning="the customer"),
    ColumnEntry(name="evil", meaning=FORMULA, unit="+1", formula=SCRIPT, empty="a | b\nc", sources=("s.a", "s.b")),
    ColumnEntry(
        name="jinja", meaning=JINJA, facts={"rows": 4, "null_share": 0.25, "median": 1.5}, window="──[ t − 1d ·)┊ t"
    ),
)
DICTIONARY = Dictionary(
    project="A & B Bank",
    words=bank_words(["days_with_bank"]),
    tables=(
        TableEntry(
            name="features", meaning="All *features*", keys=("customer_id",), required=("customer_id",), columns=COLUMNS
        ),
        TableEntry(name="staging/a", columns=(ColumnEntry(name="x"),), version=3, rows=1200, dropped=("y: dropped",)),
    ),
)


def cells():
    book = CalamineWorkbook.from_filelike(io.BytesIO(files.workbook(DICTIONARY)))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def test_a_workbook_holds_texts_alone_and_a_formula_stays_a_text():
    head, *rows = cells()["Columns"]
    by_name = {row[1]: dict(zip(head, row, strict=True)) for row in rows}
    assert by_name["evil"]["Meaning"] == FORMULA
    assert by_name["evil"]["Unit"] == "+1"
    with zipfile.ZipFile(io.BytesIO(files.workbook(DICTIONARY))) as book:
        sheet, styles = book.read("xl/worksheets/sheet1.xml").decode(), book.read("xl/styles.xml").decode()
        assert not [name for name in book.namelist() if "externalLink" in name or name.endswith("sheet1.xml.rels")]
    assert "<f>" not in sheet
    assert "<v>" in sheet
    assert set(re.findall(r'<c [^>]*t="(\w+)"', sheet)) == {"s"}
    formats = re.findall(r"<xf [^>]*>", styles.partition("<cellXfs")[2])
    quoted = [place for place, style in enumerate(formats) if 'quotePrefix="1"' in style]
    cell = re.search(rf'<c r="C3" s="({quoted[0]})"', sheet)
    assert cell, "the cell of the formula is quoted, so that editing makes no formula of it"


def test_a_workbook_is_the_same_file_of_the_same_dictionary():
    assert files.workbook(DICTIONARY) == files.workbook(DICTIONARY)


def test_without_xlsxwriter_the_extra_is_named(monkeypatch):
    imported = builtins.__import__

    def without(name, *rest):
        if name == "xlsxwriter":
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependency, match="needs xlsxwriter") as caught:
        files_of(DICTIONARY)
    assert "[excel]" in caught.value.hint
    assert set(files_of(DICTIONARY, ["html", "markdown"])) == {"dictionary.html", "dictionary.md"}


def test_the_page_asks_nothing_of_the_network_and_can_be_searched():
    page = pages.html(DICTIONARY)
    assert re.findall(r"(?:src|href)=\"(?!#|data:,)[^\"]*\"", page) == []
    assert re.findall(r"@import|url\(|fetch\(|XMLHttpRequest", page) == []
    assert 'type="search"' in page
    assert 'addEventListener("input", search)' in page
    for table in DICTIONARY.tables:
        for column in table.columns:
            assert f'<article id="{table.name}.{column.name}">' in page


def test_the_page_shows_markup_as_text():
    page = pages.html(DICTIONARY)
    assert SCRIPT not in page
    assert html.escape(SCRIPT) in page
    assert "A &amp; B Bank" in page
    assert "null 25.0%, median 1.5" in page


def test_markdown_keeps_a_row_on_its_line_and_marks_as_text():
    lines = pages.markdown(DICTIONARY).splitlines()
    (row,) = [line for line in lines if line.startswith("| evil ")]
    assert r"a \| b c" in row
    assert r"\<script\>" in row
    assert len(re.findall(r"(?<!\\)\|", row)) == len(pages._HEADS) + 1
    assert "- y: dropped" in lines


def test_the_words_of_banks_stand_before_the_tables():
    text = pages.markdown(DICTIONARY)
    assert text.index("time on book") < text.index("## features")
    assert [word.said for word in DICTIONARY.words] == ["time on book, relationship tenure"]
    assert bank_words([]) == ()
    assert len(BANK_WORDS) >= 20


def test_dbt_runs_no_jinja_of_a_description():
    text = files.dbt_schema(DICTIONARY)
    assert "{{" not in text
    assert "{%" not in text
    parsed = yaml.safe_load(text)
    assert [source["name"] for source in parsed["sources"]] == ["tenure", "tenure_staging"]
    (features,) = parsed["sources"][0]["tables"]
    assert features["columns"][0]["data_tests"] == ["not_null", "unique"]
    assert features["columns"][1]["meta"]["computed_from"] == ["s.a", "s.b"]
    assert features["columns"][1]["description"] == FORMULA


def test_dbt_s_yaml_holds_no_sign_that_yaml_can_not():
    strange = ColumnEntry(name="x", meaning='a\x00b\x7f\x85\u2028"c" \\ é 🏦: #')
    table = TableEntry(name="t", columns=(strange,))
    parsed = yaml.safe_load(files.dbt_schema(Dictionary(project="p", tables=(table,))).replace("\\u0000", "?"))
    assert parsed["sources"][0]["tables"][0]["columns"][0]["description"] == 'a?b???"c" \\ é 🏦: #'


def test_metadata_says_what_is_known_and_leaves_out_what_is_not():
    said = json.loads(files.metadata(DICTIONARY.tables[0], "p"))
    assert (said["schema"], said["project"], said["name"]) == (1, "p", "features")
    assert said["columns"][0] == {
        "name": "customer_id",
        "type": "BIGINT",
        "role": "key",
        "meaning": "the customer",
        "personal": False,
    }
    assert "version" not in said
    assert json.loads(files.metadata(DICTIONARY.tables[1], "p"))["version"] == 3


def test_every_format_writes_its_files():
    names = [set(FORMATS[name](DICTIONARY)) for name in ("markdown", "html", "xlsx", "dbt", "json")]
    assert names[4] == {"tables/features/metadata.json", "tables/staging/a/metadata.json"}
    assert set(files_of(DICTIONARY)) == set().union(*names)
