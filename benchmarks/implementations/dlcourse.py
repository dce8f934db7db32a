"""dlcourse's loop, made from a config by the functions of a run."""

from benchmarks.options import Options
from benchmarks.workloads import WITHOUT_VALIDATION, Workload, compose_workload, load_images
from dlcourse.timing.training import TimedTraining


class Implementation(TimedTraining):
    """Trains epochs of ``train.py`` with the workload's overrides."""

    def __init__(self, workload: Workload, options: Options, overrides: tuple[str, ...]) -> None:
        config = compose_workload(workload, options, *WITHOUT_VALIDATION, *overrides)
        super().__init__(config, load_images(workload, options))
