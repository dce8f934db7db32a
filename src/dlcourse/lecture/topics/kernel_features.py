"""Linear and Gaussian features on two moons, with the hinge loss, next to an SVM."""

from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from dlcourse.api.run import Run

KERNEL_GAMMA = 1.0
SMOKE = ("max_epochs=1", "data.test_examples=50")
FULL = ()


def measure(bench: Bench) -> None:
    """Train the hinge loss on both features; compare each with scikit-learn's exact SVM."""
    linear = bench.train("experiment=lecture/kernel_features", "model=linear")
    kernel = bench.train("experiment=lecture/kernel_features", f"model.gamma={KERNEL_GAMMA:g}")
    bench.figure("linear", bench.look(linear, "boundary")[1])
    bench.figure("kernel", bench.look(kernel, "boundary")[1])
    for name, run in (("linear", linear), ("kernel", kernel)):
        bench.number(name, _next_to_an_svm(run, "linear" if name == "linear" else "rbf"))
    flat, bent = bench.numbers["linear"], bench.numbers["kernel"]
    bench.number("kernel_error", _kernel_error(kernel))
    bench.claim("A line does not separate the moons: test accuracy", flat["accuracy"], at_most=0.9)
    bench.claim("With Gaussian features it does: test accuracy", bent["accuracy"], at_least=0.93)
    bench.claim(
        "scikit-learn's SVM with this kernel finds the same: correlation of the decision functions",
        bent["correlation"],
        at_least=0.99,
    )
    bench.claim(
        "Its test accuracy is the same: difference",
        abs(bent["accuracy"] - bent["svm_accuracy"]),
        at_most=0.02,
    )
    bench.claim(
        "Most examples have no loss and no gradient: share within the margin or wrong",
        bent["inside"] / bent["examples"],
        at_most=0.4,
    )
    bench.claim(
        "1,000 random features have nearly the kernel's values: mean absolute difference",
        bench.numbers["kernel_error"],
        at_most=0.05,
    )


def _next_to_an_svm(run: "Run", kernel: str) -> dict[str, float]:
    """Return how well a run does, and how near its decision function is to that of an SVM.

    The loss, mean hinge + strength / 2 (|w_1|^2 + |w_2|^2), has its minimum at w_1 = -w_2 = w / 2.
    Multiplied by 2 / strength it is |w|^2 / 2 + C (sum of the hinge) with C = 2 / (N strength).
    """
    from sklearn.svm import SVC

    train, test = run.dataset.train, run.dataset.test
    penalty = 2 / (len(train) * run.config["regularizer"]["l2"]["strength"])
    svm = SVC(kernel=kernel, C=penalty).set_params(gamma=KERNEL_GAMMA)
    svm.fit(train.inputs.numpy(), train.targets.numpy())
    exact = svm.decision_function(test.inputs.numpy())
    scores = run.model(test.inputs).detach().numpy()  # (N, 2)
    decision = scores[:, 1] - scores[:, 0]
    scores = run.model(train.inputs).detach().numpy()
    signed = (scores[:, 1] - scores[:, 0]) * np.where(train.targets.numpy() == 1, 1, -1)
    return {
        "accuracy": run.result["test"]["accuracy"],
        "svm_accuracy": float(svm.score(test.inputs.numpy(), test.targets.numpy())),
        "correlation": float(np.corrcoef(decision, exact)[0, 1]),
        "different": int(((decision > 0) != (exact > 0)).sum()),
        "test_examples": len(test),
        "examples": len(train),
        "inside": int((signed < 1).sum()),
        "wrong": int((signed <= 0).sum()),
        "support_vectors": len(svm.support_),
        "c": penalty,
    }


def _kernel_error(run: "Run") -> float:
    """Return how far the features' inner products are from exp(-gamma |x - y|^2), on average."""
    import torch

    from dlcourse.model.kernel import Kernel

    inputs = run.dataset.train.inputs
    machine = next(one for one in run.model.modules() if isinstance(one, Kernel))
    features = machine.features(inputs)  # (N, width)
    exact = torch.exp(-KERNEL_GAMMA * torch.cdist(inputs, inputs) ** 2)
    return float((features @ features.T - exact).abs().mean())
