"""The page of every column: what it says, that it escapes what it shows, and that it works in a browser by itself."""

from datetime import date
from pathlib import Path

import pytest

from tenure.insight.associations import Association
from tenure.insight.profile_rows import Subject
from tenure.publish.explore_page import FLAGS, ExploreInput, day, explore_page, figure
from tenure.publish.sparklines import bars, line

CHROMIUM = Path("/usr/bin/chromium")
MAY, JUNE = date(2024, 5, 31), date(2024, 6, 30)


def profile(relation, name, kind, snapshot=None, **cells):
    empty = dict.fromkeys(("mean", "deviation", "least", "lower_quartile", "median", "upper_quartile", "greatest"))
    row = {"relation": relation, "column_name": name, "kind": kind, "snapshot_date": snapshot, "rows": 10, "missing": 0}
    return row | empty | {"zeros": 0, "distinct_values": 5, "outliers_below": 0, "outliers_above": 0} | cells


def numbers(**cells):
    return {"mean": 2.0, "deviation": 1.5, "least": 0, "lower_quartile": 1, "median": 2, "upper_quartile": 3,
            "greatest": 12345.678, **cells}  # fmt: skip


def bin_(name, position, rows, start, end, relation="features"):
    return {"relation": relation, "column_name": name, "position": position, "rows": rows,
            "bin_start": start, "bin_end": end}  # fmt: skip


@pytest.fixture(scope="module")
def inputs():
    """Two features that are twins, one of which moved and may be the label, an odd name, and a day of a source."""
    return ExploreInput(
        project="Bank & Sons",
        subjects=[
            Subject("features", "spent", "number", "Money <spent>", "USD"),
            Subject("features", "paid", "number", "Paid out"),
            Subject("features", "age", "number", "Age", personal=True),
            Subject("staging/customers", "joined", "day", "When it joined"),
            Subject("staging/customers", "branch", "category"),
        ],
        rows={"features": 20, "staging/customers": 10},
        left_out=2,
        profiles=[
            profile("features", "spent", "number", rows=20, missing=12, **numbers()),
            profile("features", "spent", "number", MAY, missing=2, shift=0.0, **numbers()),
            profile("features", "spent", "number", JUNE, missing=10, shift=0.75, **numbers()),
            profile("features", "paid", "number", rows=20, **numbers(outliers_above=1)),
            profile("features", "age", "number", rows=20),
            profile("staging/customers", "joined", "day", placeholder_days=4,
                    **numbers(least=-25567.0, greatest=19000.0)),
            profile("staging/customers", "branch", "category", distinct_values=1,
                    most_frequent="<b>", most_frequent_rows=9),
        ],
        distributions=[
            bin_("spent", 0, 5, 0.0, 6000.0),
            bin_("spent", 1, 3, 6000.0, 12345.678),
            bin_("joined", 0, 10, -25567.0, 19000.0, "staging/customers"),
        ],
        correlations=[
            Association("spent", "paid", 8, pearson=-0.991, spearman=-0.5),
            Association("spent", "age", 8, pearson=0.2),
        ],
        labels=[
            {"column_name": "spent", "rows": 8, "churners": 2, "missing": 4, "missing_churners": 2, "auroc": 0.99,
             "correlation": None, "suspect": "it alone ranks churners"},
            {"column_name": "paid", "rows": 8, "churners": 2, "missing": 0, "missing_churners": 0, "auroc": 0.5,
             "correlation": 0.25, "suspect": ""},
        ],
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(inputs):
    return " ".join(explore_page(inputs).split())


def test_the_page_says_what_is_there(page):
    assert "<h1>Bank &amp; Sons: what is in each column</h1>" in page
    assert "5 columns; features at 2 snapshots, 2024-05-31 to 2024-06-30" in page
    assert "the 8 rows of split train alone, of which 2 left" in page
    assert "2 columns that the sources declare personal or metadata are left out." in page


def test_a_column_has_its_words_and_figures(page):
    card = page.partition("<code>spent</code>")[2].partition("</article>")[0]
    assert "Money &lt;spent&gt;" in card
    assert "0 to 12,346" in card
    assert "<b>60.0%</b><small>missing</small>" in card
    assert "since the first snapshot: 0.75 sd" in card
    assert "<b>0.990</b>" in card
    assert "50.0% of those without a value left, 0.0% of the others" in card
    assert "It may be the label in disguise: it alone ranks churners." in card
    assert "<code>paid</code> (correlation -0.99), <code>age</code> (correlation 0.20)." in card


@pytest.mark.parametrize(
    ("flag", "column"),
    [
        ("leak?", "spent"),
        ("mostly missing", "spent"),
        ("moved", "spent"),
        ("lies apart", "paid"),
        ("placeholder days", "joined"),
        ("one value", "branch"),
    ],
)
def test_what_to_look_at_is_named_once_for_each_column_that_bears_it(page, flag, column):
    entry = page.partition(f'data-flag="{flag}"')[2].partition("</li>")[0]
    assert f"{flag} · 1</button> <div>1 column {FLAGS[flag]}." in entry
    assert f"<small>{column}</small>" in entry


def test_twins_are_both_named(page):
    assert "<small>spent, paid</small>" in page.partition('data-flag="twin"')[2].partition("</li>")[0]


def test_days_are_days_and_names_are_escaped(page):
    assert "<dt>least</dt><dd>1900-01-01</dd>" in page
    assert "<dt>most frequent</dt><dd>&lt;b&gt;</dd>" in page
    assert "<b>&lt;b&gt;" not in page
    assert "made of personal data: its values are not shown" in page


def test_without_anything_odd_the_page_says_so(inputs):
    quiet = ExploreInput(
        project="Bank",
        subjects=[Subject("features", "paid", "number", "Paid out")],
        rows={"features": 20},
        left_out=0,
        profiles=[profile("features", "paid", "number", **numbers())],
        distributions=[],
        correlations=[],
        labels=[],
    )
    page = " ".join(explore_page(quiet).split())
    assert "Nothing: no column is empty" in page
    assert "Nothing is said of the label" in page
    assert "left out" not in page


def test_figures_are_short_and_days_without_a_calendar_are_not_made_up():
    assert [figure(v) for v in (3, 2.0, 0.123456, 12345.6, None, float("nan"))] == [
        *("3", "2", "0.1235", "12,346", "n/a", "n/a")
    ]
    assert [day(v) for v in (0, -25567.0, 1e12, None)] == ["1970-01-01", "1900-01-01", "n/a", "n/a"]


def test_sparklines_draw_what_there_is():
    assert bars([], "nothing") == ""
    drawn = bars([1, 0, 4], 'of "three"')
    assert drawn.count("<rect") == 2
    assert 'aria-label="of &quot;three&quot;"' in drawn
    assert 'height="10.0"' in drawn
    assert line([0.5], "one point", low=0, high=1) == ""
    assert line([0.0, None, 1.0], "a gap", low=0, high=1).count(",") == 2


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: install it to test the page in a browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.parametrize("width", [400, 1280])
def test_the_page_is_searched_sorted_and_narrowed_without_a_network(browser, inputs, tmp_path, width):
    file = tmp_path / "explore.html"
    file.write_text(explore_page(inputs))
    page = browser.new_page(viewport={"width": width, "height": 800})
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())

    def shown():
        return page.locator("article:visible .name code").all_inner_texts()

    assert shown() == ["spent", "paid", "age", "joined", "branch"]
    page.fill("#words", "PAID out")
    assert shown() == ["paid"]
    assert page.inner_text("#count") == "1 column."
    page.fill("#words", "")
    page.select_option("#relation", "staging/customers")
    assert shown() == ["joined", "branch"]
    page.click('button[data-flag="twin"]')
    assert shown() == ["spent", "paid"]
    page.select_option("#flag", "")
    page.select_option("#order", "missing")
    assert shown()[0] == "spent"
    page.locator("summary").first.click()
    assert page.locator("article .more").first.is_visible()
    wide = page.evaluate("document.documentElement.scrollWidth")
    page.close()
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert complaints == []
    assert wide <= width
