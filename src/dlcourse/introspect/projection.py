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
    centred = features - features.mean(0)
    left, sizes, _ = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    points, shares = np.zeros((len(features), 2)), np.zeros(2)
    kept = min(2, len(sizes))
    points[:, :kept] = (left * sizes)[:, :kept]
    total = (sizes**2).sum()
    if total > 0:
        shares[:kept] = sizes[:kept] ** 2 / total
    return points, shares


def tsne_plane(features: Array, seed: int) -> Array:
    """Project features (N, D), N >= 4, so that neighbours stay neighbours; return points (N, 2).

    Distances between groups, and their sizes, mean nothing. It starts from the principal
    components; the seed decides the rest.

    Reference: van der Maaten, Hinton, "Visualizing data using t-SNE", JMLR 9, 2008.
    """
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    start = pca_plane(features)[0]
    spread = start[:, 0].std()
    start = 1e-4 * start / (spread if spread > 0 else 1.0)  # as scikit-learn scales it
    init: Any = start  # the stub knows the names of starts only
    method = TSNE(init=init, perplexity=perplexity, random_state=seed)
    return method.fit_transform(features.astype(np.float32))


def neighbour_accuracy(points: Array, targets: NDArray[np.integer], k: int = NEIGHBOURS) -> float:
    """Return the share of points whose class is the most frequent one of their k neighbours.

    points: (N, D), N > 1. A point is not its own neighbour; of classes that are equally frequent
    the first counts.
    """
    from sklearn.neighbors import NearestNeighbors

    k = min(k, len(points) - 1)
    found = NearestNeighbors(n_neighbors=k).fit(points).kneighbors(return_distance=False)
    votes = np.apply_along_axis(np.bincount, 1, targets[found], minlength=int(targets.max()) + 1)
    return float((votes.argmax(1) == targets).mean())
