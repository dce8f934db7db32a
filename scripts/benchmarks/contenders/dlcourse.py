"""Our own loop, through the config and the functions of a run."""

from benchmarks.options import Options
from benchmarks.ours import Ours
from benchmarks.work import WITHOUT_VALIDATION, Work, compose_work, load_images


class Contender(Ours):
    """An epoch of ``train.py`` with the work's words."""

    def __init__(self, work: Work, options: Options, words: tuple[str, ...]) -> None:
        cfg = compose_work(work, options, *WITHOUT_VALIDATION, *words)
        super().__init__(cfg, load_images(work, options))
