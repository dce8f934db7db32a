"""Names that the field and other programs use for the keys and options of dlcourse.

Names are compared as letters and digits in lower case: ``batch-size`` is ``batchsize``.
"""

KEY_SYNONYMS = {
    # the run
    "epochs": "max_epochs", "numepochs": "max_epochs", "nepochs": "max_epochs",
    "epoch": "max_epochs", "maxsteps": "max_epochs", "maxepoch": "max_epochs",
    "bs": "batch_size", "batch": "batch_size", "trainbatchsize": "batch_size",
    "minibatch": "batch_size", "minibatchsize": "batch_size",
    "gradientaccumulation": "accumulate", "gradientaccumulationsteps": "accumulate",
    "accumulategradbatches": "accumulate", "accumulationsteps": "accumulate",
    "randomseed": "seed", "randomstate": "seed", "manualseed": "seed", "rngseed": "seed",
    "checkpoint": "resume", "ckpt": "resume", "resumefrom": "resume", "ckptpath": "resume",
    "outputdir": "hydra.run.dir", "outdir": "hydra.run.dir", "savedir": "hydra.run.dir",
    "logdir": "hydra.run.dir", "output": "hydra.run.dir", "dryrun": "check=true",
    "njobs": "workers", "jobs": "workers", "parallel": "workers", "repeats": "seeds",
    "nseeds": "seeds",
    # groups
    "optimizer": "optim", "optimiser": "optim", "opt": "optim", "solver": "optim",
    "dataset": "data", "datasets": "data", "ds": "data", "datadir": "data.root",
    "datapath": "data.root", "dataroot": "data.root",
    "network": "model", "net": "model", "arch": "model", "architecture": "model",
    "backbone": "model", "models": "model",
    "scheduler": "schedule", "lrscheduler": "schedule", "lrschedule": "schedule",
    "criterion": "loss", "lossfn": "loss", "lossfunction": "loss", "objective": "loss",
    "cost": "loss",
    "augmentation": "augment", "augmentations": "augment", "transform": "augment",
    "transforms": "augment", "aug": "augment", "dataaugmentation": "augment",
    "regularization": "regularizer", "regularisation": "regularizer", "penalty": "regularizer",
    "regularizers": "regularizer", "metrics": "metric", "initialization": "init",
    "initialisation": "init", "initializer": "init", "weightinit": "init",
    "callbacks": "observe", "logger": "observe", "observer": "observe", "preset": "experiment",
    "cv": "split=kfold", "crossvalidation": "split=kfold", "kfold": "split=kfold",
    "kfolds": "split=kfold", "nfolds": "split.folds", "nsplits": "split.folds",
    "ema": "average=ema", "swa": "average=swa", "tta": "view",
    "earlystopping": "stop=patience", "earlystop": "stop=patience",
    "gradientclip": "clip=norm", "gradclip": "clip=norm", "clipgrad": "clip=norm",
    "clipgradnorm": "clip=norm", "gradientclipping": "clip=norm", "gradclipnorm": "clip=norm",
    "gradientclipval": "clip=norm", "clipnorm": "clip=norm", "clipvalue": "clip=value",
    # keys of groups
    "lr": "optim.lr", "learningrate": "optim.lr", "eta": "optim.lr", "stepsize": "optim.lr",
    "baselr": "optim.lr", "initiallr": "optim.lr", "lrinit": "optim.lr",
    "wd": "optim.weight_decay", "weightdecay": "optim.weight_decay", "decay": "optim.weight_decay",
    "momentum": "optim.momentum", "beta": "optim.betas", "beta1": "optim.betas",
    "beta2": "optim.betas", "betas": "optim.betas", "mom": "optim.momentum",
    "dropout": "model.dropout", "droprate": "model.dropout", "dropoutrate": "model.dropout",
    "pdrop": "model.dropout", "activation": "model.activation", "act": "model.activation",
    "nonlinearity": "model.activation", "hiddensize": "model.widths",
    "hiddensizes": "model.widths", "hidden": "model.widths", "hiddenunits": "model.widths",
    "hiddenlayers": "model.widths", "layers": "model.widths", "units": "model.widths",
    "batchnorm": "model.norm=batch", "bn": "model.norm=batch", "layernorm": "model.norm=layer",
    "layerdecay": "optim.layer_decay", "llrd": "optim.layer_decay",
    "layerwisedecay": "optim.layer_decay", "lrdecayrate": "optim.layer_decay",
    "gradientnoise": "optim.noise", "gradnoise": "optim.noise",
    "pretrained": "model.weights", "warmup": "schedule.warmup", "warmupepochs": "schedule.warmup",
    "labelsmoothing": "loss.label_smoothing", "smoothing": "loss.label_smoothing",
    "patience": "stop.patience", "validationsplit": "split.fraction",
    "valsplit": "split.fraction", "valfraction": "split.fraction", "valsize": "split.fraction",
    "valratio": "split.fraction", "subset": "data.examples", "nsamples": "data.examples",
    "labelnoise": "data.random_labels", "normalize": "data.standardize",
    "normalise": "data.standardize", "imagesize": "data.size", "imgsize": "data.size",
    "resize": "data.size", "numworkers": "data.workers", "nworkers": "data.workers",
    "loaderworkers": "data.workers", "folds": "split.folds",
    "device": "runtime.device", "accelerator": "runtime.device", "gpu": "runtime.device=cuda",
    "gpus": "runtime.devices", "numgpus": "runtime.devices",
    "nprocpernode": "runtime.devices", "worldsize": "runtime.devices",
    "syncbn": "runtime.batch_norm", "syncbatchnorm": "runtime.batch_norm",
    "cuda": "runtime.device=cuda", "cpu": "runtime.device=cpu",
    "nocuda": "runtime.device=cpu", "amp": "runtime.precision=bf16",
    "autocast": "runtime.precision=bf16", "mixedprecision": "runtime.precision=bf16",
    "bf16": "runtime.precision=bf16", "bfloat16": "runtime.precision=bf16",
    "tf32": "runtime.precision=tf32",
    "fp16": "runtime.precision=fp16", "half": "runtime.precision=fp16",
    "dtype": "runtime.precision", "precision": "runtime.precision",
    "threads": "runtime.threads", "numthreads": "runtime.threads", "compile": "runtime.compile",
    "torchcompile": "runtime.compile", "deterministic": "runtime.deterministic",
}  # fmt: skip
"""Other names of keys: a key or a group here, or an override as a whole."""

EXACT_KEYS = {
    name: KEY_SYNONYMS[name]
    for name in (
        "epochs", "numepochs", "nepochs", "maxepoch", "bs", "trainbatchsize", "minibatchsize",
        "gradientaccumulationsteps", "accumulategradbatches", "accumulationsteps",
        "gradientaccumulation", "randomseed", "randomstate", "manualseed", "rngseed",
        "resumefrom", "ckptpath", "njobs", "nseeds",
        "optimizer", "optimiser", "opt", "solver", "dataset", "network", "net", "arch",
        "architecture", "scheduler", "lrscheduler", "lrschedule", "criterion", "lossfn",
        "lossfunction", "augmentation", "augmentations", "dataaugmentation", "regularization",
        "regularisation", "metrics", "initialization", "initialisation", "initializer",
        "lr", "learningrate", "baselr", "initiallr", "wd", "weightdecay", "momentum", "betas",
        "dropout", "activation", "nfolds", "nsplits", "labelsmoothing", "datadir", "dataroot",
        "device", "precision", "numworkers", "nworkers", "numthreads", "threads",
        "deterministic",
    )
}  # fmt: skip
"""Those of ``KEY_SYNONYMS`` that mean exactly the key: they are replaced, with a note."""

OPTION_SYNONYMS = {
    "model": {
        "lenet5": "lenet", "logisticregression": "linear", "logistic": "linear",
        "softmax": "linear", "cnn": "convnet", "convnetwork": "convnet", "fc": "mlp",
        "dense": "mlp", "fcn": "mlp", "ffn": "mlp", "feedforward": "mlp", "fullyconnected": "mlp",
        "multilayerperceptron": "mlp", "inception": "googlenet", "inceptionv1": "googlenet",
        "visiontransformer": "vit", "transformer": "vit", "ae": "autoencoder",
        "cae": "conv_autoencoder",
        "recurrent": "rnn", "elman": "rnn", "spatialtransformer": "stn", "resnet": "resnet18",
        "vgg": "vgg16", "cascadecorrelation": "cascade", "nfresnet": "nfnet",
        "svm": "kernel", "rbf": "kernel", "krr": "kernel", "timm": "torchvision",
    },
    "data": {
        "cifar": "cifar10", "fashion": "fashion_mnist", "fmnist": "fashion_mnist",
        "kuzushiji": "kmnist", "optdigits": "digits",
        "images": "image_folder", "folder": "image_folder", "imagenet": "image_folder",
        "table": "csv", "tabular": "csv", "xor": "gates", "twomoons": "moons",
  "spiral": "spirals", "sinus": "sine", "sin": "sine",
    },
    "optim": {
        "gradientdescent": "gd", "stochasticgradientdescent": "sgd", "sgdmomentum": "momentum",
        "heavyball": "momentum", "nag": "nesterov", "leastsquares": "closed_form",
        "ols": "closed_form", "normalequation": "closed_form", "ridge": "closed_form",
        "bfgs": "lbfgs", "rectifiedadam": "radam", "infinityadam": "adamax",
        "averagedsgd": "asgd", "resilient": "rprop", "resilientbackpropagation": "rprop",
        "rpropminus": "rprop", "schedulefree": "schedule_free",
        "adamwschedulefree": "schedule_free", "sgdschedulefree": "schedule_free",
        "radamschedulefree": "schedule_free", "schedulefreeadamw": "schedule_free",
    },
    "schedule": {
        "none": "constant", "steplr": "step", "multistep": "step", "exp": "exponential",
        "cosineannealing": "cosine", "cosineannealinglr": "cosine",
        "sgdr": "cosine_restarts", "warmrestarts": "cosine_restarts",
        "cosineannealingwarmrestarts": "cosine_restarts", "cosinewarmrestarts": "cosine_restarts",
        "clr": "cyclic", "cycliclr": "cyclic", "triangular": "cyclic", "poly": "polynomial",
        "polynomiallr": "polynomial", "swalr": "swa", "linearlr": "linear",
        "onecyclelr": "one_cycle", "reducelronplateau": "plateau", "exponentiallr": "exponential",
    },
    "init": {
        "kaiming": "he_normal", "kaimingnormal": "he_normal", "kaiminguniform": "he_uniform",
        "he": "he_normal", "glorot": "xavier_uniform", "glorotnormal": "xavier_normal",
        "glorotuniform": "xavier_uniform", "xavier": "xavier_uniform", "lecun": "lecun_normal",
        "gaussian": "normal", "zero": "zeros", "pretrained": "from_run",
        "truncnormal": "he_truncated",
    },
    "loss": {
        "ce": "cross_entropy", "xent": "cross_entropy", "softmax": "cross_entropy",
        "categoricalcrossentropy": "cross_entropy", "crossentropyloss": "cross_entropy",
        "nllloss": "nll", "bceloss": "bce", "binarycrossentropy": "bce", "l2": "mse",
        "mseloss": "mse", "squarederror": "mse", "meansquarederror": "mse", "svm": "hinge",
    },
    "regularizer": {"lasso": "l1", "ridge": "l2", "weightdecay": "l2"},
    "clip": {"gradnorm": "norm", "gradientnorm": "norm", "adaptive": "agc"},
    "average": {
        "stochasticweightaveraging": "swa", "polyak": "ema", "exponentialmovingaverage": "ema",
    },
    "augment": {
        "randomcrop": "crop", "hflip": "flip", "horizontalflip": "flip", "randomerasing": "cutout",
        "jitter": "color_jitter", "rotation": "affine",
        "rotate": "affine",
        "randomresizedcrop": "resized_crop", "gaussiannoise": "noise",
    },
    "split": {
        "cv": "kfold", "crossvalidation": "kfold", "stratified": "stratified_kfold",
        "random": "holdout",
    },
    "stop": {"earlystopping": "patience", "early": "patience", "none": "never"},
    "metric": {
        "acc": "accuracy", "top5": "top_k", "confusionmatrix": "confusion",
        "map": "average_precision", "ap": "average_precision", "ece": "calibration",
        "r2score": "r2", "f1": "confusion", "precision": "confusion", "recall": "confusion",
    },
    "view": {"tta": "mirror", "flip": "mirror"},
    "observe": {
        "tb": "tensorboard", "progress": "console", "json": "history", "csvlogger": "csv",
    },
    "runtime": {"gpu": "cuda", "default": "auto"},
    "sweep": {
        "gridsearch": "grid", "randomsearch": "random", "bayes": "optuna", "bayesian": "optuna",
        "tpe": "optuna", "ablation": "one_at_a_time",
    },
}  # fmt: skip
"""Other names of a group's options."""

EXACT_OPTIONS = {
    "model": ("lenet5", "multilayerperceptron", "visiontransformer", "logisticregression"),
    "data": ("fmnist", "fashion"),
    "optim": ("stochasticgradientdescent", "gradientdescent", "nag"),
    "schedule": (
        "none", "steplr", "cosineannealing", "cosineannealinglr", "onecyclelr",
        "reducelronplateau", "exponentiallr",
    ),
    "init": ("kaimingnormal", "kaiminguniform", "glorotnormal", "glorotuniform", "zero"),
    "loss": (
        "ce", "crossentropyloss", "categoricalcrossentropy", "nllloss", "bceloss",
        "binarycrossentropy", "mseloss", "meansquarederror",
    ),
    "augment": ("randomerasing", "horizontalflip", "hflip", "randomresizedcrop"),
    "split": ("crossvalidation", "cv"),
    "stop": ("earlystopping", "none"),
    "metric": ("acc", "confusionmatrix", "ece", "r2score"),
    "observe": ("tb",),
}  # fmt: skip
"""Those of ``OPTION_SYNONYMS`` that mean exactly the option: they are replaced, with a note."""
