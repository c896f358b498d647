"""The reconciliation's page and its part of the report: totals, what breaks look like, and the worst one by one."""

import re

from publish.reconciled import GONE, made_up

from tenure.publish.reconciliation import reconciliation_page
from tenure.publish.report import report


def plain(page):
    """A page's text, without tags, its blanks as one."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("<body>")[2]).split())


def test_totals_kinds_and_each_break_stand_in_words():
    text = plain(reconciliation_page("Bank", [made_up()]))
    assert "2 breaks on 12,345 account-days, in 2 of 1,000 accounts" in text
    assert "1 account-day has no balance to compare with." in text
    assert "1 a booking counts with the other sign" in text
    assert "Account &lt;7&gt;, 2024-03-05: 41.00 EUR" in text
    assert (
        "It opened with 1,000.00; 21 bookings after 2024-03-04 moved \N{MINUS SIGN}20.50, so 979.50 was expected."
        in text
    )
    assert "The balance is 1,020.50." in text
    assert "The first 1 of 21." in text
    assert "Account 8, 2024-04-05: 2 balances missing Balances are missing." in text


def test_a_ledger_without_a_break_says_so_and_shows_none():
    text = plain(reconciliation_page("Bank", [made_up(breaks=0, broken_accounts=0, kinds={}, worst=(), unchecked=0)]))
    assert "No break on 12,345 account-days of 1,000 accounts" in text
    assert "What they look like" not in text
    assert "largest" not in text


def test_one_break_is_told_in_the_singular():
    text = plain(reconciliation_page("Bank", [made_up(breaks=1, kinds={"gap": 1}, worst=(GONE,))]))
    assert "1 break on" in text
    assert "The break, with its bookings" in text


def test_the_report_has_the_ledgers_only_where_some_are_declared(make_input):
    assert "Do bookings explain balances?" not in report(make_input())
    page = report(make_input(ledgers=(made_up(),)))
    assert 'href="#ledger"' in page
    assert "2 breaks on 12,345 account-days" in plain(page)
