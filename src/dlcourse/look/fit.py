"""The fitted curve of a regression with one input, with the estimated noise."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from dlcourse.drawing.fitted_curve import draw_fitted_curve
from dlcourse.introspect.grid import outputs_on_a_line, predictor
from dlcourse.introspect.linear_map import feature_names
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.run_parts import run_parts
from dlcourse.look.subject import Drawing, Subject


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw the predictions over the input, the examples, the true function, and a band of noise.

    The band is two standard deviations of the residuals of the training part, the maximum
    likelihood estimate of Gaussian noise (Bishop, 2006, equation 3.21).

    Raises NotApplicableError for classes, for several inputs, and for several outputs.
    """
    if subject.classes:
        raise NotApplicableError("what=fit needs a regression, and this run has classes")
    if subject.input_shape != (1,) or subject.dataset.output_size != 1:
        shape = " x ".join(map(str, subject.input_shape))
        raise NotApplicableError(
            f"what=fit needs one input and one output, and this run maps {shape} values to "
            f"{subject.dataset.output_size}"
        )
    parts, dataset = run_parts(subject), subject.dataset
    predict = predictor(subject.network, parts.fold.standardize, parts.recipe)
    examples = {"train": parts.fold.train, "test": parts.test}
    if parts.fold.val is not None:
        examples = {"train": parts.fold.train, "val": parts.fold.val, "test": parts.test}
    x, fitted = outputs_on_a_line(
        predict, torch.cat([split.inputs.cpu() for split in examples.values()]), options["points"]
    )
    truth = None
    if dataset.truth is not None:
        truth = dataset.truth(torch.from_numpy(x)[:, None])[:, 0].numpy()
    points, errors = [], {}
    for part, split in examples.items():
        inputs, targets = split.inputs.cpu(), split.targets[:, 0].cpu()
        points.append((part, inputs[:, 0].numpy(), targets.numpy()))
        errors[part] = (predict(inputs)[:, 0].double() - targets.double()).numpy()
    rmse = {part: float(np.sqrt((values**2).mean())) for part, values in errors.items()}
    noise, band = rmse["train"], None
    inside = float((np.abs(errors["test"]) <= 2 * noise).mean())
    if options["noise"]:
        band = 2 * noise
    names = (feature_names(dataset)[0], "t")
    title = (
        f"{subject.result['data']}: root mean squared error {rmse['train']:.3g} (train), "
        f"{rmse['test']:.3g} (test)"
    )
    figure = draw_fitted_curve(
        x, fitted[:, 0], points, truth=truth, names=names, title=title, band=band
    )
    seen = (
        f"Root mean squared error {rmse['train']:.3g} on the training part, the estimate of the "
        f"noise, and {rmse['test']:.3g} on the test part; {inside:.0%} of the test examples are "
        "within two standard deviations of that noise (95% of Gaussian noise would be)"
    )
    if dataset.truth is not None:
        inputs = parts.test.inputs.cpu()
        away = predict(inputs).double() - dataset.truth(inputs.double())
        seen += f"; the curve is {float(away.square().mean().sqrt()):.3g} from the true function"
    return [Drawing("", [figure], seen, line_art=True)]
