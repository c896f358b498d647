"""The quality page: each figure beside its words, what has not run with what to run, the same within the report."""

import pytest
from publish.judged import made_up
from publish.test_report import Page

from tenure.publish.quality import Quality, quality_page
from tenure.publish.report import report


def page(quality):
    return Page(quality_page("Bank", quality))


@pytest.mark.parametrize(
    "words",
    [
        "3 of 214 checks found something, 1 of them an error; 12,345 rows came in, 40 were refused.",
        "payments 3 12,000 11,958 2 40 5 2023-01-01 2024-07-31",
        "customers – 345 345 0 0 – 2020-01-01 2024-07-31",
        "payments 39 amount: not a decimal payments 1 paid_on: <missing>",
        "tenure show quarantine/payments",
        "warning payments 2024-03 has 12 rows, and the months beside it 300 and 310: a part may be missing TEN-I007",
        "1 error, 1 warning, 1 note of 214 checks. 7 more checks could not be judged",
        "error payments amount values below 0 12 0.1% TEN-Q002",
        "note payments whole rows payments of <nobody> 1 < 0.1% small_b",
        "tenure show failing_rows/payments .",
        "docs/checks.md#ten-q002",
        "customers 100.0 one run 3 0 –",
        "payments 97.5 3 runs, lowest 88.0 211 3 amount 91.2, kind 98.0",
        "2024-08-01 06:45 went through 12,303 40 214 1 1 0",
        "2024-07-01 06:30 stopped – – 214 9 0 0",
        "ledger: 3 breaks on 900 account-days, 2 of 40 accounts. Looked at on 2024-08-01 06:45",
        "2024-07-01 06:30: ledger: 1 break on 870 account-days, 1 of 40 accounts",
        "2 alarms at 2024-07-31, in 120 comparisons",
        "amount_sum_30d Money out, total over 30 days its mean",
        "all rows the number of rows",
        "2024-05-31 – –",
    ],
)
def test_a_figure_stands_beside_its_words(words):
    assert words in page(made_up()).text


def test_the_scores_and_the_alarms_are_drawn_over_runs():
    html = quality_page("Bank", made_up())
    assert 'aria-label="3 runs: from 100.0 to 97.5"' in html
    assert 'aria-label="alarms at 2 snapshots: now 2, at most 2"' in html
    assert html.count("<polyline") == 2


def test_the_stand_alone_page_leads_to_the_breaks_and_the_report_to_its_section(make_input):
    assert page(made_up()).fetched == ["data:,", "reconciliation.html"]
    within = report(make_input(data_quality=made_up()))
    assert "reconciliation.html" not in within
    assert "3 of 214 checks found something" in within


@pytest.mark.parametrize(
    ("changed", "headline"),
    [
        ({"failed": ()}, "All 214 checks passed; 12,345 rows came in, 40 were refused."),
        ({"failed": made_up().failed[1:]}, "2 of 214 checks found something, none of them an error; 12,345"),
        ({"failed": made_up().failed[:1] * 2}, "2 of 214 checks found something, 2 of them errors; 12,345"),
        ({"checked": 0, "failed": ()}, "No check has been made; 12,345 rows came in, 40 were refused."),
        ({"came": made_up().came[:1]}, "345 rows came in, none were refused."),
        ({"came": (), "checked": 0}, "Nothing has come in yet."),
    ],
)
def test_the_headline_says_how_it_is(changed, headline):
    assert headline in made_up(**changed).headline


def test_what_has_not_run_says_what_to_run():
    text = page(Quality(not_staged=("customers",), is_reconciliation_declared=True)).text
    for words in (
        "Nothing has come in yet.",
        "Not staged yet: customers. Run tenure staging .",
        "No check has been made: tenure staging makes them.",
        "Not looked at yet. Run tenure reconcile .",
        "Not looked at yet. Run tenure drift .",
    ):
        assert words in text
    assert "declare a Reconciliation in sources.py" in page(Quality()).text


def test_few_snapshots_are_no_calm():
    text = page(made_up(drift=made_up().drift[2:], moved=())).text
    assert "Not to be said yet at 2024-05-31" in text
    assert "Nothing has moved" not in text


@pytest.mark.parametrize(
    ("status", "words"), [("failed", "did not go through"), ("interrupted", "was stopped by hand or killed")]
)
def test_a_run_that_stopped_is_named_with_its_sources(status, words):
    text = page(made_up(stopped=status, stopping=("payments",))).text
    assert f"The newest staging {words}." in text
    assert "Checks stopped payments; the errors stand below." in text
