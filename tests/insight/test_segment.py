from __future__ import annotations

import sys
from datetime import date

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from tenure.errors import MissingDependency, MissingFeature, ModelError, install_hint
from tenure.insight.clusters import Candidate, Clustering, assigned, best, candidates
from tenure.insight.density import mutual_reachability, stability, validity
from tenure.insight.segment import SegmentationService, SegmentSettings

SNAPSHOT = date(2024, 1, 31)
CENTRES = np.array([[0, 0, 0, 0, 0], [9, 9, 0, 0, 0], [0, 9, 9, 0, 9], [9, 0, 9, 9, 0]], dtype=float)


def bank(matrix, **columns):
    features = pd.DataFrame(matrix, columns=[f"f{at}_sum_30d" for at in range(matrix.shape[1])])
    features.insert(0, "customer_id", np.arange(len(features)) + 1000)
    features.insert(1, "snapshot_date", SNAPSHOT)
    return features.assign(**columns)


def blobs(rows, seed=1):
    """Four equal groups, shuffled: a standard deviation of 1 around centres 9 apart on two or more axes."""
    rng = np.random.default_rng(seed)
    planted = rng.permutation(np.arange(rows) % 4)
    return bank(CENTRES[planted] + rng.normal(size=(rows, 5))), planted


def segment(features, scores=None, **settings):
    return SegmentationService(SegmentSettings(**settings)).segment(features, ["customer_id"], scores)


@pytest.fixture(scope="module")
def four():
    features, planted = blobs(1200)
    return features, planted, segment(features)


def test_planted_groups_are_found(four):
    features, planted, found = four
    assert adjusted_rand_score(planted, found.segments["segment_id"]) > 0.95
    assert found.segments["customer_id"].tolist() == features["customer_id"].tolist()
    assert found.segments.columns.tolist() == [
        "customer_id", "snapshot_date", "segment_id", "strength", "x", "y",
    ]  # fmt: skip
    assert found.segments["strength"].between(0, 1).all()


def test_the_chosen_candidate_has_the_best_score(four):
    parameters = four[2].parameters
    chosen = parameters[parameters["chosen"]]
    assert len(chosen) == 1
    assert chosen["score"].iloc[0] == parameters["score"].max()
    assert chosen["clusters"].iloc[0] == 4
    assert chosen["note"].iloc[0].startswith("fitted on 1200 of 1200 rows: 4 segments, coverage ")
    tried = parameters[parameters["clusters"] > 1]
    rule = (1 + tried["validity"]) / 2 * tried["coverage"] * tried["stability"]
    np.testing.assert_allclose(tried["score"], rule)
    assert (parameters["rows"] == 1200).all()


def test_the_plot_axes_are_the_first_two_components(four):
    axes = four[2].segments[["x", "y"]]
    assert axes["x"].var() >= axes["y"].var() > 0
    assert axes.corr().loc["x", "y"] == pytest.approx(0, abs=1e-9)


def test_profiles_tell_what_sets_a_segment_apart(four):
    features, planted, found = four
    profiles = found.profiles
    assert profiles.groupby("segment_id")["position"].max().le(5).all()
    sizes = found.segments["segment_id"].value_counts()
    firsts = profiles[profiles["position"] == 1].set_index("segment_id")
    assert firsts["customers"].to_dict() == sizes.to_dict()
    assert firsts["share"].sum() == pytest.approx(1)
    # The third group alone is high on the fifth feature.
    third = found.segments.loc[planted == 2, "segment_id"].mode()[0]
    assert firsts.loc[third, "feature"] == "f4_sum_30d"
    assert firsts.loc[third, "difference"] > 1
    column = features["f4_sum_30d"]
    assert firsts.loc[third, "population_median"] == f"{column.median():.2f}"
    inside = found.segments["segment_id"] == third
    assert firsts.loc[third, "segment_median"] == f"{column[inside].median():.2f}"
    assert firsts["score_mean"].isna().all()


def test_scores_are_averaged_by_key_and_not_by_place(four):
    features, planted, found = four
    scores = features[["customer_id", "snapshot_date"]].assign(score=planted / 10, model_version="v1")
    profiles = segment(features, scores.sample(frac=1, random_state=2)).profiles
    for segment_id, mean in profiles.groupby("segment_id")["score_mean"].first().items():
        inside = found.segments["segment_id"] == segment_id
        assert mean == pytest.approx(planted[inside].mean() / 10)


def test_two_scores_of_one_row_are_refused(four):
    features = four[0]
    scores = features[["customer_id", "snapshot_date"]].assign(score=0.5)
    with pytest.raises(ModelError, match=r"two rows for .*1003"):
        segment(features, pd.concat([scores, scores.iloc[3:4]]))


def test_the_same_seed_gives_the_same_answer_whatever_the_order_of_rows(four):
    features, _, found = four
    again = segment(features)
    pd.testing.assert_frame_equal(again.segments, found.segments)
    pd.testing.assert_frame_equal(again.parameters, found.parameters)
    pd.testing.assert_frame_equal(again.profiles, found.profiles)
    shuffled = segment(features.sample(frac=1, random_state=3)).segments
    merged = found.segments.merge(shuffled, on=["customer_id", "snapshot_date"])
    assert (merged["segment_id_x"] == merged["segment_id_y"]).all()


def test_scattered_customers_belong_to_no_segment():
    features, planted = blobs(900)
    rng = np.random.default_rng(4)
    scattered = rng.uniform(-15, 25, (60, 5))
    apart = np.min(np.linalg.norm(scattered[:, None] - CENTRES, axis=2), axis=1) > 8
    everyone = bank(np.vstack([features.iloc[:, 2:], scattered[apart]]))
    found = segment(everyone).segments
    assert (found["segment_id"].iloc[900:] == -1).mean() > 0.8
    assert (found.loc[found["segment_id"] == -1, "strength"] == 0).all()
    assert adjusted_rand_score(planted, found["segment_id"].iloc[:900]) > 0.9


def test_rows_beyond_the_sample_are_assigned_to_it():
    features, planted = blobs(3000)
    found = segment(features, fit_rows=600)
    assert adjusted_rand_score(planted, found.segments["segment_id"]) > 0.9
    chosen = found.parameters[found.parameters["chosen"]]
    assert chosen["note"].iloc[0].startswith("fitted on 600 of 3000 rows: 4 segments")
    assert len(found.segments) == 3000


def test_a_row_far_from_all_that_was_fitted_is_noise_and_a_near_one_is_not():
    rng = np.random.default_rng(6)
    fitted_points = np.vstack([rng.normal(0, 1, (50, 2)), rng.normal(20, 1, (50, 2))])
    labels = np.repeat([0, 1], 50)
    points = np.vstack([fitted_points, [[0.1, 0.1], [19.9, 20.1], [300.0, 300.0]]])
    found = assigned(points, np.arange(100), Clustering(labels, np.full(100, 0.8)))
    assert found.labels[100:].tolist() == [0, 1, -1]
    assert found.strength[100:].tolist() == pytest.approx([0.8, 0.8, 0.0])
    assert found.labels[:100].tolist() == labels.tolist()


class TestNothingToFind:
    def one_segment(self, found, rows, note):
        assert (found.segments["segment_id"] == 0).all()
        assert (found.segments["strength"] == 1).all()
        assert len(found.segments) == rows
        chosen = found.parameters[found.parameters["chosen"]]
        assert len(chosen) == 1
        assert note in chosen["note"].iloc[0]
        assert found.profiles["segment_id"].tolist() == [0] * len(found.profiles)
        assert found.profiles["feature"].isna().all()

    def test_features_that_vary_independently_are_one_segment(self):
        matrix = np.random.default_rng(8).normal(size=(800, 8))
        self.one_segment(segment(bank(matrix)), 800, "one segment")

    def test_fewer_than_fifty_rows_are_one_segment(self):
        features, _ = blobs(49)
        self.one_segment(segment(features), 49, "49 rows are fewer than 50: one segment")

    def test_constant_and_empty_columns_are_one_segment(self):
        features = bank(np.ones((200, 2)), empty=None, gaps=np.nan, kind="retail")
        self.one_segment(segment(features), 200, "no feature varies: one segment")

    def test_no_rows_give_no_segments(self):
        features, _ = blobs(60)
        found = segment(features.head(0))
        assert len(found.segments) == len(found.profiles) == 0

    def test_all_rows_alike_but_two_values_do_not_crash(self):
        matrix = np.zeros((300, 2))
        matrix[:150] = 1.0
        found = segment(bank(matrix)).segments
        assert found["segment_id"].iloc[:150].nunique() == found["segment_id"].iloc[150:].nunique() == 1
        assert found["segment_id"].nunique() == 2


def test_columns_that_tell_nothing_do_not_move_the_answer(four):
    features, _, found = four
    more = features.assign(
        constant=3, empty=None, gaps=np.nan, label_end=SNAPSHOT, churned=np.arange(1200) % 2, split="train"
    )
    pd.testing.assert_frame_equal(segment(more).segments, found.segments)


def test_gaps_booleans_and_skewed_columns_take_part():
    features, planted = blobs(900)
    rng = np.random.default_rng(9)
    features.loc[rng.random(900) < 0.05, "f0_sum_30d"] = np.nan
    features["f1_sum_30d"] = np.exp(features["f1_sum_30d"])
    features["active"] = pd.Series(planted > 1, dtype=object).where(rng.random(900) > 0.02, None)
    found = segment(features)
    assert adjusted_rand_score(planted, found.segments["segment_id"]) > 0.9
    active = found.profiles.query("feature == 'active' and segment_id >= 0")
    assert active["segment_median"].isin(["0% yes", "100% yes"]).all()
    assert len(active)


def test_categories_take_part_where_they_are_asked_to():
    rng = np.random.default_rng(10)
    planted = np.arange(600) % 2
    features = bank(rng.normal(size=(600, 1)) * 0.1, channel=np.where(planted == 1, "branch", "mobile"))
    alone = segment(features)
    assert abs(adjusted_rand_score(planted, alone.segments["segment_id"])) < 0.1
    found = segment(features, category_levels=5)
    assert adjusted_rand_score(planted, found.segments["segment_id"]) > 0.9
    named = found.profiles[found.profiles["feature"] == "channel = branch"]
    assert sorted(named["segment_median"]) == ["0% yes", "100% yes"]
    assert (named["population_median"] == "50% yes").all()


class TestValidity:
    def test_by_hand(self):
        # Core distances to the nearest neighbour change nothing on this line: 0 1 2 · · · · · · · 10 11 12
        line = np.array([0.0, 1, 2, 10, 11, 12])[:, None]
        reach = mutual_reachability(line, 1)
        # Sparseness 1, separation 8 (from 2 to 10): (8 - 1) / 8.
        assert validity(reach, np.array([0, 0, 0, 1, 1, 1])) == pytest.approx(7 / 8)
        # Noise in one cluster moves neither side of the other, nor weighs: 0 1 are left, 10 lies 9 from 1.
        assert validity(reach, np.array([0, 0, -1, 1, 1, 1])) == pytest.approx(((8 / 9) * 2 + (8 / 9) * 3) / 5)

    def test_groups_torn_apart_at_random_are_worse_than_the_true_ones(self):
        features, planted = blobs(400)
        reach = mutual_reachability(features.iloc[:, 2:].to_numpy(), 5)
        torn = np.random.default_rng(1).permutation(planted)
        assert validity(reach, torn) < 0 < validity(reach, planted)

    def test_one_cluster_has_none(self):
        reach = mutual_reachability(np.arange(5.0)[:, None], 1)
        assert np.isnan(validity(reach, np.array([0, 0, 0, 0, -1])))

    def test_the_core_distance_reaches_to_the_kth_other_point(self):
        reach = mutual_reachability(np.array([0.0, 1, 3])[:, None], 2)
        # Second neighbours lie at 3, 2 and 3.
        np.testing.assert_allclose(reach, [[0, 3, 3], [3, 0, 3], [3, 3, 0]])


def test_stability_is_one_for_the_same_groups_and_zero_for_chance():
    labels = np.arange(400) % 4
    points = labels[:, None].astype(float)
    halves = [np.arange(0, 200), np.arange(200, 400), np.arange(100, 300)]
    assert stability(points, labels, halves, lambda part: part[:, 0].astype(np.int64)) == 1
    rng = np.random.default_rng(0)
    assert stability(points, labels, halves, lambda part: rng.integers(0, 4, len(part))) < 0.05


def test_candidates_cover_components_sizes_and_neighbourhoods():
    points = np.random.default_rng(2).normal(size=(300, 7))
    tried = candidates(points, 0.05, np.random.default_rng(1))
    assert {c.components for c in tried} == {3, 5, 7}
    assert {c.min_cluster_size for c in tried} == {15, 30, 60}
    assert {c.min_samples for c in tried} == {5, 15}


def test_a_candidate_without_two_clusters_or_with_a_weak_score_is_never_best():
    lone, weak = Candidate(clusters=1, score=0.0), Candidate(clusters=3, score=0.09)
    assert best([lone, weak]) is None
    assert best([]) is None
    assert best([lone, Candidate(clusters=2, score=0.5), Candidate(clusters=4, score=0.5)]) == 1


class TestRefusals:
    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ({"method": "tsne"}, "method='tsne'; allowed: 'pca' or 'umap'"),
            ({"min_share": 0}, "min_share=0; allowed: above 0, at most 0.5"),
            ({"variance": 1.5}, "variance=1.5; allowed: above 0, at most 1"),
            ({"fit_rows": 10}, "fit_rows=10; allowed: 50 or more"),
            ({"most_components": 0}, "most_components=0; allowed: 1 or more"),
            ({"category_levels": -1}, "category_levels=-1; allowed: 0 or more"),
        ],
    )
    def test_settings_out_of_range_are_named(self, setting, message):
        with pytest.raises(ModelError, match=message):
            SegmentSettings(**setting)

    def test_a_missing_key_is_named(self, four):
        with pytest.raises(MissingFeature, match="the features have no column 'account_id'"):
            SegmentationService().segment(four[0], ["account_id"])

    def test_umap_that_is_not_installed_names_the_extra(self, four, monkeypatch):
        monkeypatch.setitem(sys.modules, "umap", None)
        with pytest.raises(MissingDependency, match="umap-learn") as refused:
            segment(four[0], method="umap")
        assert refused.value.hint == install_hint("segments")


@pytest.mark.slow
def test_umap_finds_the_planted_groups_too():
    pytest.importorskip("umap")
    features, planted = blobs(400)
    found = segment(features, method="umap")
    assert adjusted_rand_score(planted, found.segments["segment_id"]) > 0.9


def test_twenty_thousand_rows_are_segmented_by_a_sample_of_them():
    features, planted = blobs(20_000)
    rng = np.random.default_rng(1)
    more = {f"g{at}_sum_90d": features[f"f{at % 5}_sum_30d"] + rng.normal(size=20_000) for at in range(35)}
    found = segment(features.assign(**more), fit_rows=5_000)
    note = found.parameters.loc[found.parameters["chosen"], "note"].item()
    assert note.startswith("fitted on 5000 of 20000 rows"), "what clustering costs is bounded"
    assert adjusted_rand_score(planted, found.segments["segment_id"]) > 0.9
