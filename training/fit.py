"""Train a network: `python -m training.fit --config training/configs/sample.yaml --run runs/NAME`.

Every value of a configuration can be overridden by a flag, such as `--model.lr 0.0005 --trainer.max_epochs 12`.
The run's folder gets its settings (config.yaml), checkpoints/best.ckpt and checkpoints/last.ckpt, a row for each epoch
in metrics.csv, and tensorboard/. `--resume` continues from last.ckpt with the settings of the run.
"""

import logging
import os
import re
import sys
import time
import warnings
from argparse import ArgumentError
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, Namespace
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.tuner import Tuner
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from fashion.errors import FashionError, SettingError, one_line, one_line_errors
from fashion.files import write_atomically
from training.data.data_module import FashionData
from training.fitting.averaging import Average
from training.fitting.checkpoint_files import AtomicCheckpoints, SaveWithinEpoch
from training.fitting.module import MONITOR, FashionModule
from training.fitting.progress import Bars, History
from training.fitting.rate_search import LEAST_FALL, LR_STEPS, suggested_rate
from training.fitting.resuming import PLAN, MovedRun, check_resumed, plan
from training.fitting.runs import BEST, CONFIG_FILE, LAST, OWN_FILES, TrainingRun
from training.fitting.stopping import StopOnNan, StopOnSignal, TrainingStopped
from training.weights import first_weights, torch_files

# Settings of the trainer that this program fixes, with what to do instead.
FIXED_BY_US = {
    "logger": "a run writes metrics.csv and tensorboard/",
    "default_root_dir": "--run gives the folder of all output",
    "enable_model_summary": "it is always off",
    "num_sanity_val_steps": "the validation is not tried first",
}
EXIT_SIGNAL = 128  # plus the signal's number: 130 after ctrl-C, as in shells

# Warnings of Lightning that do not apply here or that a user of this program cannot act on.
NOISE = (
    ".*does not have many workers.*",  # the number is chosen in training.data
    ".*The number of training batches .* is smaller than the logging interval.*",
    ".*isinstance.treespec, LeafSpec.*",
    ".*`IterableDataset` has `__len__` defined.*",  # training.data handles this
    ".*Checkpoint directory .* exists and is not empty.*",  # checked by _check_run
    ".*ModelCheckpoint.monitor=.* could not find the monitored key.*",  # _report says so
    ".*module\\(s\\) in eval mode at the start of training.*",  # intended by --model.frozen
    ".*srun.*command is available.*",
    r"(?s).*JsonargparseDeprecationWarning",  # caused by Lightning's own calls
    r"(?s).*``instantiate_classes`` was deprecated",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line entry point, see the top of this file."""
    quiet()
    with one_line_errors():
        try:
            train(list(sys.argv[1:] if arguments is None else arguments))
        except TrainingStopped as stopped:
            sys.exit(_report_stop(stopped))
        except FashionError:
            if not _first_rank():
                _exit_if_first_rank_failed()
            raise


def train(arguments: list[str]) -> None:
    """Parse, check and fit. Raises FashionError for user errors, TrainingStopped after a signal."""
    cli = FashionCLI(arguments)
    trainer, module, data = cli.trainer, cli.model, cli.datamodule
    checkpoint = cli.run / LAST if cli.config.resume else None
    if checkpoint is not None:
        began = TrainingRun(cli.run).settings if (cli.run / CONFIG_FILE).is_file() else {}
        check_resumed(cli.plain_settings(), began, torch_files.read(checkpoint))
    with cli.stop:
        if checkpoint is None and _first_rank():
            first_weights.fetch(module.hparams["arch"], module.hparams["weights"])
        if cli.config.find_lr:
            _find_lr(trainer, module, data)
            cli.config.model.lr = module.hparams["lr"]
        try:
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        except MisconfigurationException as error:  # Lightning compares some settings with the data only now
            raise _trainer_error(cli.config.trainer, error) from error
    if _first_rank():
        _report(cli)


class FashionCLI(LightningCLI):
    """Builds module, data and trainer from YAML and flags, with all output in the run's folder."""

    def __init__(self, arguments: list[str]) -> None:
        self.arguments = _with_run_settings(arguments)
        super().__init__(
            FashionModule,
            FashionData,
            save_config_callback=None,
            seed_everything_default=1,
            trainer_defaults={"precision": "bf16-mixed", "max_epochs": 10},
            parser_kwargs={"description": __doc__, "dump_header": [], "exit_on_error": False},
            run=False,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.link_arguments("model.arch", "data.arch")
        parser.add_argument("--run", type=str, help="Folder of this run, such as runs/catalog.")
        parser.add_argument("--resume", action="store_true", help="Resume the run from its last checkpoint.")
        parser.add_argument("--find_lr", action="store_true", help="Search a learning rate first, then train with it.")
        parser.add_argument(
            "--ema",
            type=float,
            default=0.0,
            help="Validate and save an exponential moving average of the weights, with this decay a step, such as "
            "0.999; 0 takes the weights as they are.",
        )
        parser.add_lightning_class_args(EarlyStopping, "early_stopping")
        parser.set_defaults(
            {
                "early_stopping.monitor": MONITOR,
                "early_stopping.mode": "max",
                "early_stopping.patience": 5,
                "early_stopping.strict": False,  # a training may be shorter than an epoch, or without validation
            }
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        try:
            self.config = parser.parse_args(self.arguments)
        except ArgumentError as error:
            raise SettingError(f"{_parser_error(error)}; python -m training.fit --help lists all settings") from None
        _check_run(self.config)
        self.run = Path(self.config.run)
        self.history, self.stop = History(self.run), StopOnSignal(self.run / LAST)

    def plain_settings(self) -> dict[str, Any]:
        """The settings as config.yaml holds them."""
        return yaml.safe_load(self.dump(self.config))

    def dump(self, settings: Namespace) -> str:
        """Settings as text for config.yaml."""
        settings = settings.clone()
        settings.pop("config", None)
        return self.parser.dump(settings, skip_unset=False, skip_validation=True)

    def before_instantiate_classes(self) -> None:
        settings = self.config.trainer
        if _on_cpu(settings.accelerator) and settings.precision == "bf16-mixed" and not _cpu_has_bf16():
            settings.precision = "32-true"
            _print_rank_zero("note   this processor has no bfloat16 instructions; training with 32-bit floats")
        if torch.cuda.is_available():
            torch.set_float32_matmul_precision("high")

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        folder = self.run / LAST.parent
        best = ModelCheckpoint(folder, BEST.stem, monitor=MONITOR, mode="max", enable_version_counter=False)
        # A separate callback: `save_last` would skip epochs that are no improvement. Set to save at the end of training
        # epochs, because the default skips those without a validation.
        last = ModelCheckpoint(folder, LAST.stem, save_on_train_epoch_end=True, enable_version_counter=False)
        self.trainer_defaults["callbacks"] = [
            *([Bars()] if self.config.trainer.enable_progress_bar is not False else []),
            self.history,
            SaveSettings(self),
            MovedRun(),
            StopOnNan(),
            *([Average(decay=self.config.ema)] if self.config.ema else []),
            best,
            last,
            SaveWithinEpoch(self.run / LAST),
            self.stop,  # after the average, so that it includes the last step before a stop
        ]
        plugins = self.config_init.trainer.plugins or []
        try:
            return super().instantiate_trainer(
                default_root_dir=self.run,
                logger=TensorBoardLogger(self.run, name="tensorboard", version=""),
                enable_progress_bar=False,  # replaced by Bars
                enable_model_summary=False,
                num_sanity_val_steps=0,
                plugins=[*(plugins if isinstance(plugins, list) else [plugins]), AtomicCheckpoints()],
                **kwargs,
            )
        except (MisconfigurationException, ValueError, TypeError, ImportError) as error:
            raise _trainer_error(self.config.trainer, error) from error


class SaveSettings(Callback):
    """Writes config.yaml just before the first step.

    A run can be resumed only from its first step on, and a refused `--resume` must not overwrite the run's settings.
    """

    def __init__(self, cli: FashionCLI) -> None:
        self.cli = cli
        self.saved = False

    def on_fit_start(self, trainer: Trainer, module: LightningModule) -> None:
        self.saved = False  # --find_lr fits once before and changes the settings

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch: Any, i: int) -> None:
        if trainer.is_global_zero and not self.saved and not self.cli.config.trainer.fast_dev_run:
            self._save()
        self.saved = True

    def on_save_checkpoint(self, trainer: Trainer, module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Save the settings that determine the number of steps."""
        checkpoint[PLAN] = plan(self.cli.plain_settings())

    def _save(self) -> None:
        settings = self.cli.config.clone()
        settings.resume = settings.find_lr = False
        for setting, name in OWN_FILES.items():
            if settings.data[setting]:  # copied to the run: the user may change the file later
                own = self.cli.run / name
                if Path(settings.data[setting]) != own:
                    write_atomically(own, Path(settings.data[setting]).read_bytes())
                settings.data[setting] = str(own)
        write_atomically(self.cli.run / CONFIG_FILE, self.cli.dump(settings))


def quiet() -> None:
    """Silence Lightning's informational output; real warnings are shown."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    for message in NOISE:
        warnings.filterwarnings("ignore", message)


def _with_run_settings(arguments: list[str]) -> list[str]:
    """Prepend the settings of a resumed run, so that flags override them."""
    if "--resume" not in arguments:
        return arguments
    run = next((a.removeprefix("--run=") for a in arguments if a.startswith("--run=")), None)
    if run is None and "--run" in arguments[:-1]:
        run = arguments[arguments.index("--run") + 1]
    settings = Path(run or ".") / CONFIG_FILE
    if not run or not settings.is_file():
        return arguments
    data = TrainingRun(Path(run)).settings["data"]
    own = [part for name in OWN_FILES if data.get(name) for part in (f"--data.{name}", data[name])]
    return ["--config", str(settings), *own, *arguments]


def _parser_error(error: ArgumentError) -> str:
    """The parser's message in one line, with the right form of a list whose brackets were forgotten."""
    message = one_line(error)
    found = re.search(
        r'"(?P<key>data[.\w]+)": .*Expected (a )?<class \'list\'>.*<class \'(str|int)\'> Given value: (?P<value>.*)$',
        message,
    )
    return f"--{found['key']} is a list; write it as '[{found['value']}]'" if found else message


def _check_run(config: Namespace) -> None:
    if not config.run:
        raise SettingError("--run is missing; name the folder of this run, such as --run runs/catalog")
    run = Path(config.run)
    if not 0 <= config.ema < 1:
        raise SettingError(f"--ema is {config.ema}; it must be at least 0 and below 1")
    if config.resume and config.find_lr:
        raise SettingError("--resume and --find_lr exclude each other; a run keeps its learning rate")
    for name in ("resume", "find_lr"):
        if config.trainer.fast_dev_run and config[name]:
            raise SettingError(f"--trainer.fast_dev_run and --{name} exclude each other; it tries a new training")
    if config.resume and not (run / LAST).is_file():
        raise SettingError(f"nothing to resume: there is no {run / LAST}; leave --resume out to begin the run")
    for name, use in FIXED_BY_US.items():
        if config.trainer[name] is not None:
            raise SettingError(f"--trainer.{name} cannot be set; {use}")
    # Only on the first rank: the others start when it has already begun to write.
    if _first_rank() and not config.resume and ((run / LAST).exists() or (run / BEST).exists()):
        raise SettingError(f"{run} holds a run already; continue it with --resume, or choose another --run")


def _on_cpu(accelerator: Any) -> bool:
    return accelerator == "cpu" or (accelerator == "auto" and not torch.accelerator.is_available())


def _cpu_has_bf16() -> bool:
    """Whether the CPU has bfloat16 instructions; emulated, bfloat16 measured six times slower than 32-bit floats."""
    features = torch.cpu.get_capabilities()
    return any(features.get(name) for name in ("avx512_bf16", "amx_bf16", "arm_bf16", "bf16"))


def _trainer_error(settings: Namespace, error: Exception) -> SettingError:
    """Lightning's error as a SettingError, with the flags that most often cause it, such as those for other devices."""
    flags = " ".join(f"--trainer.{name} {settings[name]}" for name in ("accelerator", "devices", "strategy"))
    return SettingError(
        f"these trainer settings cannot be used: {one_line(error).rstrip('.!')} ({flags}); change the flag it is "
        "about, or let the machine decide: --trainer.accelerator auto --trainer.devices auto"
    )


def _find_lr(trainer: Trainer, module: FashionModule, data: FashionData) -> None:
    before, epochs = module.hparams["lr"], trainer.fit_loop.max_epochs
    trainer.fit_loop.max_epochs = LR_STEPS  # the search ends by its own number of steps, however few make an epoch
    found = Tuner(trainer).lr_find(module, datamodule=data, num_training=LR_STEPS, update_attr=False)
    trainer.fit_loop.max_epochs = epochs
    suggestion = suggested_rate(found.results["lr"], found.results["loss"]) if found else None
    if suggestion is None:
        raise SettingError(
            f"no learning rate could be suggested: at none of {LR_STEPS} rates the loss fell by {LEAST_FALL:.0%}; give "
            "more training images or a smaller --data.batch_size, or a rate with --model.lr"
        )
    module.hparams["lr"] = suggestion
    _print_rank_zero(f"found  learning rate {suggestion:.2g} (--model.lr was {before:.2g}); training with it")


def _report(cli: FashionCLI) -> None:
    if cli.config.trainer.fast_dev_run:
        _print_rank_zero("done   a trial, nothing was saved; train without --trainer.fast_dev_run")
        return
    if cli.history.epochs == 0:
        _print_rank_zero(f"nothing left to train; raise --trainer.max_epochs (now {cli.trainer.max_epochs}) to go on")
        return
    checkpoints = next(c for c in cli.trainer.checkpoint_callbacks if isinstance(c, ModelCheckpoint))
    if checkpoints.best_model_score is not None:
        _print_rank_zero(f"done   best micro-F1 {checkpoints.best_model_score:.3f}: {cli.run / BEST}")
        _print_rank_zero(f"next   python -m training.export {cli.run}")
    else:
        _print_rank_zero(f"done   nothing was validated, so there is no best; the last weights: {cli.run / LAST}")
        _print_rank_zero(f"next   python -m training.export {cli.run} --checkpoint last")


def _report_stop(stopped: TrainingStopped) -> int:
    if not _first_rank():
        return 0  # the launcher would treat any other status as a crash
    if stopped.checkpoint is not None:
        run = stopped.checkpoint.parent.parent
        print(f"stopped; go on with: python -m training.fit --run {run} --resume", file=sys.stderr)
    else:
        print("stopped; nothing was saved, run the same command again", file=sys.stderr)
    return EXIT_SIGNAL + stopped.number


def _exit_if_first_rank_failed() -> None:
    """Exit silently if the first rank fails too, so that its message suffices; return if this rank fails alone."""
    parent = os.getppid()
    time.sleep(3)
    if os.getppid() != parent:
        sys.exit(1)


def _first_rank() -> bool:
    """Whether this is the first rank, by the launcher's environment variables: there may be no trainer yet."""
    return getattr(rank_zero_only, "rank", 0) == 0


@rank_zero_only
def _print_rank_zero(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
