"""A classifier for scikit-learn."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from dlcourse.api.estimator import Estimator, arrays_as_dataset
from dlcourse.api.sklearn_versions import validated


class Classifier(ClassifierMixin, Estimator):
    """Classifies with a neural network that is trained as by ``dlcourse.train``.

    overrides: options of a run as text, ``"model=mlp"``, ``"optim.lr=0.01"``.
    model, max_epochs, batch_size: options of a run; None for its default, an MLP.
    options: any other options of a run, ``optim="sgd"`` or ``**{"optim.lr": 0.1}``. They are
        parameters of ``get_params``, ``set_params`` and of the grid of ``GridSearchCV``.
    random_state: the seed, a number or a ``RandomState``; None is 0, so that a fit can be repeated.
    shape: the shape of an example for models of images, ``(1, 8, 8)``, if X is (N, D).
    folder: where the run is kept; None keeps none.
    config_dir: the folder of your own configs.
    verbose: whether to print the epochs, with ``observe=["console"]``.

    All examples are trained on for all epochs, as usual in scikit-learn. Any option of ``split``
    holds examples out: ``Classifier("split.fraction=0.2", "stop=patience")`` ends early and keeps
    the best epoch.

    Attributes of a fitted classifier: ``classes_``, ``n_features_in_``, ``feature_names_in_``
    (columns of a DataFrame), ``history_`` (the metrics of each epoch) and ``n_iter_`` (epochs).

    >>> classifier = dlcourse.Classifier("model=mlp", max_epochs=20)
    >>> sklearn.model_selection.cross_val_score(classifier, X, y)
    """

    classes_: np.ndarray

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Classifier":
        """Train on examples X and their classes y; return the estimator.

        X: (N, D) features, or (N, C, H, W) images, as an array or a DataFrame. y: (N,) classes of
        any type, or (N, K) 0 and 1, where an example can have several classes.
        sample_weight: (N,), the weight of each example in the loss.

        Raises ValueError for missing values, and for fewer than two classes.
        """
        import torch

        X, y = validated(self, X, y, multi_output=True)
        check_classification_targets(y)
        weights = checked_weights(sample_weight, X)
        inputs = self.inputs_of(X)
        if type_of_target(y) == "multilabel-indicator":
            self.classes_ = np.arange(y.shape[1])
            targets, more = torch.from_numpy(np.asarray(y, np.float32)), SEVERAL_CLASSES
        else:
            self.classes_, numbers = np.unique(column_or_1d(y, warn=True), return_inverse=True)
            targets, more = torch.from_numpy(numbers.astype(np.int64)), {}
        refuse_one_class(targets, weights)
        names = [str(name) for name in self.classes_]
        self.run_on(arrays_as_dataset(inputs, targets, classes=names, weights=weights), more)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities (N, K) of the classes, in the order of ``classes_``.

        Where an example can have several classes, each probability is for itself.
        """
        found = self.outputs_of(X)
        return found if self.has_several else found / found.sum(1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class (N,) of each example, or 0 and 1 (N, K) of several."""
        found = self.predict_proba(X)
        return (found >= 0.5).astype(int) if self.has_several else self.classes_[found.argmax(1)]

    @property
    def has_several(self) -> bool:
        """Whether an example can have several classes."""
        return self.opened.task == "multilabel"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.three_d_array = True
        return tags


SEVERAL_CLASSES = {
    "data.task": "multilabel", "loss": "bce", "metric": "[multilabel]",
    "monitor": "val/loss", "mode": "min",
}  # fmt: skip
"""The options of a run whose examples can have several classes."""


def refuse_one_class(targets: Any, weights: np.ndarray | None) -> None:
    """Raise ValueError if all examples with a weight above 0 have one class.

    targets: tensor (N,) of classes, or (N, K) of 0 and 1, of which one column is enough.
    """
    kept = targets if weights is None else targets[weights > 0]
    if kept.ndim == 1 and len(kept.unique()) < 2:
        raise ValueError(
            "Classifier needs at least two classes, and all examples with a weight have one class"
        )


def checked_weights(sample_weight: Any, X: Any) -> np.ndarray | None:
    """Return the checked weights (N,) of the examples; None without any."""
    from sklearn.utils.validation import _check_sample_weight

    return None if sample_weight is None else _check_sample_weight(sample_weight, X)
