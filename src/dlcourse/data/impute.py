"""The standardisation of a user's own table: fill missing values, then mean 0 and variance 1."""

import numpy as np
import torch
from torch import Tensor

from dlcourse.core import Impute, Split, Standardize
from dlcourse.data.encoding import Encoding


def needs_own_map(inputs: Tensor, encoding: Encoding) -> bool:
    """Return whether a table has missing values to fill, text as features, or float64 columns."""
    text = any(column.kind == "one_hot" for column in encoding.columns)
    return encoding.fills or text or inputs.dtype == torch.float64


def standardize_table(
    train: Split, how: str, encoding: Encoding, dtype: torch.dtype = torch.float32
) -> Standardize:
    """Compute the map of a table's features from the given training part alone, in float64.

    Missing values are filled as by scikit-learn's ``SimpleImputer``, then features are
    standardised as by its ``StandardScaler``. Features that never occur in this part, such as the
    column of a text that none of its rows has, become 0: no weight is learned for them.

    how: ``none`` fills and does not standardise. dtype: of the standardised inputs.
    """
    from sklearn.preprocessing import StandardScaler  # slow to import

    features = train.inputs.cpu().double().numpy()  # (N, D)
    fill = fills_of(features, encoding) if encoding.fills else np.full(features.shape[1], np.nan)
    filled = np.where(np.isnan(features), fill, features)
    dummy = np.concatenate(
        [np.full(len(column.features), column.kind == "one_hot") for column in encoding.columns]
    )
    constant = dummy & (filled == filled[0]).all(0)
    if how == "none":
        mean, scale = np.zeros_like(fill), np.where(constant & (filled[0] == 0), 0.0, 1.0)
    else:
        scaler = StandardScaler().fit(filled)
        mean, scale = (
            np.asarray(scaler.mean_),
            np.where(constant, 0.0, 1 / np.asarray(scaler.scale_)),
        )
    scale = np.where(np.isnan(features).all(0), 0.0, scale)
    kept = torch.float64 if train.inputs.dtype == torch.float64 else dtype
    device = train.device

    def tensor(values: np.ndarray, kind: torch.dtype) -> Tensor:
        return torch.from_numpy(values).to(kind).to(device)

    if encoding.fills or kept == torch.float64:
        return Impute(tensor(mean, kept), tensor(scale, dtype), tensor(fill, kept))
    return Standardize(tensor(mean, dtype), tensor(scale, dtype))


def fills_of(features: np.ndarray, encoding: Encoding) -> np.ndarray:
    """Return the values (D,) that replace missing ones: of numbers and dates the statistic.

    Text and yes-or-no columns get their most frequent value, with ``data.missing=mean`` and
    ``median`` too. A column without any value gets 0.
    """
    from sklearn.impute import SimpleImputer

    fill = np.empty(features.shape[1])
    for column, place in encoding.slices():
        own = features[:, place]
        if column.kind == "one_hot":
            counts = np.nansum(own, 0)
            fill[place] = np.arange(len(counts)) == counts.argmax()  # the first of equal counts
            continue
        numeric = column.kind in ("number", "date")
        how = encoding.missing if numeric else "most_frequent"
        imputer = SimpleImputer(strategy=how, keep_empty_features=True).fit(own)
        fill[place] = np.nan_to_num(np.asarray(imputer.statistics_, dtype=np.float64))
    return fill
