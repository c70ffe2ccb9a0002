"""Exponential moving average (EMA) of the weights; the average is what is validated and saved."""

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import EMAWeightAveraging


class Average(EMAWeightAveraging):
    """Lightning's EMA callback for a network that is built only once the data are open."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        pl_module.setup(stage)  # Lightning calls it only after this; setup keeps an existing network
        super().setup(trainer, pl_module, stage)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Move the average to the network's device: it was created before the network was moved."""
        if self._average_model is not None:
            self._average_model.to(pl_module.device)
