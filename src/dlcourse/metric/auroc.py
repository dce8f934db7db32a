"""The area under the receiver operating characteristic."""

from torch import Tensor

from dlcourse.metric.average_precision import AveragePrecision


class AUROC(AveragePrecision):
    """The mean over classes of the area under the ROC curve, one class against the rest.

    It is the share of pairs of an example of the class and another one in which the former has the
    larger softmax probability of the class; equal ones count one half. 0.5 is guessing. With two
    classes both have the same area. Classes that no example has, or all have, are not counted.

    The value of an epoch is computed from a histogram with ``bins`` bins, as in
    ``AveragePrecision``: pairs in the same bin count one half. ``full`` is exact.

    Reference: Hanley, McNeil, "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve", Radiology 143, 1982; Fawcett, "An introduction to ROC analysis",
    Pattern Recognition Letters 27(8), 2006, section 9.
    """

    def report(self, sums: Tensor, examples: int) -> dict[str, float]:
        """Return ``{"auroc": mean over classes}``; 0.5 if there is a single class."""
        others, own = sums.double()  # (K, bins), in ascending order
        below = others.cumsum(1) - others / 2
        pairs = own.sum(1) * others.sum(1)
        areas = (own * below).sum(1)[pairs > 0] / pairs[pairs > 0]
        return {"auroc": float(areas.mean()) if len(areas) else 0.5}

    def full(self, outputs: Tensor, targets: Tensor) -> dict:
        """Return the exact area of every class, None where it is undefined, and their mean."""
        own = self.own(targets, outputs.shape[1]).bool()
        scores = self.probabilities(outputs).T
        areas = [rank_area(score, is_in) for score, is_in in zip(scores, own.T, strict=True)]
        known = [area for area in areas if area is not None]
        macro = sum(known) / len(known) if known else None
        return {"auroc": {"macro": macro, "per_class": areas}}


def rank_area(score: Tensor, own: Tensor) -> float | None:
    """Return the exact area from the ranks of scores (N,); None if all examples are alike.

    own: (N,) bool, the examples of the class.
    """
    inside, outside = int(own.sum()), int((~own).sum())
    if not inside or not outside:
        return None
    _, place, counts = score.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0).double()
    ranks = (last - (counts.double() - 1) / 2)[place]  # equal scores have their mean rank
    below = float(ranks[own].sum()) - inside * (inside + 1) / 2
    return below / (inside * outside)
