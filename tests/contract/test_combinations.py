"""Wrong combinations are refused before torch is imported, with the key and the remedy."""

import pytest
from conftest import composed

from dlcourse.errors import UserError
from dlcourse.layer import image
from dlcourse.schema import facts
from dlcourse.schema.validate import RULES, check

MULTILABEL = "metric=[multilabel]"
MULTILABEL_TABLE = [
    "data=csv", "data.task=multilabel", "loss=bce", "metric=[multilabel]",
]  # fmt: skip
WRONG = [  # the overrides, and what the message must name
    (
        ["observe=[mlflow]", "observe.mlflow.uri='http://me:secret@host'"],
        ["observe.mlflow.uri", "MLFLOW_TRACKING_URI"],
    ),
    (["optim=gd", "batch_size=32"], ["optim=gd", "batch_size=full"]),
    (["optim=lbfgs", "batch_size=32"], ["optim=lbfgs", "batch_size=full"]),
    (["model=cascade", "batch_size=32"], ["model=cascade", "batch_size=full"]),
    (["accumulate=40"], ["batch_size=64", "accumulate=32"]),
    (["optim=lbfgs", "batch_size=full", "accumulate=2"], ["optim=lbfgs", "accumulate=1"]),
    (["batch_size=2", "runtime.devices=4"], ["batch_size=2", "runtime.devices=2"]),
    (["optim=lbfgs", "batch_size=full", "runtime.devices=2"], ["optim=lbfgs", "devices=1"]),
    (["engine=together", "runtime.devices=2"], ["engine=separate"]),
    (["optim=nesterov", "optim.momentum=0"], ["nesterov", "optim.momentum=0.9"]),
    (["optim=lbfgs", "batch_size=full", "nonfinite=skip"], ["nonfinite=skip", "nonfinite=stop"]),
    (["model=cascade", "batch_size=full", "nonfinite=skip"], ["model=cascade", "nonfinite=stop"]),
    (["optim=lbfgs", "batch_size=full", "nonfinite=rollback"], ["optim=lbfgs", "rate"]),
    (["optim=rprop", "batch_size=full", "nonfinite=rollback"], ["optim=Rprop", "nonfinite=stop"]),
    (["nonfinite=skip", "runtime.precision=fp16"], ["nonfinite=stop", "precision=bf16"]),
    (["nonfinite=rollback", "debug=anomaly"], ["debug=anomaly", "nonfinite=stop"]),
    (["optim=closed_form"], ["LeNet5", "model=linear"]),
    (["optim=closed_form", "model=linear", "loss=hinge"], ["squared errors", "loss=mse"]),
    (["optim=closed_form", "model=linear", "regularizer=[l2]"], ["optim.ridge=0.1"]),
    (["optim=closed_form", "model=linear", "clip=norm"], ["clip", "clip=none"]),
    (["optim=closed_form", "model=linear", "schedule=cosine"], ["schedule=constant"]),
    (["optim=lbfgs", "clip=norm"], ["lbfgs", "clip=none"]),
    (["optim=lbfgs", "regularizer=[max_norm]"], ["max_norm", "regularizer=[l2]"]),
    (["model=cascade", "optim=sam", "batch_size=full"], ["cascade", "optim=adam"]),
    (["model=cascade", "average=ema"], ["cascade", "average=none"]),
    (["model=cascade", "optim.freeze=[output.*]"], ["cascade", "optim.freeze=[]"]),
    (["optim=lbfgs", "average=lookahead"], ["lookahead", "average=none"]),
    (["optim.freeze_until=[features.*:50]"], ["freeze_until", "optim.freeze=[features.*]"]),
    (["optim=lbfgs", "optim.freeze_after=[*:3]"], ["lbfgs", "optim.freeze_after=[]"]),
    (["optim=lbfgs", "batch_size=full", "nonfinite=rollback"], ["optim=lbfgs", "rate"]),
    (["optim=rprop", "batch_size=32"], ["optim=Rprop", "batch_size=full"]),
    (["optim=rprop", "schedule=cosine"], ["rprop", "schedule=constant"]),
    (["optim=rprop", "optim.layer_decay=0.5"], ["optim.layer_decay=0.5", "optim.layer_decay=1"]),
    (["optim=rprop", "optim.etas=[1.2,0.5]"], ["etas=[1.2,0.5]", "optim.etas=[0.5,1.2]"]),
    (["optim=rprop", "optim.step_sizes=[1,0.1]"], ["step_sizes=[1", "step_sizes=[0.1,1"]),
    (["optim=schedule_free", "schedule=cosine"], ["schedule_free", "schedule=constant"]),
    (["optim=schedule_free", "average=ema"], ["schedule_free", "average=none"]),
    (["optim=schedule_free", "optim.betas=[0,0.9]"], ["betas=[0", "optim.betas=[0.9,0.999]"]),
    (["optim=asgd", "average=swa"], ["asgd", "average=none"]),
    (["model=cascade", "optim=asgd", "batch_size=full"], ["cascade", "optim=adam"]),
    (["optim=lbfgs", "optim.noise=0.1"], ["optim.noise=0.1", "optim.noise=0"]),
    (["average=swa", "average.start=60"], ["average.start=60", "max_epochs=50"]),
    (["schedule.warmup=50"], ["schedule.warmup=50", "max_epochs=50"]),
    (
        ["schedule=one_cycle", "schedule.three_phase=true", "schedule.pct_start=0.6"],
        ["schedule.pct_start=0.6", "schedule.pct_start=0.3"],
    ),
    (["runtime=cpu", "runtime.precision=fp16"], ["fp16", "bf16"]),
    (["runtime.precision=fp16", "optim=sam"], ["fp16", "bf16"]),
    (["data=diabetes", "loss=squared_hinge"], ["loss=squared_hinge", "loss=mse"]),
    (["data=linear", "model=perceptron", "loss=mse"], ["model=perceptron", "model=linear"]),
    (["data=csv", "data.task=regression"], ["loss=cross_entropy", "loss=mse"]),
    (
        ["data=csv", "data.target=[a,b]", "loss=cross_entropy"],
        ["2 columns", "data.task=multilabel"],
    ),
    (
        [*MULTILABEL_TABLE, "data.target=a"],
        ["needs a column for each class", "data.target=[first,second]"],
    ),
    (["data=csv", "data.missing=mean", "data.standardize=zca"], ["data.standardize=zca", "drop"]),
    (["data=moons", "data.standardize=imagenet"], ["data.standardize=imagenet", "channel"]),
    (
        ["data=csv", "data.missing=mean", "data.reconstruct=true", "loss=mse", "metric=[rmse]"],
        ["data.reconstruct=true", "data.missing=drop"],
    ),
    (["data=sine", "metric=[calibration]"], ["metric=calibration", "rmse"]),
    (["metric=[accuracy,noise]"], ["metric=noise", "accuracy"]),
    (["augment=[mixup]", "loss=hinge"], ["augment=mixup", "loss=cross_entropy"]),
    (["model=autoencoder", "data.reconstruct=false"], ["data.reconstruct=true", "model=mlp"]),
    (
        ["model=conv_autoencoder", "data.reconstruct=false"],
        ["data.reconstruct=true", "model=mlp"],
    ),
    (["model=autoencoder", "data.random_labels=0.5"], ["data.random_labels=0"]),
    (["model=resnet20", "data=moons"], ["ResNetCifar", "model=mlp"]),
    (["model=vgg16", "data.size=16"], ["VGG", "data.size=17"]),
    (["model=vit", "data.size=30"], ["model.patch=4", "data.size=32"]),
    (
        ["model=torchvision", "model.weights=DEFAULT", "init=he_normal"],
        ["init=he_normal", "init=default"],
    ),
    (["data=spirals", "augment=[cutmix]"], ["augment=cutmix", "augment=[noise]"]),
    (
        ["augment=[cutout]", "augment.cutout.length=40"],
        ["augment.cutout.length=40", "data.size=28"],
    ),
    (
        ["augment=[crop]", "augment.crop.padding=28", "augment.crop.mode=reflect"],
        ["augment.crop.padding=28", "augment.crop.padding=27"],
    ),
    (["view=[shift]", "view.shift.pixels=30"], ["view.shift.pixels=30", "data.size=28"]),
    (["view=[mirror]", "data=moons", "model=mlp"], ["view=mirror", "view=[]"]),
    (["init=from_file"], ["takes its weights from a file", "init.file="]),
    (["init=from_file", "init.file=none.pth"], ["init.file=none.pth does not exist"]),
    (
        ["init=from_file", "init.file=.", "init.rename={a.*: b}"],
        ["init.file=. is a folder"],
    ),
    (
        ["model=torchvision", "model.weights=none.pth"],
        ["model.weights=none.pth does not exist", "model.weights=null"],
    ),
    (["model=timm", "model.weights=none.pth"], ["model.weights=none.pth does not exist"]),
    (["model=timm", "model.pretrained=true", "init=he_normal"], ["model.pretrained=false"]),
    (["model=timm", "model.pretrained=true", "model.weights=."], ["two sources of weights"]),
    (["view=[mirror]", "model=autoencoder"], ["view=mirror", "data.reconstruct=true"]),
    (
        ["augment=[rand_augment]", "augment.rand_augment.magnitude=31"],
        ["magnitude=31", "augment.rand_augment.magnitude=30"],
    ),
    (["model=autoencoder", "augment=[affine]"], ["augment=affine", "augment=[noise]"]),
    (["model=mlp", "model.norm=instance"], ["instance", "model.norm=layer"]),
    (["data=diabetes", "loss.class_weight=balanced"], ["class_weight=balanced", "regression"]),
    (["data=diabetes", "sampler=balanced"], ["sampler=balanced", "sampler=shuffle"]),
    (["optim=gd", "batch_size=full", "sampler=balanced"], ["optim=gd", "sampler=shuffle"]),
    (
        ["optim=closed_form", "model=linear", "loss=mse", "loss.class_weight=[1,2]"],
        ["closed_form", "class_weight=null"],
    ),
    (["model.norm=batch", "batch_size=1"], ["batch_size=1", "model.norm=layer"]),
    (["model=mlp", "model.norm=group", "model.widths=[16,8]"], ["norm=group", "8 units", "[16]"]),
    (["model=mlp", "model.norm=layer", "model.widths=[1]"], ["norm=layer", "1 unit.", "[16]"]),
    (["model=resnet20", "model.activation=maxout:3"], ["maxout:3", "ResNetCifar", "model=mlp"]),
    (["data=image_folder", "data.root=no/such"], ["no/such", "data.root"]),
    (["data=function"], ["data=function", "data.function=my_module.load"]),
    (
        ["data=csv", "data.task=multilabel"],
        ["loss=cross_entropy", "loss=bce", "'metric=[multilabel]'", "monitor=val/f1_macro"],
    ),
    (["data=csv", "data.task=multilabel", "loss=bce"], ["metric=accuracy", "metric=[multilabel]"]),
    (["data=digits", "metric=[multilabel]"], ["metric=multilabel", "metric=[accuracy]"]),
    (
        ["model=perceptron", "data=csv", "data.task=multilabel", "loss=bce", "metric=[multilabel]"],
        ["model=perceptron", "model=mlp"],
    ),
    (
        [
            "data=image_folder",
            "data.root=.",
            "data.labels=no.csv",
            "loss=bce",
            MULTILABEL,
            "monitor=val/f1_macro",
        ],
        ["no.csv", "data.labels="],
    ),
    (["init=uniform", "init.low=0.1"], ["init.low=0.1", "init.high=0.05", "init.low=-0.05"]),
    (["init=from_run"], ["init=from_run", "init.run="]),
    (["init=from_run", "init.run=no/such"], ["init.run=no/such", "best.pt"]),
    (["split.fraction=0"], ["split.fraction=0", "stop=never"]),
    (["split.fraction=0", "monitor=train/loss", "mode=min"], ["stop=patience", "stop=never"]),
    (["monitor=val/f2"], ["val/f2", "val/f1"]),
    (["data.examples=5"], ["data.examples=5", "10"]),
    (["split=kfold", "split.folds=2000"], ["split.folds=2000", "1437"]),
    (["data.standardize=zca", "data.size=96"], ["data.size=96", "data.size=64"]),
    (["data=moons", "model=mlp", "data.test_examples=null"], ["data.test_examples=1000"]),
    (["split=nested", "split.outer=3", "split.fold=3"], ["split.fold=3", "split.fold=2"]),
    (["split=group_kfold"], ["split=group_kfold", "data.group=<column>"]),
    (["data=diabetes", "split=stratified_kfold"], ["stratified_kfold", "split=kfold"]),
    (["split=nested", "data.test_examples=50"], ["split=nested", "data.test_examples=null"]),
]


@pytest.mark.parametrize(("overrides", "named"), WRONG, ids=lambda part: " ".join(part))
def test_a_wrong_combination_gets_one_message_with_its_key_and_what_to_type(overrides, named):
    with pytest.raises(UserError) as caught:
        check(composed(*overrides))
    message = str(caught.value)
    assert "\nType " in message
    for part in named:
        assert part in message


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_rule_is_broken_by_a_command_of_this_list(rule):
    assert any(list(rule(composed(*overrides))) for overrides, _ in WRONG)


def test_the_checks_and_the_models_agree_on_which_images_are_small():
    assert facts.SMALL_IMAGE == image.SMALL
