"""Early ends of a training: on a signal, with a resumable checkpoint, or when the loss is no longer finite."""

import math
import signal
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from fashion.errors import SettingError

SIGNALS = (signal.SIGINT, signal.SIGTERM)
CHECK_EVERY = 10  # steps between checks that all ranks take part in: each check is a collective operation


class TrainingStopped(Exception):
    """A signal ended the training; `checkpoint` was saved, or is None if training had not started or is a trial."""

    def __init__(self, number: int, checkpoint: Path | None) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number, self.checkpoint = number, checkpoint


class StopOnSignal(Checkpoint):
    """On ctrl-C or SIGTERM: finish the step, save `last.ckpt`, raise `TrainingStopped` on every rank.

    A step is never interrupted, and after the last step of an epoch its validation is run first. A second ctrl-C ends
    the process at once. Use it as a context manager around the training; on exit it restores the former handlers.

    Lightning keeps `Checkpoint` callbacks in order after all others: listed last, this one stops an epoch only when
    the best weights are saved and early stopping has counted it.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.received: int | None = None
        self.training = False
        self.phase = "step"
        self._former: dict[int, Any] = {}

    def __enter__(self) -> "StopOnSignal":
        for number in SIGNALS:
            self._former[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if not self.training:
            raise TrainingStopped(number, None)
        if self.received is None:
            self.received = number
            print(f"\nstopping after this {self.phase}; repeat to stop at once without saving", flush=True)
            for each in SIGNALS:
                signal.signal(each, signal.SIG_DFL)

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self.training = True
        # Replaces Lightning's handler, which ends the process with status 0 and sometimes without a checkpoint.
        signal.signal(signal.SIGTERM, self._receive)

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, i: int) -> None:
        if not trainer.is_last_batch and _is_check_step(trainer, i):
            self._stop_if_asked(trainer)

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        self.phase = "validation"

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        self.phase = "step"

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        self._stop_if_asked(trainer)

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        self.training = False

    def _stop_if_asked(self, trainer: Trainer) -> None:
        if on_any_rank(trainer, self.received is not None):
            saved = None if trainer.fast_dev_run else self.checkpoint  # type: ignore[attr-defined]
            if saved is not None:
                trainer.save_checkpoint(saved)
            raise TrainingStopped(self.received or signal.SIGINT, saved)


class StopOnNan(Callback):
    """Ends the training when the loss is not finite, before a checkpoint is overwritten.

    Raises:
        SettingError: the step, and what to change.
    """

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, i: int) -> None:
        # Not at every step: reading the loss synchronizes the GPU, and a loss that is not finite stays so.
        if i % CHECK_EVERY == 0:
            self._check(trainer, outputs["loss"].item(), "training")

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        if "val/loss" in trainer.callback_metrics:
            self._check(trainer, trainer.callback_metrics["val/loss"].item(), "validation")

    def _check(self, trainer: Trainer, loss: float, which: str) -> None:
        if on_any_rank(trainer, not math.isfinite(loss)):
            raise SettingError(
                f"the training diverged: the {which} loss is not finite in epoch {trainer.current_epoch + 1}, at step "
                f"{trainer.global_step}; lower --model.lr (--find_lr suggests one) or set --trainer.precision 32-true"
            )


def _is_check_step(trainer: Trainer, i: int) -> bool:
    return trainer.world_size == 1 or i % CHECK_EVERY == 0


def on_any_rank(trainer: Trainer, here: bool) -> bool:
    """Whether a condition holds on any rank; all ranks must call it."""
    return bool(trainer.strategy.reduce_boolean_decision(here, all=False))
