"""What no model may learn from: planted leaks and keys are refused by name, and honest columns let through."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from tenure.errors import CheckFailed
from tenure.model.shares import area, areas_out_of_fold, banded
from tenure.model.suspects import AUROC_LIMIT, ranks_of, ranks_of_keys
from tenure.model.train import ModelTrainingService, TrainSettings

KEYS = ["customer_id"]
CUSTOMERS, MONTHS = 1_200, 12


def bank(seed=1, customers=CUSTOMERS, months=MONTHS):
    """Monthly rows of customers, three in ten of whom leave; silent ones stay silent, which shows after they left."""
    random = np.random.default_rng(seed)
    leaves = np.where(random.random(customers) < 0.3, random.integers(1, months, customers), months + 9)
    rows = pd.DataFrame(
        {"customer_id": np.tile(np.arange(customers), months), "month": np.arange(months).repeat(customers)}
    )
    left = leaves[rows["customer_id"]]
    rows["churned"] = (rows["month"] >= left).astype(int)
    rows["silent_months"] = 3 * np.maximum(0, rows["month"] - left) + random.integers(0, 4, len(rows))
    rows["amount"] = random.normal(size=len(rows)) + 0.5 * rows["churned"]
    rows["snapshot_date"] = pd.Timestamp("2024-01-31") + pd.to_timedelta(30 * rows["month"], unit="D")
    return rows.assign(split="train", fold=(rows["customer_id"] % 5).astype("Int32"), left=left, seen_in_train=True)


ROWS = bank()
FRAME = ROWS.drop(columns=["month", "left"])


def train(frame, **settings):
    return ModelTrainingService(TrainSettings(kinds=("rule",), **settings)).train(frame, KEYS)


def refusal(column, values):
    with pytest.raises(CheckFailed) as caught:
        train(FRAME.assign(**{column: values}))
    assert caught.value.message.startswith(f"feature '{column}' may not be learned from: ")
    assert caught.value.message.endswith("Nothing was trained.")
    return caught.value


def test_honest_columns_are_let_through_though_long_silence_ranks_nearly_perfectly():
    assert roc_auc_score(ROWS["churned"], ROWS["silent_months"]) > 0.88
    (rule,) = train(FRAME)
    assert set(rule.columns.names) == {"silent_months", "amount"}


def test_a_future_aggregate_of_small_correlation_is_refused_and_its_cures_work():
    # Heavy tails: one row in a thousand is so large that Pearson's correlation sees little.
    random = np.random.default_rng(3)
    rank = ROWS["churned"] * 3.7 + random.normal(size=len(ROWS))
    future = np.exp(2 * rank)
    assert abs(np.corrcoef(future, ROWS["churned"])[0, 1]) < 0.5
    assert roc_auc_score(ROWS["churned"], future) == pytest.approx(0.995, abs=0.002)
    error = refusal("inflow_next_30d", future)
    assert "it alone ranks churners with an AUROC of 0.99" in error.message
    assert 'exclude = ["inflow_next_30d"]' in error.hint
    assert 'trust = ["inflow_next_30d"]' in error.hint
    leaky = FRAME.assign(inflow_next_30d=future)
    (without,) = train(leaky, exclude=("inflow_next_30d",))
    assert "inflow_next_30d" not in without.columns.names
    (trusting,) = train(leaky, trust=("inflow_*",))
    assert trusting.members[0].rule.feature == "inflow_next_30d"


def test_a_column_that_is_high_or_low_for_churners_is_refused():
    random = np.random.default_rng(4)
    sign = random.choice([-1, 1], len(ROWS))
    values = np.where(ROWS["churned"] == 1, sign * (6 + random.random(len(ROWS))), random.normal(size=len(ROWS)))
    assert 0.4 < roc_auc_score(ROWS["churned"], values) < 0.6
    assert "ranks churners" in refusal("change_after", values).message


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_closing_reason_is_refused_though_half_of_the_churners_have_none(share):
    filled = (ROWS["customer_id"] % 100 < 100 * share) & (ROWS["churned"] == 1)
    words = pd.Series(np.where(filled, np.where(ROWS["customer_id"] % 2, "rates", "moved"), None), dtype=object)
    message = refusal("closing_reason", words).message
    assert "rows with a value, 100.0% churn" in message
    assert "rates" not in message


def test_a_flag_that_only_churners_have_is_refused():
    flag = ((ROWS["customer_id"] % 3 == 0) & (ROWS["churned"] == 1)).astype(int)
    assert "rows with one of its values, 100.0% churn" in refusal("is_closing", flag).message


def test_silence_at_the_first_churned_row_is_let_through():
    """No row within a window: a count of 0, and no mean. That all who are silent leave is the definition's doing."""
    is_silent = (ROWS["customer_id"] % 2 == 0) & (ROWS["churned"] == 1)
    count = np.where(is_silent, 0, 1 + ROWS["month"] % 3)
    few = np.where(is_silent, 1, 2 + ROWS["month"] % 3)
    mean = ROWS["amount"].mask(is_silent)
    (rule,) = train(FRAME.assign(payment_count_30d=count, payment_count_90d=few, amount_mean_30d=mean))
    assert {"payment_count_30d", "amount_mean_30d"} <= set(rule.columns.names)


def test_an_identifier_that_sorts_by_leaving_is_refused():
    # Given out as the bank closed accounts, the others after them; each row of a customer has it, early ones too.
    when = ROWS.groupby("customer_id")["left"].first() + np.random.default_rng(6).random(CUSTOMERS)
    number = 100_000 + rankdata(when).astype(int)
    message = refusal("file_no", number[ROWS["customer_id"]]).message
    assert "AUROC" in message or "in the order of leaving" in message


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (lambda n: 5_000 + 3 * n, "in the order of customer_id"),
        (lambda n: 9_000 - n, "in the order of customer_id"),
        (lambda n: np.random.default_rng(7).permutation(10**7)[: n.max() + 1][n], "in no order that is known"),
    ],
)
def test_a_key_that_slips_in_as_a_number_is_refused(number, words):
    message = refusal("account_no", number(ROWS["customer_id"].to_numpy())).message
    assert f"1,200 of 1,200 customers have alone, {words}: a key" in message


def test_a_key_in_the_order_of_first_snapshots_is_refused_where_keys_have_no_order():
    joined = np.arange(CUSTOMERS) // 300
    frame = FRAME[ROWS["month"] >= joined[ROWS["customer_id"]]]
    words = np.random.default_rng(8).permutation(CUSTOMERS)
    named = frame.assign(customer_id=[f"{chr(97 + n % 26)}{n}x" for n in words[frame["customer_id"]]])
    small = named[frame["customer_id"] % 3 == 0].assign(book_no=frame["customer_id"])
    with pytest.raises(CheckFailed, match=r"'book_no' .* in the order of their first snapshots"):
        train(small)


def honest(name):
    random = np.random.default_rng(9)
    customer, month = ROWS["customer_id"].to_numpy(), ROWS["month"].to_numpy()
    by_customer = {
        "birth_day": random.integers(0, 22_000, CUSTOMERS),
        "branch_no": random.integers(1, 80, CUSTOMERS),
        "first_deposit": np.round(np.exp(random.normal(8, 1, CUSTOMERS)), 2),
        "first_deposit_in_hundreds": np.round(np.exp(random.normal(3, 1, CUSTOMERS))) * 100,
    }
    if name in by_customer:
        return by_customer[name][customer]
    return {
        "days_with_bank": 30 * month + 7 * customer,
        "balance_in_cents": random.integers(0, 10**9, len(ROWS)),
        "row_mean": random.normal(size=len(ROWS)),
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "birth_day",
        "branch_no",
        "first_deposit",
        "first_deposit_in_hundreds",
        "days_with_bank",
        "balance_in_cents",
        "row_mean",
    ],
)
def test_honest_numbers_are_no_keys(name):
    (rule,) = train(FRAME.assign(**{name: honest(name)}))
    assert name in rule.columns.names


def test_several_suspects_are_named_at_once():
    with pytest.raises(CheckFailed, match=r"'told' may not .*; so do account_no, told_again") as caught:
        train(FRAME.assign(told=ROWS["churned"], told_again=-ROWS["churned"], account_no=ROWS["customer_id"] + 5))
    assert 'exclude = ["told", "told_again", "account_no"]' in caught.value.hint


def test_later_rows_have_no_say():
    random = np.random.default_rng(10)
    later = ROWS["month"] == MONTHS - 1
    told = np.where(later, ROWS["churned"], random.random(len(ROWS)))
    (rule,) = train(FRAME.assign(told=told, split=np.where(later, "test", "train")))
    assert "told" in rule.columns.names


def test_of_customers_with_one_row_each_all_rows_count():
    rows = FRAME[ROWS["month"] == 4]
    with pytest.raises(CheckFailed, match=r"'told' may not be learned from: "):
        train(rows.assign(told=rows["churned"] + np.random.default_rng(1).random(len(rows)) * 0.5))
    cents = np.random.default_rng(2).permutation(10**6)[: len(rows)]
    (rule,) = train(rows.assign(balance_in_cents=cents))
    assert "balance_in_cents" in rule.columns.names


def test_few_churners_are_no_evidence():
    few = FRAME.assign(churned=np.where(ROWS["customer_id"] % 61 < 1, ROWS["churned"], 0))
    assert 0 < ROWS[few["churned"] == 1]["customer_id"].nunique() < 10
    (rule,) = train(few.assign(told=few["churned"]), min_churners=1)
    assert "told" in rule.columns.names


CELL = st.tuples(st.one_of(st.none(), st.integers(-5, 5)), st.integers(0, 1), st.integers(0, 2), st.integers(0, 2))


@given(st.lists(CELL, min_size=1, max_size=50))
def test_areas_are_shares_of_pairs_counted_one_by_one(cells):
    values, churned, snapshot, fold = (np.array(some, dtype=float) for some in zip(*cells, strict=True))
    bands = banded(values)
    known = values[~np.isnan(values)]
    assert [bands[i] for i in np.flatnonzero(~np.isnan(values))] == list(rankdata(known, "dense"))
    ill, at, part = churned.astype(int), snapshot.astype(int), fold.astype(int)

    def counted(score, together):
        pairs = [
            (score[i] > score[j]) + (score[i] == score[j]) / 2
            for i in np.flatnonzero(ill == 1)
            for j in np.flatnonzero(ill == 0)
            if together[i] == together[j]
        ]
        return np.mean(pairs) if pairs else 0.5

    assert area(bands, ill, at) == pytest.approx(counted(bands, at))
    share = np.empty(len(ill))
    for row in range(len(ill)):
        others = part != part[row]
        same = others & (bands == bands[row])
        share[row] = ill[same].mean() if same.any() else ill[others].mean() if others.any() else 0.0
    together = at * 10 + part
    assert areas_out_of_fold(bands, ill, at, part) == pytest.approx(counted(share, together))


def test_bands_of_many_values_are_quantiles_in_order():
    values = np.append(np.random.default_rng(3).normal(size=30_000), np.nan)
    bands = banded(values)
    assert (bands[-1], bands[:-1].min(), bands.max()) == (0, 1, 200)
    assert (np.diff(bands[:-1][np.argsort(values[:-1])]) >= 0).all()
    assert np.bincount(bands)[1:].max() < 2 * 30_000 / 200


def test_ranks_of_keys_follow_the_number_at_their_end():
    assert list(ranks_of_keys(pd.Series(["C10", "C9", "C10", "C200"]))) == [1, 0, 1, 2]
    assert list(ranks_of_keys(pd.Series(["b", "a2", "c"]))) == [1, 0, 2]
    assert list(ranks_of_keys(pd.Series([30, 7, 200]))) == [1, 0, 2]


@pytest.mark.parametrize(
    "dates", [pd.to_datetime(["2024-03-01", "2023-12-31"]), [date(2024, 3, 1), date(2023, 12, 31)]]
)
def test_dates_are_ranked_as_dates(dates):
    assert list(ranks_of(pd.Series(dates))) == [1, 0]


def test_the_limit_is_that_of_verify():
    from tenure.leaks import target_proxies

    assert target_proxies.AUROC_LIMIT == AUROC_LIMIT
