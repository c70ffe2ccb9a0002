"""Checks which settings of a resumed run may differ from the original ones, before anything is read or written."""

import os
from collections.abc import Mapping
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from fashion.errors import SettingError

PLAN = "plan"  # checkpoint key: the settings that determine the number of steps
NEW_RUN = "begin a new run from its weights with --model.weights CHECKPOINT"

# The weights and optimizer state of a checkpoint fit only these settings.
FIXED = (
    *("model.arch", "model.optimizer", "model.schedule"),
    *("data.input", "data.groups", "data.taxonomy", "data.min_photographs"),
)
FIXED_WITH_MUON = "model.frozen"  # it groups the parameters that are trained
# The settings that determine the number of steps. While STEPS are unchanged, it is proportional to EPOCHS.
EPOCHS = "trainer.max_epochs"
STEPS = (
    *("trainer.max_steps", "trainer.accumulate_grad_batches", "trainer.limit_train_batches", "trainer.devices"),
    *("trainer.num_nodes", "data.path", "data.batch_size", "data.limit_train", "data.repeat", "data.negatives"),
)


def plan(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings (nested mappings) that a checkpoint keeps to detect a changed number of steps."""
    return {name: setting(settings, name) for name in (EPOCHS, *STEPS)}


def check_resumed(settings: Mapping[str, Any], before: Mapping[str, Any], checkpoint: Mapping[str, Any]) -> None:
    """Check that a run can be resumed with these settings; the training itself checks what depends on the data.

    Args:
        settings: the current ones, nested like a configuration.
        before: those in the run's config.yaml; settings missing there are not checked.
        checkpoint: the content of the checkpoint to resume from.

    Raises:
        SettingError: the first setting that cannot be changed, its former value, and what to do.
    """
    _check_length(settings, checkpoint)
    for name in (*FIXED, *([FIXED_WITH_MUON] if setting(before, "model.optimizer") == "muon" else [])):
        was, given = setting(before, name), setting(settings, name)
        # A run may continue without its schedule, at the learning rate it has reached.
        if _is_known(before, name) and not _same(was, given) and (name, given) != ("model.schedule", "none"):
            raise SettingError(
                f"this run began with --{name} {_shown(was)}, not {_shown(given)}; resume it with its own, or {NEW_RUN}"
            )
    if before.get("ema") and not settings.get("ema"):
        raise SettingError(
            f"this run averages its weights (--ema {before['ema']}), and --ema 0 would continue from the average "
            f"instead of the weights; resume it with its own, or {NEW_RUN}"
        )


class MovedRun(Callback):
    """Lets a run whose folder was moved keep its best score, which Lightning forgets if the folder's path differs."""

    def on_load_checkpoint(self, trainer: Trainer, module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Change the folder of all paths in the states of Lightning's checkpoint callbacks."""
        for callback in trainer.checkpoint_callbacks:
            state = checkpoint["callbacks"].get(callback.state_key)
            if not isinstance(callback, ModelCheckpoint) or state is None or callback.dirpath is None:
                continue
            folder = str(callback.dirpath)
            state["dirpath"] = folder
            for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
                state[name] = state[name] and _in_folder(state[name], folder)
            state["best_k_models"] = {_in_folder(path, folder): kept for path, kept in state["best_k_models"].items()}


def setting(settings: Mapping[str, Any], name: str) -> Any:
    """The value of a setting such as `model.lr`; None if it is missing."""
    found: Any = settings
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _in_folder(path: str, folder: str) -> str:
    return os.path.join(folder, os.path.basename(path))


def _check_length(settings: Mapping[str, Any], checkpoint: Mapping[str, Any]) -> None:
    """Check that a training with a one-cycle schedule or growing images keeps its length."""
    began, steps = checkpoint.get(PLAN), checkpoint.get("planned_steps")
    now = plan(settings)
    if not began or not steps or steps == float("inf") or any(began.get(name) != now[name] for name in STEPS):
        return
    if began[EPOCHS] == now[EPOCHS] or not began[EPOCHS] or (now["trainer.max_steps"] or -1) > 0:
        return
    grows = (setting(settings, "model.growth.start") or 1) < 1
    one_cycle = setting(settings, "model.schedule") == "onecycle"
    if grows or one_cycle:
        what = "its images would shrink again" if grows else "its one-cycle schedule cannot change its length"
        epochs = now[EPOCHS] or -1
        made = f"{round(steps / began[EPOCHS] * epochs)}" if epochs > 0 else "endless"
        raise SettingError(
            f"this run was planned for {steps:.0f} steps, the settings make it {made}: {what}; resume with the run's "
            f"own settings (--{EPOCHS} {began[EPOCHS]}), or {NEW_RUN}"
        )


def _is_known(settings: Mapping[str, Any], name: str) -> bool:
    """Whether a configuration has a setting, even as null."""
    outer, _, last = name.rpartition(".")
    found = setting(settings, outer) if outer else settings
    return isinstance(found, Mapping) and last in found


def _same(was: Any, given: Any) -> bool:
    """Whether two values are equal, ignoring settings that only a newer version has."""
    if isinstance(was, Mapping) and isinstance(given, Mapping):
        return all(_same(value, given.get(name)) for name, value in was.items())
    return was == given


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)
