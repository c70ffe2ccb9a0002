"""A moving average of the weights, which is what is validated and saved."""

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import EMAWeightAveraging


class Average(EMAWeightAveraging):
    """Lightning's moving average, of a network that is built when the data are open."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        pl_module.setup(stage)  # which Lightning calls only after this; what is built already stays
        super().setup(trainer, pl_module, stage)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Follow the network to its device, where it was not yet when the average was made."""
        if self._average_model is not None:
            self._average_model.to(pl_module.device)
