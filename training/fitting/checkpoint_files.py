"""Writing of checkpoints."""

from pathlib import Path
from typing import Any

from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from training.weights import torch_files


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes checkpoints atomically.

    Lightning writes them to the system's temporary folder and moves them, which on another file system is a copy.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Save a checkpoint; missing folders are created. Raises OSError for a full disk."""
        torch_files.write(checkpoint, Path(path))


class SaveWithinEpoch(Checkpoint):
    """Saves the last weights also after validations within an epoch, see `--trainer.val_check_interval`."""

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        if not trainer.is_last_batch:
            trainer.save_checkpoint(self.checkpoint)
