"""What differs between the versions of scikit-learn that dlcourse works with, 1.5 and later."""

from typing import Any

import numpy as np
import sklearn.utils.validation as validation

KEPT_TYPES = [np.float32, np.uint8]
"""The types of inputs that are kept; others become the first one."""


def validated(estimator: Any, X: Any, *y: Any, **more: Any) -> Any:
    """Check examples, and targets if they are given, by scikit-learn's own function; return them.

    Raises ValueError with scikit-learn's message for missing values, wrong shapes and so on.
    """
    own = {"dtype": KEPT_TYPES, "allow_nd": True, **more}
    if hasattr(validation, "validate_data"):
        return validation.validate_data(estimator, X, *y, **own)
    return estimator._validate_data(X, *y, **own)  # until 1.5
