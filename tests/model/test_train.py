import numpy as np
import pytest
from scipy.special import logit
from sklearn.metrics import log_loss

from tenure.errors import EmptySplit, InvalidConfig, MissingFeature, OneClassTarget
from tenure.insight.contributions import contributions
from tenure.model.learners import default_kinds
from tenure.model.learners.lightgbm import START
from tenure.model.metrics import auroc
from tenure.model.select import Columns
from tenure.model.train import ModelTrainingService, TrainSettings, champion

KEYS = ["customer_id"]


def scored(model, world, split):
    rows = world[world["split"] == split]
    return model.predict(rows), rows["churned"].to_numpy(dtype=float)


def test_one_model_a_kind_in_order_with_plain_parameters(models):
    assert [model.kind for model in models] == ["rule", "logistic", "lightgbm", "blend"]
    rule, logistic, boosted, _ = models
    assert rule.parameters["feature"] == "days_since_last"
    assert logistic.parameters["converged"] is True
    assert sorted(rule.members) == [0, 1, 2, 3, 4]
    assert boosted.parameters["trials"] == 3
    assert boosted.parameters["seconds_limit_hit"] is False
    assert {one.booster.num_trees() for one in boosted.members.values()} == {boosted.parameters["trees"]}


def test_useless_columns_are_dropped_and_the_rest_is_read(models):
    for model in models:
        assert set(model.columns.dropped) == {"never_filled", "currency", "branch_code"}
        assert model.columns.categorical == ("region",)


def test_lightgbm_finds_the_planted_interaction_that_rule_and_logistic_cannot(models, world):
    rule, logistic, boosted, _ = (auroc(*scored(model, world, "test")) for model in models)
    assert rule < 0.62
    assert logistic < 0.65
    assert boosted > 0.75


def test_the_champion_has_the_least_log_loss_out_of_fold(models, world):
    train = world[world["split"] == "train"]
    by_hand = {model.kind: log_loss(train["churned"], model.predict_unseen(train)) for model in models}
    assert champion(models[:3], world).kind == min(("rule", "logistic", "lightgbm"), key=by_hand.get) == "lightgbm"
    assert champion(models, world).kind == ("blend" if by_hand["blend"] < by_hand["lightgbm"] / 1.001 else "lightgbm")
    simplest = [
        kind for kind in ("rule", "logistic") if by_hand[kind] <= 1.001 * min(by_hand["rule"], by_hand["logistic"])
    ]
    assert champion(models[:2], world).kind == simplest[0]


class Says:
    """A model that knows who churns, but for `share` of its conviction."""

    def __init__(self, kind, share):
        self.kind, self.share = kind, share

    def predict_unseen(self, rows):
        return np.where(rows["churned"] == 1, 1 - self.share, self.share)


def test_of_models_within_a_thousandth_the_simplest_is_champion(world):
    # Losses are -log(1 - share): 0.2231, 0.2233 and 0.2244.
    boosted, logistic, rule = Says("lightgbm", 0.2), Says("logistic", 0.20016), Says("rule", 0.201)
    assert champion([boosted, logistic, rule], world) is logistic
    assert champion([logistic, boosted], world) is logistic
    assert champion([boosted, rule], world) is boosted
    twin = Says("rule", 0.201)
    assert champion([rule, twin], world) is rule


def test_probabilities_stay_honest(models, world):
    # Without resampling or class weights the mean score out of fold is the churn rate of train, here to 1 point.
    train = world[world["split"] == "train"]
    for model in models:
        scores, churned = model.predict_unseen(train), train["churned"]
        assert scores.mean() == pytest.approx(churned.mean(), abs=0.01)


def test_the_same_seed_gives_the_same_bits_and_later_rows_have_no_say(models, world):
    later = world["split"].isin(["test", "embargo"])
    other = world.copy()
    other.loc[later, "churned"] = 1 - other.loc[later, "churned"]
    other.loc[later, ["balance_last", "days_since_last"]] = -1e6
    other.loc[later, "region"] = "elsewhere"
    again = ModelTrainingService(TrainSettings(trials=3, seconds=300)).train(other, KEYS)
    rows = world[world["split"] == "train"]
    for model, twin in zip(models, again, strict=True):
        assert model.parameters == twin.parameters
        assert model.columns == twin.columns
        np.testing.assert_array_equal(model.predict(rows), twin.predict(rows))
    assert models[2].files() == again[2].files()


def test_a_category_never_seen_is_scored_like_a_missing_one(models, world):
    rows = world[world["split"] == "test"]
    for model in models:
        np.testing.assert_array_equal(
            model.predict(rows.assign(region="mars")), model.predict(rows.assign(region=None))
        )


def test_no_rows_have_no_scores(models, world):
    for model in models:
        assert model.predict(world.iloc[:0]).shape == (0,)


def test_a_search_out_of_time_finishes_its_first_candidate_and_says_so(world):
    models = ModelTrainingService(TrainSettings(kinds=("logistic", "lightgbm"), trials=50, seconds=0)).train(
        world, KEYS
    )
    assert [model.parameters["seconds_limit_hit"] for model in models] == [True, True]
    assert models[1].parameters["trials"] == 1
    assert auroc(*scored(models[1], world, "test")) > 0.75


@pytest.mark.parametrize(
    ("split", "churned", "message"),
    [
        (
            "train",
            0,
            (
                r"split 'train': nobody churns; the churn rate is 0\.0% "
                r"\(0 of 1,800 rows, 2 snapshots from 2023-01-31 to 2023-02-28\)"
            ),
        ),
        ("train", 1, r"everybody churns; the churn rate is 100\.0%"),
    ],
)
def test_one_class_is_refused_with_the_rate_the_rows_and_the_snapshots(world, split, churned, message):
    one_class = world.copy()
    one_class.loc[one_class["split"] == split, "churned"] = churned
    with pytest.raises(OneClassTarget, match=message) as caught:
        ModelTrainingService().train(one_class, KEYS)
    assert caught.value.hint == "churn.py: change the event or horizon; run 'tenure labels'"


def test_too_few_churners_are_refused(world):
    few = world.copy()
    train = few.index[few["split"] == "train"]
    few.loc[train, "churned"] = 0
    few.loc[train[:19], "churned"] = 1
    with pytest.raises(OneClassTarget, match=r"at least 20 are needed; the churn rate is 1\.1% \(19 of 1,800 rows"):
        ModelTrainingService().train(few, KEYS)


def test_an_empty_train_is_refused(world):
    with pytest.raises(EmptySplit, match="split 'train' has no rows"):
        ModelTrainingService().train(world[world["split"] != "train"], KEYS)


def test_customers_who_are_all_in_one_fold_are_refused(world):
    with pytest.raises(EmptySplit, match="all rows of split 'train' are in one fold"):
        ModelTrainingService().train(world[(world["split"] != "train") | (world["fold"] == 2)], KEYS)


def test_churners_who_are_all_in_one_fold_are_refused(world):
    one_sided = world.copy()
    one_sided.loc[(one_sided["split"] == "train") & (one_sided["fold"] != 2), "churned"] = 0
    with pytest.raises(OneClassTarget, match="outside of fold 2 nobody churns"):
        ModelTrainingService().train(one_sided, KEYS)


def test_no_member_has_seen_the_customers_of_its_fold(models, world):
    """What they did has no say in how the member scores, but for when it stops to learn, and what the others chose."""
    settings = TrainSettings(kinds=("rule",), seconds=300)
    other = world.copy()
    fold = (other["fold"] == 3).fillna(value=False)
    other.loc[fold, "churned"] = 1 - other.loc[fold, "churned"]
    (again,) = ModelTrainingService(settings).train(other, KEYS)
    rows = world[world["split"] == "test"]
    np.testing.assert_array_equal(again.members[3].predict(rows), models[0].members[3].predict(rows))
    assert (again.members[1].predict(rows) != models[0].members[1].predict(rows)).any()


def test_a_score_is_the_mean_of_the_members_margins(models, world):
    rows = world[world["split"] == "test"]
    for model in models:
        margins = [logit(member.predict(rows)) for member in model.members.values()]
        np.testing.assert_allclose(logit(model.predict(rows)), np.mean(margins, axis=0), atol=1e-9)


@pytest.mark.parametrize("select", ["plain", "none"])
def test_a_feature_that_one_fold_alone_knows_ends_no_training_and_weighs_nothing_without_it(world, select):
    known = world.assign(rare=np.where(world["fold"].eq(3).fillna(False), world["balance_last"], np.nan))
    other = known.assign(rare=np.where(known["rare"].isna(), 5.0, known["rare"]))
    every = TrainSettings(kinds=(*default_kinds(), "xgboost"), trials=1, select=select)
    for model in ModelTrainingService(every).train(known, KEYS):
        assert "rare" in model.columns.names
        matrix = model.columns.matrix(known)
        found = contributions(model, matrix, matrix)
        np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.margin, rtol=0, atol=1e-6)
        member = model.members[3]
        assert ("rare" in member.columns.names) == (select == "none")
        np.testing.assert_array_equal(
            member.margin(member.columns.matrix(other)), member.margin(member.columns.matrix(known))
        )


def test_all_members_have_the_settings_that_were_chosen(models):
    for model in models[1:3]:
        chosen = ("C",) if model.kind == "logistic" else tuple(START)
        assert all(
            {name: member.parameters[name] for name in chosen} == {name: model.parameters[name] for name in chosen}
            for member in model.members.values()
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"kinds": ("forest",)},
            "models: there is no model of kind 'forest'; allowed: blend, lightgbm, logistic, rule, xgboost",
        ),
        ({"kinds": ()}, "models: got none"),
        ({"trials": 0}, "trials: got 0; it must be at least 1"),
        ({"seconds": -1}, "seconds: got -1"),
    ],
)
def test_settings_that_are_not_allowed_are_refused(settings, message):
    with pytest.raises(InvalidConfig, match=message):
        TrainSettings(**settings)


@pytest.mark.parametrize("absent", ["customer_id", "split", "fold", "churned"])
def test_a_frame_that_lacks_what_tells_its_rows_apart_is_refused_by_name(world, models, absent):
    frame = world.drop(columns=absent)
    with pytest.raises(MissingFeature, match=f"the training set lacks {absent}; its columns: ") as refused:
        ModelTrainingService(TrainSettings(kinds=("rule",))).train(frame, KEYS)
    assert "docs/flat.md" in refused.value.hint
    if absent != "customer_id":
        with pytest.raises(MissingFeature, match=f"lacks {absent}"):
            champion(models, frame)
    if absent == "fold":
        with pytest.raises(MissingFeature, match="lacks fold"):
            models[0].predict_unseen(frame)
    if absent in ("customer_id", "split"):
        with pytest.raises(MissingFeature, match=f"lacks {absent}"):
            Columns.of(frame, KEYS)


def test_a_frame_without_dates_has_no_period(world):
    frame = world[world["churned"] == 0].drop(columns="snapshot_date")
    with pytest.raises(OneClassTarget, match=r"nobody churns; the churn rate is 0\.0% \(0 of [\d,]+ rows\)"):
        ModelTrainingService(TrainSettings(kinds=("rule",))).train(frame, KEYS)
