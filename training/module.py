"""The network in training: loss, metrics, optimizer and schedule."""

from dataclasses import asdict
from typing import Any, Literal

import torch
from pytorch_lightning import LightningModule
from torch import Tensor

from fashion.errors import BundleError, SettingError
from fashion.network import ARCHITECTURES, FashionNet, Normalize, Output, build
from fashion.preprocess import InputSpec
from fashion.taxonomy import Taxonomy
from training import backbone
from training.batch_norms import unfold
from training.growing import Growth, shrink
from training.images import Photographs, Sample
from training.initialization import Initialization
from training.losses import BINARY_CROSS_ENTROPY, Loss
from training.metrics import MeanOfAnnotated, MultilabelScores
from training.mixing import mix
from training.optimization import make_optimizer, make_schedule

MONITOR = "val/best_micro_f1"
AT_FULL_SIZE = Growth()
AS_TORCHVISION_DOES = Initialization()


class FashionModule(LightningModule):
    """ResNet with a head of A labels, trained by the mean binary cross-entropy of all annotated (image, label) pairs.

    The labels and the input come from the data when training begins, or from the checkpoint: its hyperparameters hold
    both, so `FashionModule.load_from_checkpoint(path)` needs nothing else.

    Args:
        arch: `resnet50`, or `resnet18` for quick tries.
        weights: the first weights: `imagenet`, `none`, or a file (see `training.backbone.load`).
        optimizer: `adam`, `adamw` (decays the weights of convolutions and head only), `muon` (see `training.muon`) or
            `sgd` (momentum 0.9).
        lr: learning rate; the highest one where a schedule varies it.
        weight_decay: strength of the decay toward zero.
        schedule: `none`, `onecycle`, or `cosine`: linear warm-up, then half a cosine down to 0.
        warmup_fraction: part of the training during which a schedule rises.
        head_first: part of the training in which the head's weights alone are changed; for pretrained weights. Batch
            norms go on to follow the statistics of the images.
        loss: see `training.losses.Loss`.
        growth: see `training.growing.Growth`.
        mixup: see `training.mixing`; its alpha, 0 mixes nothing.
        init: see `training.initialization.Initialization`.
        channels_last: memory format in which convolutions are faster on most machines.
        compile: let torch.compile speed up the network, after a few minutes of compiling.

    Raises:
        SettingError: a value out of its range.
    """

    network: FashionNet

    def __init__(
        self,
        arch: str = "resnet50",
        weights: str = backbone.IMAGENET,
        optimizer: Literal["adam", "adamw", "muon", "sgd"] = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        schedule: Literal["none", "onecycle", "cosine"] = "none",
        warmup_fraction: float = 0.25,
        head_first: float = 0.0,
        loss: Loss = BINARY_CROSS_ENTROPY,
        growth: Growth = AT_FULL_SIZE,
        mixup: float = 0.0,
        init: Initialization = AS_TORCHVISION_DOES,
        channels_last: bool = True,
        compile: bool = False,
    ) -> None:
        super().__init__()
        if arch not in ARCHITECTURES:
            raise SettingError(f"--model.arch is {arch!r}; choose one of: {', '.join(ARCHITECTURES)}")
        if lr <= 0:
            raise SettingError(f"--model.lr is {lr}; it must be above 0")
        if weight_decay < 0:
            raise SettingError(f"--model.weight_decay is {weight_decay}; it must not be below 0")
        if not 0 < warmup_fraction < 1:
            raise SettingError(f"--model.warmup_fraction is {warmup_fraction}; it must lie between 0 and 1")
        if not 0 <= head_first < 1:
            raise SettingError(f"--model.head_first is {head_first}; it must be at least 0 and below 1")
        if mixup < 0:
            raise SettingError(f"--model.mixup is {mixup}; it must not be below 0")
        self.loss, self.growth, self.init = loss, growth, init
        self.save_hyperparameters(ignore=["loss", "growth", "init"])
        self.built = False
        self.planned_steps: float | None = None  # of the whole training, since it began

    @property
    def taxonomy(self) -> Taxonomy:
        """The labels, in the order of the logits."""
        return Taxonomy.from_json(self.hparams["labels"])

    @property
    def spec(self) -> InputSpec:
        """What the network is fed with."""
        return _spec(self.hparams["input"])

    def build(self, taxonomy: Taxonomy, spec: InputSpec) -> None:
        """Make the network, with random weights, for these labels and this input."""
        self.hparams["labels"] = taxonomy.to_json()
        self.hparams["input"] = asdict(spec) | {"mean": list(spec.mean), "std": list(spec.std)}
        self.network = build(self.hparams["arch"], len(taxonomy))
        if self.hparams["channels_last"]:
            self.network.to(memory_format=torch.channels_last)
        self.normalize = Normalize(spec)
        self.train_loss, self.val_loss = MeanOfAnnotated(), MeanOfAnnotated()
        self.scores = MultilabelScores(len(taxonomy))
        self.built = True

    def setup(self, stage: str) -> None:
        """Build the network for the data, or see to it that the one there is fits the data."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if self.built:
            _check_labels(self.taxonomy, data.taxonomy)
        else:
            self.build(data.taxonomy, data.spec)
            if not self.trainer.ckpt_path:
                self.init.apply(self.network, self.normalize, lambda: _photographs(data))
                if backbone.load(self.network, self.hparams["arch"], self.hparams["weights"]):
                    unfold(self.network, self.normalize, _photographs(data))
        if stage == "fit" and self.hparams["compile"]:
            self.network.compile()

    def on_train_start(self) -> None:
        """Raises SettingError where what was planned over the training, and is resumed, has another length than it."""
        steps = self.trainer.estimated_stepping_batches
        if self.planned_steps not in (None, steps) and (self.growth.start < 1 or self.hparams["head_first"]):
            raise SettingError(
                f"this run was planned for {self.planned_steps} steps, the settings make it {steps}: its images would "
                "shrink or its head train alone again; resume with the run's own settings, or begin a new run from its "
                "weights with --model.weights CHECKPOINT"
            )
        self.planned_steps = steps
        for config in self.trainer.lr_scheduler_configs:
            planned = getattr(config.scheduler, "total_steps", None)
            if planned is not None and planned != self.trainer.estimated_stepping_batches:
                raise SettingError(
                    f"the one-cycle schedule of this run was planned for {planned} steps, the settings make it "
                    f"{self.trainer.estimated_stepping_batches}; resume with the run's own settings, or begin a new "
                    "run from its weights with --model.weights CHECKPOINT"
                )

    @property
    def progress(self) -> float:
        """The part of the training that is done, 0 to 1; 0 in one without end."""
        return min(1.0, self.trainer.global_step / self.trainer.estimated_stepping_batches)

    def forward(self, pixels: Tensor) -> Output:
        """pixels: uint8 (B, S, S, 3)."""
        return self.network(self.normalize(pixels))

    def training_step(self, batch: Sample, batch_idx: int) -> Tensor:
        targets = batch["targets"]
        pixels = shrink(batch["pixels"], self.growth.size(self.progress, self.spec.size))
        if self.hparams["mixup"]:
            pixels, other, share = mix(pixels, self.hparams["mixup"])
            logits = self(pixels).logits
            (loss, pairs), (second, _) = self.loss(logits, targets), self.loss(logits, targets[other])
            loss = share * loss + (1 - share) * second
        else:
            loss, pairs = self.loss(self(pixels).logits, targets)
        self.train_loss.update(loss.detach(), pairs)
        self.log("train/loss", self.train_loss, on_step=False, on_epoch=True)
        self.log("train/step_loss", loss.detach(), rank_zero_only=True)
        return loss

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        """Let the head learn alone at first. Without gradients an optimizer leaves weights as they are."""
        if self.progress < self.hparams["head_first"]:
            for name, parameter in self.network.named_parameters():
                if name not in backbone.HEAD:
                    parameter.grad = None

    def validation_step(self, batch: Sample, batch_idx: int) -> None:
        logits = self(batch["pixels"]).logits
        self.val_loss.update(*BINARY_CROSS_ENTROPY(logits, batch["targets"]))
        self.scores.update(logits, batch["targets"])

    def on_validation_epoch_end(self) -> None:
        values = {"loss": self.val_loss.compute(), **self.scores.compute()}
        self.val_loss.reset()
        self.scores.reset()
        # Computed over all ranks already; averaging equal values tells Lightning so.
        self.log_dict({f"val/{name}": value for name, value in values.items()}, sync_dist=True)

    def configure_optimizers(self) -> Any:
        optimizer = make_optimizer(
            self.network, self.hparams["optimizer"], self.hparams["lr"], self.hparams["weight_decay"]
        )
        if self.hparams["schedule"] == "none":
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = make_schedule(
            optimizer, self.hparams["schedule"], self.hparams["lr"], steps, self.hparams["warmup_fraction"]
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep how long the training was meant to be."""
        checkpoint["planned_steps"] = self.planned_steps

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Build the network the checkpoint was made with, or compare it with the one there is.

        Raises:
            BundleError: the checkpoint is not one of this project, or has other labels or another input.
        """
        self.planned_steps = checkpoint.get("planned_steps")
        saved = checkpoint.get("hyper_parameters", {})
        if "labels" not in saved or "input" not in saved:
            raise BundleError("the checkpoint does not say its labels and input; it is not one of this project")
        taxonomy, spec = Taxonomy.from_json(saved["labels"]), _spec(saved["input"])
        if not self.built:
            self.build(taxonomy, spec)
            return
        _check_labels(taxonomy, self.taxonomy)
        if saved["arch"] != self.hparams["arch"] or spec != self.spec:
            raise BundleError(
                f"the checkpoint has a {saved['arch']} for {spec}, the settings are {self.hparams['arch']} for "
                f"{self.spec}; use the checkpoint's, or begin a new run"
            )


def _photographs(data: Any) -> Photographs:
    """Some that can be looked at: those to train on, or, where these are a stream, those to validate on."""
    return data.train if isinstance(data.train, Photographs) else data.val


def _spec(saved: dict[str, Any]) -> InputSpec:
    return InputSpec(**saved | {"mean": tuple(saved["mean"]), "std": tuple(saved["std"])})


def _check_labels(checkpoint: Taxonomy, data: Taxonomy) -> None:
    if checkpoint.labels == data.labels:
        return
    missing = [label for label in data.labels if label not in checkpoint.index]
    if missing:
        example = f"the data's {missing[0].name!r} of group {missing[0].group!r} is not in the checkpoint"
    else:
        example = "names or their order differ"
    raise BundleError(
        f"the checkpoint has {len(checkpoint)} labels, the data has {len(data)} ({example}); use "
        "the data and --data.groups of the checkpoint, or begin a new run with --model.weights CHECKPOINT"
    )
