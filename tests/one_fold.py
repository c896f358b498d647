"""A model of one fold, for tests that need no more: learned from some rows, judged by others."""

from tenure.model.sample import Folds


def one_fold(model, columns, train, judged, settings):
    return model.cross_fit(Folds.of(columns, train, judged), settings)[0]
