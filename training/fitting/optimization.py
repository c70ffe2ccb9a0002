"""Optimizers and learning-rate schedules by name."""

import math

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR

from training.fitting.muon import Muon


def make_optimizer(network: nn.Module, name: str, lr: float, weight_decay: float) -> Optimizer:
    """Create an optimizer by name.

    `adam` and `sgd` apply weight decay to all parameters; `adamw` and `muon` (decoupled) spare biases and batch norms.
    All but `muon` are torch's fused implementations, several times faster on every device.
    """
    if name == "adam":
        return Adam(network.parameters(), lr, weight_decay=weight_decay, fused=True)
    if name == "sgd":
        return SGD(network.parameters(), lr, momentum=0.9, nesterov=True, weight_decay=weight_decay, fused=True)
    if name == "muon":
        return Muon(network, lr, weight_decay)
    # Only convolutions and the head have more than one dimension.
    decayed = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    return AdamW(
        [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr,
        fused=True,
    )


def make_schedule(optimizer: Optimizer, name: str, lr: float, steps: int, warmup_fraction: float) -> LRScheduler:
    """Create a schedule over `steps` optimizer steps that peaks at `lr` after `warmup_fraction` of them, ends near 0.

    `onecycle` is Smith and Topin's (arXiv:1708.07120) as in torch; `cosine` is Loshchilov and Hutter's
    (arXiv:1608.03983) without restarts, after a linear warm-up.
    """
    if name == "onecycle":
        # torch divides by zero if the warm-up is one step, and skips a shorter one.
        at_least_a_step = 1.5 / steps if steps > 1 and warmup_fraction * steps <= 1 else warmup_fraction
        return OneCycleLR(optimizer, max_lr=lr, total_steps=steps, pct_start=at_least_a_step)
    warmup = max(1, round(steps * warmup_fraction))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1, steps - warmup)))) / 2

    return LambdaLR(optimizer, factor)
