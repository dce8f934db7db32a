"""Our own loop, through the config and the functions of a run."""

from benchmarks.options import Options
from benchmarks.workloads import WITHOUT_VALIDATION, Workload, compose_workload, load_images
from dlcourse.timing.training import TimedTraining


class Implementation(TimedTraining):
    """An epoch of ``train.py`` with the workload's words."""

    def __init__(self, workload: Workload, options: Options, words: tuple[str, ...]) -> None:
        cfg = compose_workload(workload, options, *WITHOUT_VALIDATION, *words)
        super().__init__(cfg, load_images(workload, options))
