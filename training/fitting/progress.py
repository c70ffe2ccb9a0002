"""Progress of a training: a bar within each epoch, a line per epoch on stdout, and a row per epoch in metrics.csv."""

import csv
import sys
import time
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from tqdm import tqdm

from fashion.files import write_csv

METRICS_FILE = "metrics.csv"
LOG_SECONDS = 15.0  # between updates of a bar that is written to a file instead of a terminal


class Bars(Callback):
    """Progress bars for the training and validation of each epoch, counting images of all ranks."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch: Any, i: int) -> None:
        # Not in on_train_epoch_start: it is not called for a resumed epoch, and a validation in mid-epoch ends the bar.
        if self.bar is None:
            title = f"epoch {trainer.current_epoch + 1}/{_last_epoch(trainer)}"
            self._open(trainer, title, trainer.num_training_batches, done=i)

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, i: int) -> None:
        if self._advance(trainer, batch):
            assert self.bar is not None
            self.bar.set_postfix_str(f"loss {outputs['loss'].item():.4f}", refresh=False)

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        self._open(trainer, "  validation", sum(trainer.num_val_batches))

    def on_validation_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        self._advance(trainer, args[2])

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        self._close()

    def on_exception(self, trainer: Trainer, module: LightningModule, exception: BaseException) -> None:
        self._close()

    def teardown(self, trainer: Trainer, module: LightningModule, stage: str) -> None:
        self._close()

    def _open(self, trainer: Trainer, title: str, batches: float, done: int = 0) -> None:
        self._close()
        if not trainer.is_global_zero:
            return
        size = trainer.datamodule.batch_size * trainer.world_size  # type: ignore[attr-defined]
        self.bar = tqdm(
            desc=title,
            total=batches * size,
            initial=done * size,
            unit="img",
            leave=False,
            dynamic_ncols=True,
            mininterval=0.2 if sys.stderr.isatty() else LOG_SECONDS,
        )

    def _advance(self, trainer: Trainer, batch: Any) -> bool:
        return bool(self.bar is not None and self.bar.update(len(batch["targets"]) * trainer.world_size))

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None


class History(Callback):
    """Writes a row to `metrics.csv` and a line to stdout for each epoch. A resumed run continues its table."""

    def __init__(self, run: Path) -> None:
        self.file = run / METRICS_FILE
        self.began = 0.0
        self.epochs = 0  # of this process
        self.trained = self.validated = False

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self.began = time.monotonic()  # on_train_epoch_start is not called for a resumed epoch

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        self.began, self.trained, self.validated = time.monotonic(), False, False

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, i: int) -> None:
        self.trained = True

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        self.validated = True

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        # On every rank: reading the mean training loss reduces it over all of them.
        values = {
            name: value.item()
            for name, value in trainer.callback_metrics.items()
            if name == "train/loss" or (name.startswith("val/") and self.validated)
        }
        # Resuming from a checkpoint saved after an epoch's last step ends that epoch again without training.
        if not trainer.is_global_zero or not self.trained:
            return
        row = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            "seconds": round(time.monotonic() - self.began, 1),
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            **dict(sorted(values.items())),
        }
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]
            self._write(row)
        self.epochs += 1
        print(_line(row, _last_epoch(trainer)), flush=True)

    def _write(self, row: dict[str, Any]) -> None:
        rows: list[dict[str, Any]] = []
        if self.file.exists():
            with self.file.open(newline="", encoding="utf-8") as file:
                rows = [old for old in csv.DictReader(file) if int(old["epoch"]) < row["epoch"]]
        rows.append(row)
        columns = list(dict.fromkeys(name for each in rows for name in each))
        write_csv(self.file, columns, ([each.get(name) for name in columns] for each in rows))


def _line(row: dict[str, Any], epochs: str) -> str:
    parts = [f"epoch {row['epoch']}/{epochs}"]
    if "train/loss" in row:
        parts.append(f"loss {row['train/loss']:.4f}")
    if "val/loss" in row:
        best = f"{row['val/best_micro_f1']:.3f} at {row['val/best_threshold']:.2f}"
        parts += [
            f"val loss {row['val/loss']:.4f}",
            f"micro-F1 {row['val/micro_f1']:.3f} at 0.5, {best}",
            f"macro-F1 {row['val/macro_f1']:.3f}",
            f"mAP {row['val/map']:.3f}",
        ]
    return "  ".join([*parts, f"{row['seconds']:.0f} s"])


def _last_epoch(trainer: Trainer) -> str:
    return "?" if trainer.max_epochs in (None, -1) else str(trainer.max_epochs)
