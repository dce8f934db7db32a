"""Projections to the plane: PCA by hand, t-SNE repeatable, neighbours counted by hand."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from dlcourse.introspect.projection import (
    neighbour_accuracy,
    neighbour_r2,
    pca_plane,
    tsne_plane,
)


def test_pca_equals_scikit_learns_up_to_the_sign():
    features = np.random.default_rng(0).normal(size=(50, 7)) * [5, 3, 1, 1, 1, 1, 0.1] + 2
    points, shares = pca_plane(features)
    reference = PCA(2).fit(features)
    assert np.abs(points) == pytest.approx(np.abs(reference.transform(features)))
    assert shares == pytest.approx(reference.explained_variance_ratio_)


@pytest.mark.parametrize(
    ("features", "expected"),
    [(np.arange(5.0)[:, None], [1, 0]), (np.ones((4, 3)), [0, 0]), (np.eye(2), [1, 0])],
    ids=["one feature", "all points equal", "two points"],
)
def test_directions_that_do_not_exist_explain_nothing(features, expected):
    points, shares = pca_plane(features)
    assert points.shape == (len(features), 2)
    assert shares == pytest.approx(expected, abs=1e-12)


def test_tsne_separates_two_clusters_and_repeats_itself():
    random = np.random.default_rng(0)
    features = np.concatenate([random.normal(0, 1, (20, 5)), random.normal(20, 1, (20, 5))])
    points = tsne_plane(features, seed=3)
    assert np.array_equal(points, tsne_plane(features, seed=3))
    assert neighbour_accuracy(points, np.repeat([0, 1], 20)) == 1.0
    assert tsne_plane(np.ones((4, 2)), seed=0).shape == (4, 2)


def test_a_point_is_not_its_own_neighbour():
    points = np.array([[0.0], [1.0], [10.0], [11.0]])
    assert neighbour_accuracy(points, np.array([0, 0, 1, 1]), k=1) == 1.0
    assert neighbour_accuracy(points, np.array([0, 1, 0, 1]), k=1) == 0.0
    assert neighbour_accuracy(points, np.array([0, 0, 0, 1]), k=3) == 0.75


def test_r2_of_the_neighbours_is_that_of_their_mean():
    points = np.array([[0.0], [1.0], [10.0], [11.0]])
    assert neighbour_r2(points, np.array([1.0, 1.0, 5.0, 5.0]), k=1) == 1.0
    swapped = neighbour_r2(points, np.array([1.0, 5.0, 1.0, 5.0]), k=1)
    assert swapped == pytest.approx(1 - 4 * 16 / 16)
    assert neighbour_r2(points, np.ones(4)) == 0.0
