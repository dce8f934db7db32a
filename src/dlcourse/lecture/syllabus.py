"""The order of the lectures."""

SYLLABUS = {
    "Linear models": (
        "linear_regression",
        "noise_estimate",
        "polynomials",
        "bias_variance",
        "training_set_size",
        "softmax",
        "perceptron",
        "kernel_features",
    ),
    "Networks": (
        "universal_approximation",
        "backpropagation",
        "activations",
        "dead_relus",
        "cascade_correlation",
        "recurrent",
        "autoencoder",
    ),
    "Descent": (
        "batch_sizes",
        "learning_rate",
        "momentum",
        "optimizers",
        "flat_minima",
    ),
    "Signals": (
        "initial_weights",
        "vanishing_gradients",
        "normalization",
        "gradient_clipping",
    ),
    "Generalization": (
        "overfitting",
        "l1_sparsity",
        "early_stopping",
        "cross_validation",
        "nested_cross_validation",
        "augmentation",
        "random_labels",
        "double_descent",
    ),
    "Images": (
        "kernels",
        "convolution",
        "checkerboard",
        "receptive_field",
        "architectures",
        "residual",
        "features",
        "transfer",
        "spatial_transformer",
        "attention",
    ),
    "Evaluation": (
        "confusion",
        "calibration",
        "baselines",
    ),
    "Machines": (
        "number_formats",
        "training_step",
    ),
}
"""The topics of each part of the course."""

TOPICS = tuple(topic for part in SYLLABUS.values() for topic in part)
