"""The Lightning module: network, loss, metrics, optimizer and schedule."""

import math
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
MOST_SIZES = 64  # image sizes that are compiled; torch runs further ones without compiling, its default is 8
NO_GROWTH = ImageGrowth()
DEFAULT_INITIALIZATION = Initialization()


class FashionModule(LightningModule):
    """A network whose head has A labels and K gates, with its loss, metrics and optimizer.

    The labels, gates and input spec come from the data when training starts, or from a checkpoint's hyperparameters,
    so `FashionModule.load_from_checkpoint(path)` needs nothing else.

    Args:
        arch: `resnet50`, `resnet18` for quick tries, or `timm/NAME` of any of timm's convolutional networks.
        weights: the initial weights: `imagenet`, `none`, or a file (see `training.weights.first_weights.load`).
        optimizer: `adam`, `adamw` (decays the weights of convolutions and head only), `muon` (see
            `training.fitting.muon`) or `sgd` (momentum 0.9).
        lr: learning rate; the peak of a schedule.
        weight_decay: weight decay.
        schedule: `none`, `onecycle`, or `cosine`: linear warm-up, then half a cosine down to 0.
        warmup_fraction: fraction of the training during which a schedule rises.
        frozen: number of stages, counted from the input, whose weights and batch norms are frozen: the early ones
            cost most of a step on a CPU and learn least. For pretrained weights.
        loss: see `training.fitting.losses.Loss`.
        growth: see `training.fitting.growing.ImageGrowth`.
        init: see `training.fitting.initialization.Initialization`.
        channels_last: use the channels-last memory format: faster convolutions on most machines.
        compile: speed up training steps by torch.compile, after about a minute of compiling for each image size.

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
        growth: ImageGrowth = NO_GROWTH,
        init: Initialization = DEFAULT_INITIALIZATION,
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
        self.planned_steps: float | None = None  # optimizer steps of the whole training
        self.loss_before: list[float] | None = None  # loss sums of the interrupted epoch, see MeanOfAnnotated.sums

    @property
    def taxonomy(self) -> Taxonomy:
        """The labels, in the order of the logits."""
        return Taxonomy.from_json(self.hparams["labels"])

    @property
    def spec(self) -> InputSpec:
        """Size and normalization of the network's input."""
        return _spec(self.hparams["input"])

    @property
    def gates(self) -> Gates:
        """The outputs that follow the labels."""
        return Gates.from_json(self.hparams.get("gates"), self.taxonomy.groups)

    def build(self, taxonomy: Taxonomy, spec: InputSpec, gates: Gates = NO_GATES) -> None:
        """Create the network with random weights for these labels, gates and input."""
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
        """Build the network for the data, or check that the existing one fits them."""
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
            # Once for each image size: code for variable sizes took over eight minutes to compile for an EfficientNet.
            torch._dynamo.config.recompile_limit = MOST_SIZES  # no public name
            self.network.compile(dynamic=False)

    def _freeze(self, count: int) -> None:
        """Freeze the first stages. Lightning leaves modules that are in evaluation mode as they are."""
        stages = self.network.get_stages()
        if count > len(stages):
            raise SettingError(f"--model.frozen is {count}; {self.hparams['arch']} has {len(stages)} stages")
        for module in (module for stage in stages[:count] for module in stage):
            module.eval().requires_grad_(False)

    def on_train_start(self) -> None:
        """Check that a resumed training is as long as planned. Raises SettingError where growth or schedule need it."""
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
        """Completed fraction of the training, 0 to 1; 0 if its length is unlimited."""
        return min(1.0, self.trainer.global_step / self.trainer.estimated_stepping_batches)

    def forward(self, pixels: Tensor) -> Output:
        """pixels: uint8 (B, S, S, 3)."""
        return self.network(self.normalize(pixels))

    def on_train_epoch_start(self) -> None:
        self.train_loss.reset()  # Lightning does not call this when an epoch is resumed midway

    def on_train_batch_start(self, batch: Sample, batch_idx: int) -> None:
        """Seed the network's random draws, such as dropout, by the step, so that a resumed run repeats them."""
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
        # `forward` is never compiled; for evaluation, compiling would take longer than it saves.
        logits, targets = self.network.forward(self.normalize(batch["pixels"])).logits, batch["targets"]
        self.val_loss.update(*self.loss(logits, targets, self.groups))
        labels = len(self.taxonomy)
        self.scores.update(self.loss.label_logits(logits, self.groups)[:, :labels], targets[:, :labels])

    def on_validation_epoch_end(self) -> None:
        values = {"loss": self.val_loss.compute(), **self.scores.compute()}
        self.val_loss.reset()
        self.scores.reset()
        # Already reduced over all ranks; sync_dist averages equal values and silences Lightning's warning.
        self.log_dict({f"val/{name}": value for name, value in values.items()}, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """The optimizer and its schedule. Raises SettingError for a schedule of a training without an end."""
        optimizer = make_optimizer(
            self.network, self.hparams["optimizer"], self.hparams["lr"], self.hparams["weight_decay"]
        )
        if self.hparams["schedule"] == "none":
            return optimizer
        steps = self.trainer.estimated_stepping_batches
        if math.isinf(steps):
            raise SettingError(
                f"--model.schedule {self.hparams['schedule']} needs the length of the training; give "
                "--trainer.max_epochs or --trainer.max_steps"
            )
        schedule = make_schedule(
            optimizer, self.hparams["schedule"], self.hparams["lr"], int(steps), self.hparams["warmup_fraction"]
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the planned length of the training and the loss sums of the current epoch."""
        checkpoint["planned_steps"] = self.planned_steps
        checkpoint["train_loss"] = [
            self.trainer.strategy.reduce(each, reduce_op="sum").item() for each in self.train_loss.sums()
        ]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Build the network of the checkpoint, or compare it with the existing one.

        Raises:
            BundleError: the checkpoint is not one of this project, or has other labels or another input.
        """
        self.planned_steps = checkpoint.get("planned_steps")
        self.loss_before = checkpoint.get("train_loss")
        saved = checkpoint.get("hyper_parameters", {})
        if "labels" not in saved or "input" not in saved:
            raise BundleError("the checkpoint lacks labels and input settings; it was not written by this project")
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
    """Images with random access: the training images, or the validation images if training is streamed."""
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
