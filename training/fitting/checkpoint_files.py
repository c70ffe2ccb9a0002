"""Writing of checkpoints."""

import time
from pathlib import Path
from typing import Any

from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from training.fitting.stopping import CHECK_EVERY, on_any_rank
from training.weights import torch_files

SAVE_EVERY = 600.0  # s of training between two checkpoints: what a crash or a power cut may cost


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes checkpoints atomically.

    Lightning writes them to the system's temporary folder and moves them, which on another file system is a copy.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Save a checkpoint; missing folders are created. Raises OSError for a full disk."""
        torch_files.write(checkpoint, Path(path))


class SaveWithinEpoch(Checkpoint):
    """Saves the last weights within an epoch: every ten minutes, and after validations within it."""

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.saved = time.monotonic()

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self.saved = time.monotonic()

    def on_train_batch_end(self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, i: int) -> None:
        # Only where `StopOnNan` has just found the loss finite. After the last batch the epoch's end saves.
        if i % CHECK_EVERY or trainer.is_last_batch:
            return
        if on_any_rank(trainer, time.monotonic() - self.saved > SAVE_EVERY):
            self._save(trainer)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        if not trainer.is_last_batch:
            self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]
            trainer.save_checkpoint(self.checkpoint)
        self.saved = time.monotonic()
