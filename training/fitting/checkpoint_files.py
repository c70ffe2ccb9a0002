"""Writing of checkpoints."""

from pathlib import Path
from typing import Any

from lightning_fabric.plugins import TorchCheckpointIO

from training.weights import torch_files


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes checkpoints atomically.

    Lightning writes them to the system's temporary folder and moves them, which on another file system is a copy.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Save a checkpoint; missing folders are created. Raises OSError for a full disk."""
        torch_files.write(checkpoint, Path(path))
