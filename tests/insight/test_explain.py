from __future__ import annotations

from datetime import date, datetime
from itertools import combinations
from math import comb, log

import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tenure.define.feature import Description
from tenure.errors import AdditivityError, MissingFeature, ModelError
from tenure.insight.contributions import Contributions
from tenure.insight.explain import SHAPExplainabilityService
from tenure.model.base import Model
from tenure.model.learners.lightgbm import LightGBMModel
from tenure.model.learners.logistic import LogisticModel
from tenure.model.learners.rule import Rule, RuleModel
from tenure.model.select import Columns

EXPLAINED_AT = datetime(2024, 2, 1, 9, 30)
MONEY_OUT = "debit_amount_sum_30d"
MONEY_OUT_LONG = "debit_amount_sum_90d"
LOGINS = "login_count_30d"
DESCRIPTIONS = {
    MONEY_OUT: Description("Money out, total over the 30 days before", "USD"),
    MONEY_OUT_LONG: Description("Money out, total over the 90 days before", "USD"),
    LOGINS: Description("Logins, count over the 30 days before"),
    "region": Description("Region"),
    "has_card": Description("Holds a card"),
}


def bank(**columns):
    rows = len(next(iter(columns.values())))
    return pd.DataFrame(
        {"customer_id": np.arange(100, 100 + rows), "snapshot_date": [date(2024, 1, 31)] * rows, **columns}
    )


def explain(model: Model, features, **settings):
    return SHAPExplainabilityService(model, "v1", DESCRIPTIONS, EXPLAINED_AT, **settings).explain(features)


def trees(matrix, churned, names, categories=None, **settings) -> LightGBMModel:
    categories = categories or {}
    params = {
        "objective": "binary",
        "verbosity": -1,
        "num_threads": 1,
        "min_data_in_leaf": 5,
        "seed": 1,
    } | settings
    rounds = params.pop("rounds", 20)
    codes = [place for place, name in enumerate(names) if name in categories]
    data = lightgbm.Dataset(matrix, churned, categorical_feature=codes, params={"verbosity": -1})
    numeric = tuple(name for name in names if name not in categories)
    columns = Columns(("customer_id",), numeric, tuple(categories), categories)
    return LightGBMModel(columns, {}, lightgbm.train(params, data, num_boost_round=rounds).model_to_string())


def linear(features, churned, columns: Columns) -> LogisticModel:
    numeric = Pipeline([("impute", SimpleImputer(strategy="median", add_indicator=True)), ("scale", StandardScaler())])
    levels = [np.arange(len(columns.categories[name]), dtype=float) for name in columns.categorical]
    one_hot = OneHotEncoder(categories=levels, handle_unknown="ignore", sparse_output=False)
    first = len(columns.numeric)
    prepare = ColumnTransformer(
        [
            ("numeric", numeric, list(range(first))),
            ("categorical", one_hot, list(range(first, len(columns.names)))),
        ]
    )
    pipeline = Pipeline([("prepare", prepare), ("logistic", LogisticRegression(max_iter=500))])
    return LogisticModel(columns, {}, pipeline.fit(columns.matrix(features), churned))


def plain_linear(coefficients, names, rows) -> LogisticModel:
    """A logistic model of the given weights on unscaled features, no intercept; `rows` are what it has seen."""
    columns = Columns(("customer_id",), tuple(names), ())
    matrix = columns.matrix(rows)
    scale = StandardScaler(with_mean=False, with_std=False)
    numeric = Pipeline([("impute", SimpleImputer(strategy="median", add_indicator=True)), ("scale", scale)])
    prepare = ColumnTransformer([("numeric", numeric, list(range(len(names))))])
    pipeline = Pipeline([("prepare", prepare), ("logistic", LogisticRegression())])
    pipeline.fit(matrix, np.arange(len(matrix)) % 2)
    pipeline[-1].coef_ = np.array([[*coefficients, *[0.0] * (pipeline[-1].coef_.shape[1] - len(coefficients))]])
    pipeline[-1].intercept_ = np.array([0.0])
    return LogisticModel(columns, {}, pipeline)


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(3)
    rows = 600
    features = bank(
        debit_amount_sum_30d=rng.gamma(2, 300, rows),
        login_count_30d=rng.poisson(4, rows),
        region=rng.choice(["East", "North", "South"], rows),
    )
    lean = 1 - features[MONEY_OUT] / 400 - 0.3 * (features[LOGINS] - 4) + (features["region"] == "North")
    churned = (rng.random(rows) < 1 / (1 + np.exp(-lean))).astype(float).to_numpy()
    features.loc[::7, MONEY_OUT] = np.nan
    features.loc[::11, "region"] = None
    columns = Columns(("customer_id",), (MONEY_OUT, LOGINS), ("region",), {"region": ("East", "North", "South")})
    models = {
        "lightgbm": trees(columns.matrix(features), churned, columns.names, columns.categories),
        "logistic": linear(features, churned, columns),
        "rule": RuleModel(
            columns,
            {},
            Rule(
                LOGINS,
                rising=False,
                edges=(2.0, 5.0),
                rates=(0.5, 0.2, 0.0),
                missing_rate=0.1,
                train_auroc=0.6,
            ),
        ),
    }
    return features, models


@pytest.mark.parametrize("kind", ["lightgbm", "logistic", "rule"])
class TestEveryModel:
    def test_values_add_up_to_the_probability_on_every_row(self, world, kind):
        features, models = world
        model = models[kind]
        shap = explain(model, features).shap_values
        log_odds = shap["base_value"] + shap[list(model.columns.names)].sum(axis=1)
        np.testing.assert_allclose(1 / (1 + np.exp(-log_odds)), model.predict(features), atol=1e-7)

    def test_rows_in_are_rows_out_with_order_and_duplicates_kept(self, world, kind):
        features, models = world
        shuffled = pd.concat([features.sample(frac=1, random_state=1), features.head(5), features.head(5)])
        found = explain(models[kind], shuffled, background=features)
        for table in (found.shap_values, found.reasons):
            assert table["customer_id"].tolist() == shuffled["customer_id"].tolist()
            assert (table["model_version"] == "v1").all()
        first, second = found.shap_values.iloc[-10:-5], found.shap_values.iloc[-5:]
        pd.testing.assert_frame_equal(first.reset_index(drop=True), second.reset_index(drop=True))

    def test_reasons_are_the_positive_contributions_strongest_first(self, world, kind):
        features, models = world
        found = explain(models[kind], features)
        values = found.shap_values[list(models[kind].columns.names)]
        typical = {
            MONEY_OUT: f"{features[MONEY_OUT].median():,.2f}",
            LOGINS: f"{features[LOGINS].median():.0f}",
            "region": features["region"].value_counts().index[0],
        }
        for row in range(len(features)):
            own = {
                MONEY_OUT: f"{features[MONEY_OUT][row]:,.2f}",
                LOGINS: str(features[LOGINS][row]),
                "region": features["region"][row],
            }
            pushes = [(n, value) for n, value in values.iloc[row].items() if value > 1e-9 and own[n] != typical[n]]
            pushes.sort(key=lambda push: -push[1])
            reasons = found.reasons.iloc[row]
            told = [reasons[f"reason_{n}_feature"] for n in range(1, 5)]
            assert told[: len(pushes)] == [name for name, _ in pushes]
            assert all(pd.isna(rest) for rest in told[len(pushes) :])
            assert pd.isna(reasons["reason_4"])  # three features never give a fourth reason
            for n, (_, value) in enumerate(pushes, start=1):
                assert reasons[f"reason_{n}_shap"] == pytest.approx(value)

    def test_a_protective_feature_keeps_its_sign(self, world, kind):
        features, models = world
        values = explain(models[kind], features).shap_values
        busy, idle = features[LOGINS] >= 7, features[LOGINS] <= 2
        assert values.loc[busy, LOGINS].mean() < 0 < values.loc[idle, LOGINS].mean()

    def test_importances_are_ranked_means(self, world, kind):
        features, models = world
        found = explain(models[kind], features)
        importances = found.importances.set_index("feature")
        assert set(importances.index) == set(models[kind].columns.names)
        assert importances["rank"].tolist() == [1, 2, 3]
        assert importances["mean_abs_shap"].is_monotonic_decreasing
        assert importances.loc[LOGINS, "mean_abs_shap"] == pytest.approx(found.shap_values[LOGINS].abs().mean())
        assert importances.loc[LOGINS, "mean_shap"] == pytest.approx(found.shap_values[LOGINS].mean())
        assert importances.loc[LOGINS, "description"] == "Logins, count over the 30 days before"
        assert (importances["explained_at"] == EXPLAINED_AT).all()


def expected_margin(node, row, known):
    """Mean of a tree's leaves where only `known` features are told: other splits weigh by training rows."""
    if "leaf_value" in node:
        return node["leaf_value"]
    left, right = node["left_child"], node["right_child"]
    if node["split_feature"] in known:
        return expected_margin(left if row[node["split_feature"]] <= node["threshold"] else right, row, known)
    weights = [child.get("leaf_count", child.get("internal_count")) for child in (left, right)]
    return np.average([expected_margin(child, row, known) for child in (left, right)], weights=weights)


def test_trees_equal_shapley_values_enumerated_over_all_coalitions():
    rng = np.random.default_rng(5)
    matrix = rng.integers(0, 6, (120, 3)).astype(float)
    churned = ((matrix[:, 0] > 2) ^ (matrix[:, 1] + matrix[:, 2] > 6)).astype(float)
    model = trees(matrix, churned, ["a", "b", "c"], rounds=4, num_leaves=6)
    forest = [tree["tree_structure"] for tree in model.booster.dump_model()["tree_info"]]
    rows = matrix[:25]
    shap = explain(model, bank(a=rows[:, 0], b=rows[:, 1], c=rows[:, 2])).shap_values

    def worth(row, known):
        return sum(expected_margin(tree, row, known) for tree in forest)

    for at, row in enumerate(rows):
        assert shap["base_value"][at] == pytest.approx(worth(row, set()))
        for place, name in enumerate("abc"):
            others = [feature for feature in range(3) if feature != place]
            shapley = sum(
                (worth(row, {*coalition, place}) - worth(row, set(coalition))) / (3 * comb(2, size))
                for size in range(3)
                for coalition in combinations(others, size)
            )
            assert shap[name][at] == pytest.approx(shapley, abs=1e-9)


def test_linear_values_are_weight_times_distance_from_the_mean():
    seen = bank(a=[1.0, 3.0, 5.0, 7.0], b=[10.0, 10.0, 20.0, 20.0])
    model = plain_linear([2.0, -0.5], ["a", "b"], seen)
    shap = explain(model, bank(a=[5.0], b=[25.0]), background=seen).shap_values
    # means 4 and 15: base 2·4 - 0.5·15, a 2·(5 - 4), b -0.5·(25 - 15)
    assert shap.loc[0, ["base_value", "a", "b"]].tolist() == pytest.approx([0.5, 2.0, -5.0])


def test_a_linear_model_gives_a_category_and_a_gap_back_to_their_feature(world):
    features, models = world
    model = models["logistic"]
    prepare, weights = model.pipeline[0], model.pipeline[-1].coef_[0]
    prepared = prepare.transform(model.columns.matrix(features))
    effects = (prepared - prepared.mean(axis=0)) * weights
    shap = explain(model, features).shap_values
    # prepared: money out, logins, money out is missing, East, North, South
    np.testing.assert_allclose(shap[MONEY_OUT], effects[:, 0] + effects[:, 2])
    np.testing.assert_allclose(shap[LOGINS], effects[:, 1])
    np.testing.assert_allclose(shap["region"], effects[:, 3:].sum(axis=1))


def test_a_rule_owes_all_to_its_only_feature():
    columns = Columns(("customer_id",), (MONEY_OUT, LOGINS), ())
    rule = Rule(LOGINS, rising=False, edges=(2.0,), rates=(0.5, 0.2), missing_rate=0.3, train_auroc=0.6)
    features = bank(debit_amount_sum_30d=[1.0, 2.0], login_count_30d=[0, 9])
    shap = explain(RuleModel(columns, {}, rule), features).shap_values
    half = log(0.2 / 0.8) / 2
    assert shap["base_value"].tolist() == pytest.approx([half, half])
    assert shap[LOGINS].tolist() == pytest.approx([-half, half])
    assert shap[MONEY_OUT].tolist() == [0, 0]


def test_trees_explained_in_chunks_equal_those_explained_at_once(world, monkeypatch):
    features, models = world
    whole = [explain(models[kind], features).shap_values for kind in ("lightgbm", "logistic")]
    monkeypatch.setattr("tenure.model.base.CHUNK_ROWS", 97)
    parts = [explain(models[kind], features).shap_values for kind in ("lightgbm", "logistic")]
    for one, other in zip(whole, parts, strict=True):
        pd.testing.assert_frame_equal(one, other, rtol=1e-12)


class TestReasonText:
    def reasons(self, features, coefficients, names, **settings):
        return explain(plain_linear(coefficients, names, features), features, **settings).reasons

    def test_amounts_say_their_unit_and_the_median(self):
        reasons = self.reasons(bank(debit_amount_sum_30d=[120.0, 850.0, 1250.5]), [-1.0], [MONEY_OUT])
        assert reasons["reason_1"][0] == ("Money out, total over the 30 days before: 120.00 USD (typical 850.00 USD)")

    def test_thousands_stand_apart(self):
        reasons = self.reasons(bank(debit_amount_sum_30d=[120.0, 850.0, 1250.5]), [1.0], [MONEY_OUT])
        assert reasons["reason_1"][2] == ("Money out, total over the 30 days before: 1,250.50 USD (typical 850.00 USD)")

    def test_counts_have_no_decimals_even_where_gaps_made_them_floats(self):
        reasons = self.reasons(bank(login_count_30d=[0.0, 3.0, np.nan, 4.0]), [-1.0], [LOGINS])
        assert reasons["reason_1"][0] == "Logins, count over the 30 days before: 0 (typical 3)"

    def test_a_gap_reads_none_on_record(self):
        features = bank(login_count_30d=[np.nan, 3.0, 3.0, 9.0])
        reasons = self.reasons(features, [-1.0], [LOGINS])
        assert reasons["reason_1"][0] == "Logins, count over the 30 days before: none on record (typical 3)"

    def test_yes_and_no_and_categories_in_words(self):
        features = bank(
            has_card=pd.Series([True, False, None, True], dtype=object),
            region=["North", "South", "South", None],
        )
        columns = Columns(("customer_id",), ("has_card",), ("region",), {"region": ("North", "South")})
        model = linear(features, np.array([0, 1, 0, 1]), columns)
        model.pipeline[-1].coef_ = np.array([[-1.0, 0.0, 0.5, -0.5]])
        reasons = explain(model, features).reasons
        assert reasons["reason_1"][1] == "Holds a card: no (typical yes)"
        assert reasons["reason_1"][0] == "Region: North (typical South)"
        assert reasons["reason_1_feature"].tolist()[:2] == ["region", "has_card"]
        assert reasons["reason_1"][3] == "Region: none on record (typical South)"

    def test_a_feature_without_description_goes_by_its_name(self):
        reasons = self.reasons(bank(other=[1.25, 2.5, 3.0]), [1.0], ["other"])
        assert reasons["reason_1"][2] == "other: 3.00 (typical 2.50)"

    def test_the_training_rows_give_the_typical_value_where_they_are_given(self):
        seen = bank(login_count_30d=[5, 6, 7, 8, 9])
        model = plain_linear([-1.0], [LOGINS], seen)
        reasons = explain(model, bank(login_count_30d=[1]), background=seen).reasons
        assert reasons["reason_1"][0] == "Logins, count over the 30 days before: 1 (typical 7)"

    def test_one_subject_gives_one_reason_and_its_strongest(self):
        features = bank(debit_amount_sum_30d=[10.0, 0.0], debit_amount_sum_90d=[30.0, 0.0], login_count_30d=[10.0, 0.0])
        names = [MONEY_OUT, MONEY_OUT_LONG, LOGINS]
        reasons = self.reasons(features, [1.0, 1.0, 1.0], names)
        assert reasons.loc[0, ["reason_1_feature", "reason_2_feature"]].tolist() == [MONEY_OUT_LONG, LOGINS]
        assert pd.isna(reasons.loc[0, "reason_3"])
        together = self.reasons(features, [1.0, 1.0, 1.0], names, subjects={LOGINS: "debit_amount"})
        assert pd.isna(together.loc[0, "reason_2"])

    def test_at_most_four_and_equals_in_the_order_of_columns(self):
        features = bank(e=[1.0, 0.0], d=[1.0, 0.0], c=[1.0, 0.0], b=[1.0, 0.0], a=[9.0, 0.0])
        reasons = self.reasons(features, [1.0] * 5, list("edcba"))
        assert [reasons[f"reason_{n}_feature"][0] for n in range(1, 5)] == ["a", "e", "d", "c"]
        assert "reason_5" not in reasons
        assert reasons.loc[1, [f"reason_{n}" for n in range(1, 5)]].isna().all()


class TestRefusals:
    def test_values_that_do_not_add_up_name_the_worst_row_and_its_largest_part(self):
        identity = pd.DataFrame({"customer_id": [7, 8, 9], "snapshot_date": [date(2024, 1, 31)] * 3})
        values = np.array([[0.1, 0.2], [0.3, 0.4], [0.0, 0.0]])
        wrong = Contributions(values, np.full(3, 1.0), np.array([1.3, 1.8, 1.00001]))
        features = pd.DataFrame({"age": [1, 2, 3], "debt": [10.0, 1000.5, 30.0]})
        told = r"customer_id=8, snapshot_date=2024-01-31 miss .* by 0\.1 .*'debt', whose value is 1000.*; 2 of 3"
        with pytest.raises(AdditivityError, match=told):
            wrong.check(identity, features, ["age", "debt"])

    @pytest.mark.parametrize("nothing", [np.nan, np.inf])
    def test_a_value_that_is_no_number_never_adds_up(self, nothing):
        identity = pd.DataFrame({"customer_id": [7, 8]})
        wrong = Contributions(np.array([[0.0], [nothing]]), np.zeros(2), np.zeros(2))
        with pytest.raises(AdditivityError, match="customer_id=8"):
            wrong.check(identity, pd.DataFrame({"age": [1, 2]}), ["age"])

    @pytest.mark.parametrize(("size", "gap", "fits"), [
        (0.1, 9e-9, True), (0.1, 2e-8, False), (1e14, 900.0, True), (1e14, 2000.0, False), (1e95, 1e83, True),
    ])  # fmt: skip
    def test_rounding_of_the_parts_is_no_violation_and_more_is_one(self, size, gap, fits):
        parts = Contributions(np.array([[size, 0.0]]), np.zeros(1), np.array([size + gap]))
        row = (pd.DataFrame({"k": [1]}), pd.DataFrame({"x": [1], "y": [1]}), ["x", "y"])
        if fits:
            parts.check(*row)
        else:
            with pytest.raises(AdditivityError):
                parts.check(*row)

    def test_a_missing_key_column_is_named(self, world):
        features, models = world
        with pytest.raises(MissingFeature, match="no column customer_id"):
            explain(models["rule"], features.drop(columns="customer_id"))

    def test_a_missing_feature_is_named(self, world):
        features, models = world
        with pytest.raises(MissingFeature, match=LOGINS):
            explain(models["rule"], features.drop(columns=LOGINS))

    def test_no_rows_are_refused(self, world):
        features, models = world
        with pytest.raises(ModelError, match="no rows to explain"):
            explain(models["rule"], features.head(0))
        with pytest.raises(ModelError, match="background has no rows"):
            explain(models["rule"], features, background=features.head(0))
