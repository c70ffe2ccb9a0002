"""The network in training: loss, metrics, optimizer and schedule."""

from dataclasses import asdict
from typing import Any, Literal

import torch
from pytorch_lightning import LightningModule
from torch import Tensor

from fashion.backbones import families
from fashion.backbones.contract import Backbone, Output
from fashion.backbones.families import build
from fashion.backbones.normalize import Normalize
from fashion.errors import BundleError, SettingError
from fashion.gates import NO_GATES, Gates
from fashion.preprocess import InputSpec
from fashion.taxonomy import Taxonomy
from training.data.draws import mixed_seed, run_seed
from training.data.images import Photographs, Sample
from training.fitting.growing import ImageGrowth, shrink
from training.fitting.initialization import Initialization
from training.fitting.losses import BINARY_CROSS_ENTROPY, Loss, output_groups
from training.fitting.metrics import MeanOfAnnotated, MultilabelScores
from training.fitting.optimization import make_optimizer, make_schedule
from training.weights import first_weights
from training.weights.batch_norms import unfold

MONITOR = "val/best_micro_f1"
AT_FULL_SIZE = ImageGrowth()
AS_TORCHVISION_DOES = Initialization()


class FashionModule(LightningModule):
    """A network with a head of A labels and K gates, and what it is trained by.

    The labels, the gates and the input come from the data when training begins, or from the checkpoint: its
    hyperparameters hold them, so `FashionModule.load_from_checkpoint(path)` needs nothing else.

    Args:
        arch: `resnet50`, `resnet18` for quick tries, or `timm/NAME` of any of timm's convolutional networks.
        weights: the first weights: `imagenet`, `none`, or a file (see `training.weights.first_weights.load`).
        optimizer: `adam`, `adamw` (decays the weights of convolutions and head only), `muon` (see
            `training.fitting.muon`) or `sgd` (momentum 0.9).
        lr: learning rate; the highest one where a schedule varies it.
        weight_decay: strength of the decay toward zero.
        schedule: `none`, `onecycle`, or `cosine`: linear warm-up, then half a cosine down to 0.
        warmup_fraction: part of the training during which a schedule rises.
        frozen: how many stages, from the image on, keep the weights and batch norms they begin with: the early ones
            cost most of a step on a CPU and learn least. For pretrained weights.
        loss: see `training.fitting.losses.Loss`.
        growth: see `training.fitting.growing.ImageGrowth`.
        init: see `training.fitting.initialization.Initialization`.
        channels_last: memory format in which convolutions are faster on most machines.
        compile: let torch.compile speed up the network, after a few minutes of compiling.

    Raises:
        SettingError: a value out of its range.
    """

    network: Backbone
    groups: Tensor

    def __init__(
        self,
        arch: str = "resnet50",
        weights: str = first_weights.IMAGENET,
        optimizer: Literal["adam", "adamw", "muon", "sgd"] = "adam",
        lr: float = 1e-3,
        weight_decay: float = 0.0,
        schedule: Literal["none", "onecycle", "cosine"] = "none",
        warmup_fraction: float = 0.25,
        frozen: int = 0,
        loss: Loss = BINARY_CROSS_ENTROPY,
        growth: ImageGrowth = AT_FULL_SIZE,
        init: Initialization = AS_TORCHVISION_DOES,
        channels_last: bool = True,
        compile: bool = False,
    ) -> None:
        super().__init__()
        families.family(arch).check(arch)
        if lr <= 0:
            raise SettingError(f"--model.lr is {lr}; it must be above 0")
        if weight_decay < 0:
            raise SettingError(f"--model.weight_decay is {weight_decay}; it must not be below 0")
        if not 0 < warmup_fraction < 1:
            raise SettingError(f"--model.warmup_fraction is {warmup_fraction}; it must lie between 0 and 1")
        if frozen < 0:
            raise SettingError(f"--model.frozen is {frozen}; it must not be below 0")
        self.loss, self.growth, self.init = loss, growth, init
        self.save_hyperparameters(ignore=["loss", "growth", "init"])
        self.built = False
        self.planned_steps: float | None = None  # of the whole training, since it began
        self.loss_before: list[float] | None = None  # of the epoch that is gone on with, see MeanOfAnnotated.sums

    @property
    def taxonomy(self) -> Taxonomy:
        """The labels, in the order of the logits."""
        return Taxonomy.from_json(self.hparams["labels"])

    @property
    def spec(self) -> InputSpec:
        """What the network is fed with."""
        return _spec(self.hparams["input"])

    @property
    def gates(self) -> Gates:
        """The outputs that follow the labels."""
        return Gates.from_json(self.hparams.get("gates"), self.taxonomy.groups)

    def build(self, taxonomy: Taxonomy, spec: InputSpec, gates: Gates = NO_GATES) -> None:
        """Make the network, with random weights, for these labels and gates and this input."""
        self.hparams["labels"] = taxonomy.to_json()
        self.hparams["gates"] = gates.to_json()
        self.hparams["input"] = asdict(spec) | {"mean": list(spec.mean), "std": list(spec.std)}
        self.network = build(self.hparams["arch"], len(taxonomy) + len(gates))
        if self.hparams["channels_last"]:
            self.network.to(memory_format=torch.channels_last)
        self.normalize = Normalize(spec)
        self.register_buffer("groups", output_groups(taxonomy, gates), persistent=False)
        self.train_loss, self.val_loss = MeanOfAnnotated(), MeanOfAnnotated()
        self.scores = MultilabelScores(len(taxonomy))
        self.built = True

    def setup(self, stage: str) -> None:
        """Build the network for the data, or see to it that the one there is fits the data."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if self.built:
            _check_labels(self.taxonomy, data.taxonomy)
            _check_gates(self.gates, data.gates)
        else:
            self.build(data.taxonomy, data.spec, data.gates)
            if not self.trainer.ckpt_path:
                self.init.apply(self.network, self.normalize, lambda: _photographs(data))
                outputs = first_weights.output_names(data.taxonomy, data.gates)
                if first_weights.load(self.network, self.hparams["arch"], self.hparams["weights"], outputs):
                    unfold(self.network, self.normalize, _photographs(data))
        if stage == "fit" and self.hparams["frozen"]:
            self._freeze(self.hparams["frozen"])
        if stage == "fit" and self.hparams["compile"]:
            self.network.compile()

    def _freeze(self, count: int) -> None:
        """Take the first stages out of the training. Lightning leaves modules in evaluation mode as they are."""
        stages = self.network.get_stages()
        if count > len(stages):
            raise SettingError(f"--model.frozen is {count}; {self.hparams['arch']} has {len(stages)} stages")
        for module in (module for stage in stages[:count] for module in stage):
            module.eval().requires_grad_(False)

    def on_train_start(self) -> None:
        """Raises SettingError where what was planned over the training, and is resumed, has another length than it."""
        if self.loss_before and self.trainer.is_global_zero:
            self.train_loss.go_on(*self.loss_before)
        steps = self.trainer.estimated_stepping_batches
        if self.planned_steps not in (None, steps) and self.growth.start < 1:
            raise SettingError(
                f"this run was planned for {self.planned_steps} steps, the settings make it {steps}: its images would "
                "shrink again; resume with the run's own settings, or begin a new run from its "
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

    def on_train_epoch_start(self) -> None:
        self.train_loss.reset()  # and not where an epoch is gone on with: Lightning does not call this then

    def on_train_batch_start(self, batch: Sample, batch_idx: int) -> None:
        """Let what a network draws at random, such as dropout, follow from the step alone, also in a resumed run."""
        torch.manual_seed(mixed_seed(run_seed(), self.trainer.current_epoch, batch_idx, self.trainer.global_rank))

    def training_step(self, batch: Sample, batch_idx: int) -> Tensor:
        targets = batch["targets"]
        pixels = shrink(batch["pixels"], self.growth.size(self.progress, self.spec.size))
        loss, cells = self.loss(self(pixels).logits, targets, self.groups)
        self.train_loss.update(loss.detach(), cells)
        self.log("train/loss", self.train_loss, on_step=False, on_epoch=True)
        self.log("train/step_loss", loss.detach(), rank_zero_only=True)
        return loss

    def validation_step(self, batch: Sample, batch_idx: int) -> None:
        logits, targets = self(batch["pixels"]).logits, batch["targets"]
        self.val_loss.update(*self.loss(logits, targets, self.groups))
        labels = len(self.taxonomy)
        self.scores.update(self.loss.label_logits(logits, self.groups)[:, :labels], targets[:, :labels])

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
        """Keep how long the training was meant to be, and the loss of the running epoch."""
        checkpoint["planned_steps"] = self.planned_steps
        checkpoint["train_loss"] = [
            self.trainer.strategy.reduce(each, reduce_op="sum").item() for each in self.train_loss.sums()
        ]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Build the network the checkpoint was made with, or compare it with the one there is.

        Raises:
            BundleError: the checkpoint is not one of this project, or has other labels or another input.
        """
        self.planned_steps = checkpoint.get("planned_steps")
        self.loss_before = checkpoint.get("train_loss")
        saved = checkpoint.get("hyper_parameters", {})
        if "labels" not in saved or "input" not in saved:
            raise BundleError("the checkpoint does not say its labels and input; it is not one of this project")
        taxonomy, spec = Taxonomy.from_json(saved["labels"]), _spec(saved["input"])
        if not self.built:
            self.build(taxonomy, spec, Gates.from_json(saved.get("gates"), taxonomy.groups))
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


def _check_gates(checkpoint: Gates, data: Gates) -> None:
    if checkpoint != data:
        raise BundleError(
            f"the checkpoint's gates are {checkpoint.to_json()}, the data's {data.to_json()}; use the checkpoint's "
            "--data.rules and --data.negatives, or begin a new run with --model.weights CHECKPOINT"
        )


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
