"""Muon: convolutions learn by steps in which no direction is small, everything else by Adam."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

MOMENTUM = 0.95
ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # bring singular values to 0.7 to 1.2 in 5 iterations
# Of a step, in learning rates. Adam's is about 0.2: Liu et al. 2025, "Muon is Scalable for LLM Training"
# (arXiv:2502.16982), 2.2, make it the same; more than that did a little better here, at the rate that suits the others.
ROOT_MEAN_SQUARE = 0.4
ROWS = 128  # of a block that is made orthogonal by itself: time grows with the square of it


class Muon(Optimizer):
    """Momentum whose matrix is brought near an orthogonal one before each step: Jordan et al. 2024,
    https://kellerjordan.github.io/posts/muon/, here with Nesterov's momentum and steps of one size.

    A convolution's weights (O, I, h, w) are taken as a matrix (O, I h w). Where its shorter side is longer than `ROWS`
    it is cut into blocks of so many rows, each made orthogonal by itself, which costs a fraction. (torch's own Muon
    takes matrices only, and whole.) The first convolution, batch norms and the head learn by AdamW.

    Args:
        network: whose parameters learn.
        lr: learning rate, of both.
        weight_decay: decoupled, of convolutions and the head.
    """

    def __init__(self, network: nn.Module, lr: float, weight_decay: float = 0.0) -> None:
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        first = next(parameter for parameter in parameters if parameter.ndim == 4)
        # A depthwise convolution has a filter for each channel and no matrix over them.
        inner = [p for p in parameters if p.ndim == 4 and p is not first and p.shape[1] > 1]
        others = {id(parameter) for parameter in [first, *inner]}
        matrices = [parameter for parameter in parameters if parameter.ndim > 1 and id(parameter) not in others]
        vectors = [parameter for parameter in parameters if parameter.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": inner, "weight_decay": weight_decay, "orthogonal": True},
            {"params": [first, *matrices], "weight_decay": weight_decay, "orthogonal": False},
            {"params": vectors, "weight_decay": 0.0, "orthogonal": False},
        ]
        self.adam = AdamW(vectors, lr, fused=True)
        super().__init__(groups, {**self.adam.defaults, "lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["orthogonal"]:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._turn(parameter, group["lr"], group["weight_decay"])
        # Its groups and state are these, also after a checkpoint was loaded, which makes new ones.
        self.adam.param_groups = [group for group in self.param_groups if not group["orthogonal"]]
        self.adam.state = self.state
        self.adam.step()
        return loss

    def _turn(self, parameter: Tensor, lr: float, weight_decay: float) -> None:
        assert parameter.grad is not None
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
        ahead = parameter.grad.lerp(momentum, MOMENTUM)
        update = ahead.permute(0, 2, 3, 1)  # as the weights lie in memory, channels last; columns may come in any order
        matrix = orthogonal(update.reshape(len(update), -1))
        size = ROOT_MEAN_SQUARE * math.sqrt(max(matrix.shape))
        parameter.mul_(1 - lr * weight_decay)
        parameter.add_(matrix.reshape(update.shape).permute(0, 3, 1, 2), alpha=-lr * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """Near U V^T of a float matrix's singular value decomposition U S V^T, block by block of its shorter side.

    Newton and Schulz's iteration x <- p(x x^T) x with Jordan's p(g) = a + b g + c g^2: it leaves singular values
    between about 0.7 and 1.2, small ones below that, which serves as well as 1.

    Args:
        matrix: (m, n).

    Returns:
        float32 (m, n).
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonal(matrix.T).T
    rows, columns = matrix.shape
    blocks = matrix.float().reshape(-1, ROWS if rows % ROWS == 0 else rows, columns)
    blocks = blocks / torch.linalg.matrix_norm(blocks, keepdim=True).clamp(min=1e-30)
    found = by_gram(blocks) if matrix.device.type == "cpu" else by_iteration(blocks.bfloat16())
    return found.float().reshape(rows, columns)


def by_iteration(x: Tensor) -> Tensor:
    """The iteration as it is written, for x (B, r, n) of any precision: bfloat16 is what GPUs do fast."""
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def by_gram(x: Tensor) -> Tensor:
    """The same for float32: since all p(x x^T) commute, they are multiplied first, which are small matrices.

    With n much larger than r it is less work. bfloat16 would lose the small singular values in x x^T.
    """
    a, b, c = COEFFICIENTS
    gram = x @ x.mT
    unit = a * torch.eye(x.shape[1], device=x.device)
    product = polynomial = torch.baddbmm(unit + b * gram, gram, gram, alpha=c)
    for _ in range(ITERATIONS - 1):
        gram = polynomial @ gram @ polynomial
        polynomial = torch.baddbmm(unit + b * gram, gram, gram, alpha=c)
        product = polynomial @ product
    return product @ x
