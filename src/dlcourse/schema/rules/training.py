"""Rules about optimizers, schedules and the runtime."""

from collections.abc import Iterator

from dlcourse.schema.facts import fact, name_of, target

IDLE = {
    "clip": "dlcourse.clip.none.none",
    "schedule": "dlcourse.schedule.constant.constant",
    "average": "dlcourse.average.none.NoAverage",
}


def some_methods_take_everything(config: dict) -> Iterator[str]:
    """Some methods are defined for the whole training part only, not for mini-batches."""
    batch_size = config["batch_size"]
    for group in ("optim", "model"):
        if fact(config[group], "full_batch") and batch_size != "full":
            yield (
                f"{group}={name_of(target(config, group))} takes the whole training part in "
                f"one step, got batch_size={batch_size}.\n"
                f"Type batch_size=full, or choose another {group}"
            )


def full_batches_are_not_sampled(config: dict) -> Iterator[str]:
    """A step on the whole training part takes every example once."""
    sampler = config["sampler"]
    if target(config, "sampler") == "dlcourse.sampler.shuffle.shuffle":
        return
    for group in ("optim", "model"):
        if fact(config[group], "full_batch"):
            yield (
                f"{group}={name_of(target(config, group))} takes every example once in a step, and "
                f"sampler={name_of(sampler['_target_'])} repeats some.\n"
                f"Type sampler=shuffle loss.class_weight=balanced, or another {group}"
            )


def nesterov_needs_momentum(config: dict) -> Iterator[str]:
    """Nesterov's method looks ahead along the momentum."""
    optim = config["optim"]
    if optim.get("nesterov") and not optim.get("momentum"):
        yield (
            "optim=nesterov needs a momentum above 0, got "
            f"optim.momentum={optim.get('momentum')}.\n"
            "Type optim.momentum=0.9, or optim=sgd for no momentum"
        )
    if optim.get("nesterov") and optim.get("dampening"):
        yield "optim=nesterov allows no dampening.\nType optim.dampening=0"


def closed_form_solves_what_is_linear(config: dict) -> Iterator[str]:
    """Least squares has a closed form for squared errors and models linear in their weights."""
    if target(config, "optim") != "dlcourse.optim.closed_form.ClosedForm":
        return
    model = target(config, "model")
    linear = fact(config["model"], "linear_in_weights")
    if not linear and (linear is False or model.startswith("dlcourse.")):
        yield (
            f"optim=closed_form solves models that are linear in their weights, and "
            f"{model.split('.')[-1]} is not.\nType model=linear, model=polynomial or model=kernel"
        )
    if target(config, "loss") != "dlcourse.loss.mse.mse":
        yield "optim=closed_form minimises squared errors.\nType loss=mse"
    if config["loss"].get("class_weight") is not None:
        yield (
            "optim=closed_form minimises squared errors without weights of classes.\n"
            "Type loss.class_weight=null, or another optim"
        )
    if config["augment"] or config["regularizer"]:
        yield (
            "optim=closed_form supports no regularizer and no augment.\n"
            "Type 'regularizer=[]' 'augment=[]'; optim.ridge=0.1 penalises large weights"
        )
    for group, idle in IDLE.items():
        if target(config, group) != idle:
            yield (
                f"optim=closed_form needs one step only, and {group} would have no effect.\n"
                f"Type {group}={idle.split('.')[2]}"
            )


def lbfgs_sees_one_smooth_function(config: dict) -> Iterator[str]:
    """L-BFGS estimates the curvature from its steps, so nothing else may change the weights."""
    if target(config, "optim") != "dlcourse.optim.lbfgs.LBFGS":
        return
    if target(config, "clip") != IDLE["clip"]:
        yield "optim=lbfgs chooses its steps' length itself and does not clip.\nType clip=none"
    if target(config, "average") == "dlcourse.average.lookahead.Lookahead":
        yield (
            "average=lookahead changes the weights between the steps of optim=lbfgs, "
            "whose estimate of the curvature is then wrong.\n"
            "Type average=none, or another optim"
        )
    if "max_norm" in config["regularizer"]:
        yield (
            "regularizer=max_norm changes the weights between the steps of optim=lbfgs, "
            "whose estimate of the curvature is then wrong.\n"
            "Type 'regularizer=[l2]', or another optim"
        )


def one_average_is_evaluated(config: dict) -> Iterator[str]:
    """An optimizer that evaluates a mean of its weights excludes another average."""
    if fact(config["optim"], "own_average") and target(config, "average") != IDLE["average"]:
        yield (
            f"optim={name_of(target(config, 'optim'))} evaluates a mean of its weights itself.\n"
            "Type average=none, or another optim"
        )
    if fact(config["optim"], "own_average") and fact(config["model"], "own_step"):
        yield (
            f"model={name_of(target(config, 'model'))} adds units during training, so its weights "
            "cannot be averaged.\nType optim=adam"
        )


def a_rate_that_has_no_effect(config: dict) -> Iterator[str]:
    """Some optimizers replace the schedule, or find the length of their steps themselves."""
    optim = target(config, "optim")
    if target(config, "schedule") == IDLE["schedule"]:
        return
    if optim == "dlcourse.optim.schedule_free.schedule_free":
        yield (
            "optim=schedule_free averages the weights instead of lowering the rate.\n"
            "Type schedule=constant, perhaps with schedule.warmup=2; or optim=adamw"
        )
    if optim == "torch.optim.Rprop":
        yield (
            "optim=rprop finds the length of its steps itself, and schedule would have no effect.\n"
            "Type schedule=constant"
        )


def bounds_of_a_step_are_in_order(config: dict) -> Iterator[str]:
    """Rprop shortens steps by a factor below 1 and lengthens them by one above 1."""
    optim = config["optim"]
    if target(config, "optim") != "torch.optim.Rprop":
        return
    shorter, longer = optim["etas"]
    if not shorter < 1 < longer:
        yield (
            f"optim.etas=[{shorter},{longer}] needs a factor below 1 and one above 1.\n"
            "Type optim.etas=[0.5,1.2]"
        )
    low, high = optim["step_sizes"]
    if low > high:
        yield (
            f"optim.step_sizes=[{low},{high}] has the largest size first.\n"
            f"Type optim.step_sizes=[{high},{low}]"
        )


def the_mean_has_a_share(config: dict) -> Iterator[str]:
    """Schedule-free training computes gradients between the mean and the fast weights."""
    optim = config["optim"]
    schedule_free = target(config, "optim") == "dlcourse.optim.schedule_free.schedule_free"
    if schedule_free and optim["betas"][0] == 0:
        yield (
            f"optim=schedule_free needs a first beta above 0, got optim.betas={optim['betas']}.\n"
            "Type optim.betas=[0.9,0.999]"
        )


def rates_by_depth_need_a_rate(config: dict) -> Iterator[str]:
    """Noise and rates by depth need steps that follow the gradient and the rate."""
    optim = config["optim"]
    name = name_of(target(config, "optim"))
    if optim["layer_decay"] != 1 and fact(optim, "own_length"):
        yield (
            f"optim={name} finds the length of its steps itself, and optim.layer_decay="
            f"{optim['layer_decay']} changes rates.\nType optim.layer_decay=1, or optim=adam"
        )
    if not optim["noise"]:
        return
    for group in ("optim", "model"):
        if fact(config[group], "own_step") and not fact(config[group], "in_pieces"):
            yield (
                f"optim.noise={optim['noise']} is added to the gradient of a step, and {group}="
                f"{name_of(target(config, group))} has a training step of its own.\n"
                f"Type optim.noise=0, or another {group}"
            )


def averaging_starts_within_the_run(config: dict) -> Iterator[str]:
    """The weights of at least one epoch are averaged."""
    start = config["average"].get("start")
    if target(config, "average") == "dlcourse.average.swa.SWA" and start > config["max_epochs"]:
        yield (
            f"average.start={start} is after the end of max_epochs={config['max_epochs']}.\n"
            "Type average.start=0.75 for the last quarter of the epochs"
        )


def models_with_a_step_of_their_own_keep_it(config: dict) -> Iterator[str]:
    """A model with its own training step excludes an optimizer with one, averaging and freezing."""
    if not fact(config["model"], "own_step"):
        return
    name = name_of(target(config, "model"))
    if fact(config["optim"], "own_step"):
        yield (
            f"model={name} has a training step of its own, and so has this "
            "optimizer.\nType optim=adam"
        )
    if target(config, "average") != IDLE["average"]:
        yield (
            f"model={name} adds units during training, so its weights cannot be averaged.\n"
            "Type average=none"
        )
    if config["optim"]["freeze"]:
        yield (f"model={name} freezes its units itself.\nType optim.freeze=[]")


def pieces_have_two_examples(config: dict) -> Iterator[str]:
    """A batch is computed in pieces of two examples or more, by a step that can be divided."""
    pieces, batch_size = config["accumulate"], config["batch_size"]
    if pieces == 1:
        return
    if batch_size != "full" and pieces > batch_size // 2:
        yield (
            f"accumulate={pieces} leaves fewer than two examples of batch_size={batch_size} for a "
            f"piece.\nType accumulate={max(1, batch_size // 2)} or less, or a larger batch_size"
        )
    for group in ("optim", "model"):
        if fact(config[group], "own_step") and not fact(config[group], "in_pieces"):
            yield (
                f"accumulate={pieces} computes a batch in pieces, and {group}="
                f"{name_of(target(config, group))} needs it as a whole.\nType accumulate=1"
            )


def together_needs_one_device(config: dict) -> Iterator[str]:
    """Models that are trained together are on one device."""
    devices = config["runtime"].get("devices", 1)
    if config["engine"] == "together" and devices != 1:
        yield (
            f"engine=together trains several models on one device, got runtime.devices={devices}.\n"
            "Type runtime.devices=1, or engine=separate"
        )


def frozen_parts_learn_in_some_epochs(config: dict) -> Iterator[str]:
    """A part frozen to the end never learns; and some methods have no learning rate."""
    optim, epochs = config["optim"], config["max_epochs"]
    for text in optim["freeze_until"]:
        pattern, _, epoch = text.rpartition(":")
        if float(epoch) >= epochs:
            yield (
                f"optim.freeze_until=[{text}] leaves nothing of max_epochs={epochs} to learn in.\n"
                f"Type 'optim.freeze=[{pattern}]', or an epoch below {epochs}"
            )
    wanted = [key for key in ("freeze_after", "freeze_until") if optim[key]]
    for group in ("optim", "model") if wanted else ():
        name = target(config, group)
        if fact(config[group], "own_length"):
            yield (
                f"{group}={name_of(name)} has no learning rate that could be 0 in some "
                f"epochs.\nType optim.{wanted[0]}=[], or another {group}"
            )


def warmup_fits_the_epochs(config: dict) -> Iterator[str]:
    """The schedule after the warm-up needs some epochs as well."""
    epochs, length = config["max_epochs"], config["schedule"].get("warmup", 0)
    if length >= epochs:
        yield (
            f"schedule.warmup={length} epochs leave nothing of max_epochs={epochs}.\n"
            f"Type a schedule.warmup below {epochs}"
        )


def three_phases_need_room(config: dict) -> Iterator[str]:
    """The phases up and down are equally long and together shorter than the run."""
    schedule = config["schedule"]
    if schedule.get("three_phase") and schedule["pct_start"] >= 0.5:
        yield (
            f"schedule.three_phase=true leaves no third phase at schedule.pct_start="
            f"{schedule['pct_start']}.\nType schedule.pct_start=0.3, or schedule.three_phase=false"
        )


def precisions_need_their_device(config: dict) -> Iterator[str]:
    """fp16 is slow on the CPU, where bf16 replaces it; Apple's GPUs do not support float64.

    TF32 is a format of NVIDIA's GPUs.
    """
    runtime = config["runtime"]
    precision, device = runtime.get("precision"), runtime.get("device")
    if precision == "fp64" and device == "mps":
        yield "runtime.precision=fp64 is not supported by Apple's GPUs.\nType runtime=cpu"
    if precision == "tf32" and device in ("cpu", "mps"):
        yield (
            "runtime.precision=tf32 needs an NVIDIA GPU.\n"
            "Type runtime.precision=fp32, or runtime.precision=bf16"
        )
    if precision != "fp16":
        return
    if device in ("cpu", "mps"):
        yield "runtime.precision=fp16 needs CUDA.\nType runtime.precision=bf16"
    if fact(config["optim"], "own_step") or fact(config["model"], "own_step"):
        yield (
            "runtime.precision=fp16 scales the loss of a single backward pass, and this training "
            "step has several or none.\nType runtime.precision=bf16"
        )


def several_devices_share_each_batch(config: dict) -> Iterator[str]:
    """Several devices divide each batch, which the step and the device must allow."""
    runtime, batch_size = config["runtime"], config["batch_size"]
    devices = runtime.get("devices", 1)
    if devices == 1:
        return
    if batch_size != "full" and batch_size < devices:
        yield (
            f"runtime.devices={devices} divides each batch, and batch_size={batch_size} leaves "
            f"some devices without an example.\nType runtime.devices={batch_size}, or a larger "
            "batch_size"
        )
    for group in ("optim", "model"):
        if fact(config[group], "own_step") and not fact(config[group], "in_pieces"):
            yield (
                f"runtime.devices={devices} divides each batch, and {group}="
                f"{name_of(target(config, group))} needs it as a whole.\nType runtime.devices=1"
            )
    if target(config, "data") == "dlcourse.data.in_memory.in_memory":
        yield (
            f"runtime.devices={devices} starts a process for each device, and data=in_memory is in "
            "the memory of this one.\nType runtime.devices=1"
        )
    device = str(runtime.get("device"))
    if device == "mps" or device.startswith("cuda:"):
        yield (
            f"runtime.devices={devices} uses the first GPUs of NVIDIA or the CPU, and "
            f"runtime.device={device} names one device.\nType runtime.device=cuda, and choose GPUs "
            "with the variable CUDA_VISIBLE_DEVICES; or runtime.devices=1"
        )
    if config.get("engine") == "together":
        yield (
            f"engine=together trains several runs on one device, and runtime.devices={devices} one "
            "run on several.\nType engine=separate, or runtime.devices=1"
        )
    if runtime.get("compile") is True:
        yield (
            "runtime.compile=true is not supported on several devices.\n"
            "Type runtime.compile=false, or runtime.devices=1"
        )


def what_is_skipped_or_slowed_down(config: dict) -> Iterator[str]:
    """Steps are left out before an update of gradients, and a smaller rate needs a rate."""
    policy = name_of(target(config, "nonfinite"))
    for group in ("optim", "model"):
        name = name_of(target(config, group))
        if (
            policy == "skip"
            and fact(config[group], "own_step")
            and not fact(config[group], "in_pieces")
        ):
            yield (
                f"nonfinite=skip leaves out the update of a gradient, and {group}={name} has a "
                f"training step of its own.\nType nonfinite=stop, or another {group}"
            )
        if policy == "rollback" and fact(config[group], "own_length"):
            yield (
                f"nonfinite=rollback continues with a smaller learning rate, and {group}={name} "
                f"has none.\nType nonfinite=stop, or another {group}"
            )
    if policy == "skip" and config["runtime"].get("precision") == "fp16":
        yield (
            "runtime.precision=fp16 skips the steps whose gradients overflow itself.\n"
            "Type nonfinite=stop, or runtime.precision=bf16"
        )
    if policy != "stop" and config["runtime"].get("anomaly"):
        yield (
            f"debug=anomaly ends at the first number that is not finite, and nonfinite={policy} "
            "continues.\nType nonfinite=stop"
        )


RULES = (
    some_methods_take_everything,
    full_batches_are_not_sampled,
    nesterov_needs_momentum,
    closed_form_solves_what_is_linear,
    lbfgs_sees_one_smooth_function,
    one_average_is_evaluated,
    a_rate_that_has_no_effect,
    bounds_of_a_step_are_in_order,
    the_mean_has_a_share,
    rates_by_depth_need_a_rate,
    averaging_starts_within_the_run,
    models_with_a_step_of_their_own_keep_it,
    pieces_have_two_examples,
    together_needs_one_device,
    frozen_parts_learn_in_some_epochs,
    warmup_fits_the_epochs,
    three_phases_need_room,
    precisions_need_their_device,
    several_devices_share_each_batch,
    what_is_skipped_or_slowed_down,
)
