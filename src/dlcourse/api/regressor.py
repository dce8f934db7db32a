"""A regressor for scikit-learn."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from dlcourse.api.classifier import checked_weights
from dlcourse.api.estimator import Estimator, arrays_as_dataset
from dlcourse.api.sklearn_versions import validated

VALUES = {
    "data.task": "regression", "loss": "mse", "metric": "[rmse,r2]",
    "monitor": "val/loss", "mode": "min",
}  # fmt: skip
"""The options of a run on values."""


class Regressor(RegressorMixin, Estimator):
    """Predicts values with a neural network that is trained as by ``dlcourse.train``.

    The values are trained in units of their standard deviation from their mean, over the examples
    of ``fit``; ``history_`` is in these units, and predictions are in the original ones.

    The parameters are those of ``dlcourse.Classifier``.

    >>> regressor = dlcourse.Regressor("model=mlp", max_epochs=50).fit(X, y)
    >>> regressor.score(X_test, y_test)
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Regressor":
        """Train on examples X and their values y; return the estimator.

        X: (N, D) features, or (N, C, H, W) images, as an array or a DataFrame. y: (N,) or (N, K).
        sample_weight: (N,), the weight of each example in the loss.

        Raises ValueError for missing values.
        """
        import torch

        X, y = validated(self, X, y, multi_output=True, y_numeric=True)
        weights = checked_weights(sample_weight, X)
        y = np.asarray(y, np.float64)
        self.is_single_ = y.ndim == 1
        values = y.reshape(len(y), -1)
        self.mean_, scale = values.mean(0), values.std(0)
        self.scale_ = np.where(scale > 0, scale, 1.0)
        targets = torch.from_numpy(((values - self.mean_) / self.scale_).astype(np.float32))
        self.run_on(arrays_as_dataset(self.inputs_of(X), targets, weights=weights), VALUES)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the values (N,), or (N, K) if ``fit`` was given such."""
        found = self.outputs_of(X) * self.scale_ + self.mean_
        return found[:, 0] if self.is_single_ else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.input_tags.three_d_array = True
        return tags
