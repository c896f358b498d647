"""Which columns a member reads: the rules one by one, and that its own fold has no say."""

import json
from typing import get_args

import numpy as np
import pytest

from tenure.config import TrainSection
from tenure.errors import InvalidConfig, ModelError, UnsafeModelFile
from tenure.insight.contributions import contributions
from tenure.model.null_importance import dealt_anew
from tenure.model.registry import load_model
from tenure.model.sample import Folds, Sample
from tenure.model.select import EXCLUDED, Columns
from tenure.model.selection import SELECTIONS, Teaching, alike, ended, equal, select_in_folds, selected
from tenure.model.train import ModelTrainingService, TrainSettings

KEYS = ["customer_id"]
ROWS = 400


def teaching(snapshots=8, categories=None, **columns):
    """Rows of as many customers, spread evenly over the snapshots in order; the label is of no account."""
    categories = categories or {}
    numeric = tuple(name for name in columns if name not in categories)
    matrix = np.column_stack([columns[name] for name in (*numeric, *categories)]).astype(float)
    rows = Sample(matrix, (np.arange(len(matrix)) % 5 == 0).astype(float), np.arange(len(matrix)))
    snapshot = np.arange(len(matrix)) * snapshots // len(matrix)
    return Teaching(Columns(("customer_id",), numeric, tuple(categories), categories), rows, snapshot, seed=7)


def noise(seed, rows=ROWS):
    return np.random.default_rng(seed).normal(size=rows)


def first_half(values):
    return np.where(np.arange(len(values)) < len(values) // 2, values, np.nan)


def test_of_equal_columns_the_one_with_the_shortest_name_stays_then_the_first_of_the_alphabet():
    amount = noise(1)
    found = equal(teaching(debit_sum_90d=amount, debit_sum=amount, debit_max=amount, other=noise(2)))
    assert found == dict.fromkeys(("debit_sum", "debit_sum_90d"), "equal to 'debit_max' on every row")


def test_columns_that_differ_in_one_row_or_one_gap_are_both_kept():
    amount = noise(1, rows=10_001)
    other, gap = amount.copy(), amount.copy()
    other[1], gap[7_001] = 5.0, np.nan
    assert equal(teaching(a=amount, b=other, c=gap)) == {}


def test_gaps_and_signed_zeros_do_not_hide_that_columns_are_equal():
    amount = np.where(noise(1) > 0, np.nan, 0.0)
    assert equal(teaching(a=amount, b=-amount)) == {"b": "equal to 'a' on every row"}


def test_equal_codes_of_other_categories_are_no_twins():
    code = np.arange(ROWS) % 2
    regions = {"region": ("east", "west"), "home": ("east", "west"), "card": ("gold", "none")}
    rows = teaching(categories=regions, flag=code, region=code, home=code, card=code)
    assert equal(rows) == {"region": "equal to 'home' on every row"}


def test_columns_that_rank_rows_alike_up_or_down_are_alike_and_the_fullest_stays():
    amount = np.abs(noise(1)) + 0.1
    gappy = np.where(amount == amount.min(), np.nan, amount)
    rows = teaching(x=gappy, amount_squared=amount**2, less=-amount, other=noise(2))
    words = "ranks rows as 'less' does (correlation of ranks 0.999 or more)"
    assert alike(rows) == {"amount_squared": words, "x": words}


def test_an_amount_that_few_have_is_not_alike_to_its_count():
    has = np.arange(5_000) % 500 == 0
    count = has.astype(float)
    amount = np.where(has, 100 + np.abs(noise(3, rows=5_000)), 0.0)
    assert alike(teaching(loans=count, loan_amount=amount)) == {}
    assert alike(teaching(loans=count, loans_twice=2 * count)) == {
        "loans_twice": "ranks rows as 'loans' does (correlation of ranks 0.999 or more)"
    }


def test_a_column_that_ended_is_dropped_and_one_that_began_late_or_moves_is_kept():
    amount = noise(1)
    rows = teaching(stopped=first_half(amount), began=first_half(amount)[::-1], grows=np.arange(ROWS))
    assert ended(rows) == {"stopped": "ended: all null on the later 4 of 8 snapshots, though not before"}


def test_three_snapshots_show_no_end():
    assert ended(teaching(snapshots=3, stopped=first_half(noise(1)), other=noise(2))) == {}


def test_a_column_that_teaches_a_member_nothing_is_dropped():
    rows = teaching(
        empty=np.full(ROWS, np.nan), fee=np.full(ROWS, 5.0), gappy=first_half(np.full(ROWS, 5.0))[::-1], x=noise(1)
    )
    columns = selected(rows, "plain")
    assert columns.names == ("gappy", "x")
    assert columns.dropped == {
        "empty": "all null on the rows that teach",
        "fee": "constant on the rows that teach",
    }


def test_no_column_left_is_refused_with_the_reasons():
    told = r"select = 'plain' leaves a fold's model no feature .*fee: constant on the rows"
    with pytest.raises(ModelError, match=told) as caught:
        selected(teaching(fee=np.full(ROWS, 5.0)), "plain")
    assert '[train] select = "none"' in caught.value.hint


def folds_of(**columns):
    rows = teaching(**columns)
    return Folds(rows.rows, np.arange(ROWS) % 5, rows.columns), rows.snapshot


def test_each_fold_chooses_by_the_other_folds_and_the_reasons_are_counted():
    amount, fold = noise(1), np.arange(ROWS) % 5
    nearly = np.where((fold == 2) & (np.arange(ROWS) == 12), 9.0, amount)
    rare = np.where(fold == 3, amount, np.nan)
    folds, snapshot = folds_of(a=amount, nearly=nearly, rare=rare, twin=amount, b=noise(2))
    found = select_in_folds(folds, snapshot, select="plain", seed=7)
    # Without fold 2 the odd row is gone, and without fold 3 all values of `rare`.
    assert [found.columns_of(n).names for n in range(5)] == [
        ("a", "nearly", "rare", "b"),
        ("a", "nearly", "rare", "b"),
        ("a", "rare", "b"),
        ("a", "nearly", "b"),
        ("a", "nearly", "rare", "b"),
    ]
    assert found.columns.names == ("a", "nearly", "rare", "b")
    assert found.columns.dropped == {
        "twin": "equal to 'a' on every row",
        "nearly": "in 1 of 5 folds: equal to 'a' on every row",
        "rare": "in 1 of 5 folds: all null on the rows that teach",
    }
    np.testing.assert_array_equal(found.rows.matrix, folds.rows.matrix[:, [0, 1, 2, 4]])
    others, judged = found.apart(2)
    np.testing.assert_array_equal(others.matrix, folds.rows.matrix[fold != 2][:, [0, 2, 4]])
    assert judged.matrix.shape == (80, 3)


def test_none_chooses_nothing_within_folds():
    folds, snapshot = folds_of(a=noise(1), twin=noise(1))
    assert select_in_folds(folds, snapshot, select="none", seed=7) is folds


def test_labels_are_dealt_out_as_whole_paths_between_customers_of_as_many_rows():
    random = np.random.default_rng(2)
    customer = np.repeat(np.arange(60), 1 + np.arange(60) % 4)
    snapshot = np.concatenate([np.arange(1 + n % 4) + n % 3 for n in range(60)])
    order = random.permutation(len(customer))
    churned = random.integers(0, 2, len(customer)).astype(float)

    def paths(labels):
        found = [tuple(labels[customer == n]) for n in range(60)]
        return sorted(found), found

    dealt = np.empty(len(customer))
    dealt[order] = dealt_anew(churned[order], customer[order], snapshot[order], random)
    assert paths(dealt)[0] == paths(churned)[0]
    assert paths(dealt)[1] != paths(churned)[1]
    assert [len(path) for path in paths(dealt)[1]] == [len(path) for path in paths(churned)[1]]


def test_null_importance_drops_what_tells_nothing_though_a_customers_rows_resemble_each_other():
    random = np.random.default_rng(5)
    customer = np.repeat(np.arange(300), 4)
    told, fixed = random.normal(size=1200), random.normal(size=(300, 12))[customer]
    churned = (random.random(1200) < 1 / (1 + np.exp(-3 * told))).astype(float)
    columns = Columns(("customer_id",), ("told", *(f"fixed_{n}" for n in range(12))), ())
    rows = Teaching(columns, Sample(np.column_stack([told, fixed]), churned, customer), np.tile(np.arange(4), 300), 7)
    found = selected(rows, "null_importance")
    assert "told" in found.names
    assert len(found.names) < 8
    assert found.dropped == selected(rows, "null_importance").dropped


@pytest.fixture(scope="module")
def uneven(world):
    """The world with a column known in fold 3 alone, a twin, and one that fold 1 alone tells from another."""
    fold = world["fold"]
    return world.assign(
        rare=np.where(fold.eq(3).fillna(value=False), world["balance_last"], np.nan),
        balance_last_again=world["balance_last"],
        nearly_debit=np.where(fold.eq(1).fillna(value=False), 0.0, world["debit_amount_sum_90d"]),
    )


@pytest.fixture(scope="module")
def fitted(uneven):
    kinds = ("rule", "logistic", "lightgbm", "xgboost", "blend")
    return ModelTrainingService(TrainSettings(kinds=kinds, trials=1)).train(uneven, KEYS)


def test_members_read_columns_of_their_own_and_add_up_exactly(fitted, uneven):
    for model in fitted:
        assert "balance_last_again" not in model.columns.names
        assert "rare" in model.columns.names
        assert "rare" not in model.members[3].columns.names
        assert len({member.columns.names for member in model.members.values()}) > 1
        matrix = model.columns.matrix(uneven)
        found = contributions(model, matrix, matrix)
        np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.margin, rtol=0, atol=1e-6)
        by_hand = [member.margin(member.columns.matrix(uneven)) for member in model.members.values()]
        np.testing.assert_array_equal(found.margin, np.mean(by_hand, axis=0))


def test_a_column_that_no_member_uses_adds_nothing(fitted, uneven):
    rule = fitted[0]
    values = rule.contributions(*[rule.columns.matrix(uneven)] * 2)[0]
    used = {member.rule.feature for member in rule.members.values()}
    for place, name in enumerate(rule.columns.names):
        assert (values[:, place] != 0).any() == (name in used)


def test_members_of_different_columns_are_read_back_to_the_last_bit(fitted, uneven):
    for model in fitted:
        again = load_model(model.files())
        assert again.columns == model.columns
        assert again.files() == model.files()
        np.testing.assert_array_equal(again.predict(uneven), model.predict(uneven))
        train = uneven[uneven["split"] == "train"]
        np.testing.assert_array_equal(again.predict_unseen(train), model.predict_unseen(train))


def test_a_card_without_a_column_that_a_member_reads_is_refused(fitted):
    files = fitted[0].files()
    card = json.loads(files["model.json"])
    card["columns"]["numeric"].remove("rare")
    with pytest.raises(UnsafeModelFile, match=r"model\.json lacks columns that its members read: rare"):
        load_model({**files, "model.json": json.dumps(card).encode()})


def test_a_card_of_an_older_tenure_has_the_columns_of_its_first_member(models, world):
    files = models[0].files()
    card = {name: part for name, part in json.loads(files["model.json"]).items() if name != "columns"}
    again = load_model({**files, "model.json": json.dumps(card).encode()})
    assert again.columns == models[0].members[0].columns
    np.testing.assert_array_equal(again.predict(world), models[0].predict(world))


def test_excluded_features_are_read_by_none_and_say_so(world):
    settings = TrainSettings(kinds=("rule",), exclude=("days_since_last", "debit_*"))
    (rule,) = ModelTrainingService(settings).train(world, KEYS)
    assert set(rule.columns.names) == {"balance_last", "region", "has_card"}
    assert rule.columns.dropped["debit_amount_sum_90d"] == rule.columns.dropped["days_since_last"] == EXCLUDED


@pytest.mark.parametrize("key", ["exclude", "trust"])
def test_a_name_or_pattern_that_matches_no_feature_is_refused_with_the_nearest(world, key):
    told = rf"\[train\] {key}: no feature is called or matches 'balance_lost'; the nearest: balance_"
    with pytest.raises(InvalidConfig, match=told):
        ModelTrainingService(TrainSettings(kinds=("rule",), **{key: ("balance_lost",)})).train(world, KEYS)
    with pytest.raises(InvalidConfig, match=r"matches 'xyz_\*'; there are 8 features\."):
        ModelTrainingService(TrainSettings(kinds=("rule",), **{key: ("xyz_*",)})).train(world, KEYS)


def test_an_unknown_selection_is_refused():
    told = r"\[train\] select: got 'best'; allowed: alike, none, null_importance, plain"
    with pytest.raises(InvalidConfig, match=told):
        TrainSettings(select="best")


def test_the_config_offers_the_selections_that_there_are():
    assert get_args(TrainSection.model_fields["select"].annotation) == SELECTIONS
    assert TrainSection().select == TrainSettings().select == SELECTIONS[0]
