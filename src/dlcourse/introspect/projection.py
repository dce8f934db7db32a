"""Project features to the plane, and measure how well the classes stay apart there."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

PERPLEXITY = 30.0  # of t-SNE: about the number of neighbours that count
NEIGHBOURS = 5


def pca_plane(features: Array) -> tuple[Array, Array]:
    """Project features (N, D) on their two directions of largest variance.

    Returns the points (N, 2), and the share of the variance along each direction (2,), which is 0
    for a direction that does not exist.

    Reference: Pearson, "On lines and planes of closest fit to systems of points in space", 1901.
    """
    found, variances = principal_components(features), (features - features.mean(0)).var(0)
    points, shares = np.zeros((len(features), 2)), np.zeros(2)
    kept, total = min(2, found.shape[1]), float(variances.sum())
    points[:, :kept] = found[:, :kept]
    if total > 0:
        shares = points.var(0) / total
    return points, shares


def principal_components(features: Array, most: int = 2) -> Array:
    """Return the first principal components (N, K) of features (N, D), K = min(most, N, D)."""
    centred = (features - features.mean(0)).astype(np.float64)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    return (left * sizes)[:, :most]


def tsne_plane(features: Array, seed: int) -> Array:
    """Project features (N, D), N >= 4, so that neighbours stay neighbours; return points (N, 2).

    Distances between groups, and their sizes, mean nothing. It starts from the principal
    components; the seed decides the rest.

    Reference: van der Maaten, Hinton, "Visualizing data using t-SNE", JMLR 9, 2008.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # scikit-learn needs it too

    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    start = pca_plane(features)[0]
    spread = start[:, 0].std()
    start = 1e-4 * start / (spread if spread > 0 else 1.0)  # as scikit-learn scales it
    init: Any = start  # the stub knows the names of starts only
    method = TSNE(init=init, perplexity=perplexity, random_state=seed)
    with threadpool_limits(1):  # threads that wait for each other take 10 times as long
        return method.fit_transform(features.astype(np.float32))


def neighbour_accuracy(points: Array, targets: NDArray[np.integer], k: int = NEIGHBOURS) -> float:
    """Return the share of points whose class is the most frequent one of their k neighbours.

    points: (N, D), N > 1. A point is not its own neighbour; of classes that are equally frequent
    the first counts.
    """
    found = targets[nearest_points(points, k)]  # (N, k)
    votes = np.apply_along_axis(np.bincount, 1, found, minlength=int(targets.max()) + 1)
    return float((votes.argmax(1) == targets).mean())


def neighbour_r2(points: Array, targets: Array, k: int = NEIGHBOURS) -> float:
    """Return R2 of predicting each target (N,) by the mean over its k nearest neighbours.

    points: (N, D), N > 1. R2 is 1 at best, and 0 for targets that are all equal.
    """
    means = targets[nearest_points(points, k)].mean(1)
    total = float(((targets - targets.mean()) ** 2).sum())
    return 1 - float(((targets - means) ** 2).sum()) / total if total > 0 else 0.0


def nearest_points(points: Array, k: int) -> NDArray[np.integer]:
    """Return the positions (N, k) of the nearest other points, fewer if there are fewer."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=min(k, len(points) - 1)).fit(points)
    return search.kneighbors(return_distance=False)
