"""The words that banks use, and the columns of the bank pack that answer them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class BankWord:
    """A word or phrase of bankers, the feature columns that answer it, and how to read them."""

    said: str
    columns: tuple[str, ...]
    reading: str


def bank_words(columns: Collection[str]) -> tuple[BankWord, ...]:
    """Return the words that a project's feature columns answer, each with those columns alone that it has."""
    found = []
    for word in BANK_WORDS:
        there = tuple(name for name in word.columns if name in columns)
        if there:
            found.append(BankWord(word.said, there, word.reading))
    return tuple(found)


#: Every word, the ends of a relationship first, then money, then use, then contact.
BANK_WORDS = (
    BankWord(
        "direct deposit stopped, payroll moved",
        ("salary_days_since_last", "salary_streak_12m", "salary_amount_sum_30d_over_90d"),
        "days since the last salary beyond a month; a streak of 0; a trend of 0",
    ),
    BankWord(
        "direct deposit, payroll credit",
        ("salary_amount_sum_30d", "salary_amount_sum_90d"),
        "salary received; 0 where none came",
    ),
    BankWord(
        "bill pay down",
        ("spent_utilities_count_30d", "spent_utilities_count_90d", "spent_rent_count_30d", "spent_rent_count_90d"),
        "fewer bills in 30 days than a third of those in 90",
    ),
    BankWord(
        "share draft (a credit union's checking account)",
        ("accounts_checking_count", "account_use_checking_count_90d", "balance_checking_last_90d"),
        "open ones, their use, the balance that the last booking left",
    ),
    BankWord(
        "share account (a credit union's savings account)",
        ("accounts_savings_count", "account_use_savings_count_90d", "balance_savings_last_90d"),
        "open ones, their use, the balance that the last booking left",
    ),
    BankWord(
        "card silent, card inactive",
        (
            "account_use_credit_card_days_since_last",
            "account_use_credit_card_count_90d",
            "account_use_credit_card_count_30d_over_90d",
        ),
        "days since the last booking on the card; no booking in 90 days",
    ),
    BankWord(
        "dormant, inactive customer",
        ("own_use_days_since_last", "own_use_active_days_90d", "own_use_streak_12m"),
        "nothing done by the customer; batch bookings do not count",
    ),
    BankWord(
        "account closed, product attrition",
        ("account_closings_count_90d", "account_closings_count_365d", "account_closings_days_since_last"),
        "closings that the bank knew of before t; the label looks after it",
    ),
    BankWord(
        "new account, cross-sell",
        ("account_openings_count_90d", "account_openings_count_365d", "account_openings_days_since_last"),
        "accounts opened before t",
    ),
    BankWord(
        "products per household, share of relationship",
        ("products_distinct_count", "accounts_count"),
        "held at t",
    ),
    BankWord(
        "primary bank, primacy",
        ("salary_streak_12m", "own_use_streak_12m", "own_use_active_days_30d"),
        "salary and own use month after month",
    ),
    BankWord(
        "time on book, relationship tenure",
        ("days_with_bank",),
        "days since the customer joined",
    ),
    BankWord(
        "balance run-off, deposit outflow",
        (
            "balance_checking_mean_30d_over_90d",
            "balance_savings_mean_30d_over_90d",
            "balance_savings_mean_3m_over_12m",
        ),
        "below 1 the balance falls",
    ),
    BankWord(
        "average balance",
        ("balance_checking_mean_3m", "balance_savings_mean_3m", "balance_credit_card_mean_3m"),
        "of the balances that bookings leave, not of days",
    ),
    BankWord(
        "overdrawn, NSF days",
        ("overdrawn_active_days_30d", "overdrawn_active_days_90d"),
        "days with a booking that left the checking account below 0",
    ),
    BankWord(
        "low balance",
        ("low_balance_active_days_90d", "usual_balance_checking_p10_90d"),
        "days under 100 USD; the tenth that is lowest",
    ),
    BankWord(
        "money in against money out, net flow",
        ("debit_to_credit_ratio_90d", "money_in_sum_12m", "money_out_sum_12m"),
        "above 1 more goes out than comes in",
    ),
    BankWord(
        "spend decline",
        ("debit_amount_sum_30d_over_90d", "own_use_count_30d_over_90d", "spent_groceries_sum_30d_over_90d"),
        "below 1 the customer spends less than before",
    ),
    BankWord(
        "point-of-sale spend, debit card use",
        ("use_pos_count_90d", "spent_groceries_sum_90d", "spent_dining_sum_90d"),
        "by channel and by category",
    ),
    BankWord(
        "ATM use, cash withdrawals",
        ("use_atm_count_90d", "spent_cash_sum_90d", "cash_to_debit_ratio_90d"),
        "cash as a share of money out",
    ),
    BankWord(
        "fee pain, fee income",
        ("fee_amount_sum_90d", "fees_to_debit_ratio_90d"),
        "fees paid, and as a share of money out",
    ),
    BankWord(
        "line of credit, overdraft limit",
        ("overdraft_limit_sum", "overdraft_limit_max"),
        "of open accounts",
    ),
    BankWord(
        "rate, APR",
        ("interest_rate_mean", "interest_rate_savings_max", "interest_rate_credit_card_max"),
        "a year, as a share",
    ),
    BankWord(
        "digital engagement, app use",
        ("digital_enrolled", "logins_count_90d", "logins_days_since_last", "mobile_to_own_ratio_90d"),
        "enrolled, logged in, booked in the app",
    ),
    BankWord(
        "branch traffic, teller use",
        ("branch_visits_count_90d", "use_branch_count_90d"),
        "visits, and bookings at the counter",
    ),
    BankWord(
        "open complaint, service recovery",
        ("unresolved_complaints_count_90d", "complaints_count_90d"),
        "left unresolved at first contact, and all",
    ),
    BankWord(
        "call center contact",
        ("calls_count_90d", "call_minutes_sum_90d"),
        "calls and minutes",
    ),
    BankWord(
        "file maintenance, change of address",
        ("profile_count_365d", "regions_lived_distinct_count_365d"),
        "versions of the record; more than one region is a move",
    ),
)
