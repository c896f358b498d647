"""Whatever is done by a kind of model is done for every kind, and refuses another."""

from typing import get_args

import numpy as np
import pytest

from tenure.config import TrainSection
from tenure.errors import ModelError
from tenure.insight.contributions import WAYS, contributions
from tenure.model.base import KINDS, Model
from tenure.model.registry import LOADERS
from tenure.model.select import Columns
from tenure.model.train import FITS
from tenure.publish import words


class Forest(Model):
    kind = "forest"

    def probabilities(self, matrix):
        return np.zeros(len(matrix))

    def files(self):
        return {}


def test_every_list_of_kinds_has_all_of_them():
    configured = get_args(get_args(TrainSection.model_fields["models"].annotation)[0])
    assert set(configured) == set(KINDS) == set(FITS) == set(LOADERS) == {m.kind for m in WAYS} == set(words.KINDS)


def test_a_kind_that_is_not_known_can_not_be_explained():
    forest = Forest(Columns(("k",), ("x",), ()), {})
    with pytest.raises(ModelError, match="kind 'forest' can't be explained; allowed: lightgbm, logistic, rule"):
        contributions(forest, np.zeros((1, 1)), np.zeros((1, 1)))


def test_a_kind_that_is_not_known_has_no_words():
    with pytest.raises(ModelError, match="kind 'forest' has no words here"):
        words.kind_words("forest")
