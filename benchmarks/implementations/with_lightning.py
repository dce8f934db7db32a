"""Lightning without its optional features, with the tutorials' DataLoader."""

import logging
import warnings
from time import perf_counter

from torch import Tensor
from torch.nn import functional as F

from benchmarks.implementations import absent
from benchmarks.implementations.task import Task
from benchmarks.implementations.tutorial import loader
from benchmarks.options import Options
from benchmarks.workloads import Workload

try:
    import lightning  # pyright: ignore[reportMissingImports]
except ImportError as error:
    raise absent("Lightning") from error


class Module(lightning.LightningModule):
    """A network with its loss and its optimizer; times its epochs by two hooks."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.net = task.net
        self.make_optimizer = task.optimizer

    def training_step(self, batch: tuple[Tensor, Tensor], number: int) -> Tensor:
        """Return the loss of a batch."""
        inputs, labels = batch
        return F.cross_entropy(self.net(inputs), labels)

    def configure_optimizers(self):
        """Return the workload's optimizer."""
        return self.make_optimizer()

    def on_train_epoch_start(self) -> None:
        self.started = perf_counter()

    def on_train_epoch_end(self) -> None:
        self.seconds = perf_counter() - self.started


class Implementation(Task):
    """Trains one epoch per call; the time before and after the epoch is not counted."""

    def __init__(self, workload: Workload, options: Options, overrides: tuple[str, ...]) -> None:
        super().__init__(workload, options)
        for name in ("lightning.pytorch", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
        self.module = Module(self)
        self.loader = loader(self)

    def epoch(self, number: int) -> float:
        """Train once over all images; return the seconds between the epoch's two hooks."""
        trainer = lightning.Trainer(
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            accelerator="gpu" if self.device.type == "cuda" else "cpu",
            devices=1,
        )
        trainer.fit(self.module, self.loader)
        return self.module.seconds
