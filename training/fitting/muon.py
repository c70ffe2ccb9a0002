"""Muon: momentum SGD with orthogonalized updates for convolutions, AdamW for all other parameters."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

MOMENTUM = 0.95
ITERATIONS = 5  # Newton-Schulz iterations per step
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # a, b, c; 5 iterations bring singular values to between 0.7 and 1.2
# RMS of an update, in units of the learning rate. Adam's is about 0.2, which Liu et al. 2025, "Muon is Scalable for LLM
# Training" (arXiv:2502.16982), 2.2, match. 0.4 did slightly better here at a learning rate that suits AdamW.
UPDATE_RMS = 0.4
BLOCK_ROWS = 128  # a larger matrix is orthogonalized in blocks of this many rows: time grows with their square


class Muon(Optimizer):
    """Muon for the inner convolutions, AdamW for the first convolution, the head, biases and batch norms.

    Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) orthogonalizes the momentum of each weight
    matrix before the step, so that all its directions are updated equally. Here it uses Nesterov momentum and scales
    every update to the same RMS. A convolution's weights (O, I, h, w) are treated as a matrix (O, I h w); if its
    shorter side is a multiple of `BLOCK_ROWS`, it is split into blocks of that many rows, orthogonalized separately,
    which is much cheaper. (torch's own Muon takes only 2-D parameters; timm's takes convolutions, but does not split
    them.)

    Args:
        network: the network whose parameters are trained.
        lr: learning rate for both Muon and AdamW.
        weight_decay: decoupled weight decay for convolutions and the head.
    """

    def __init__(self, network: nn.Module, lr: float, weight_decay: float = 0.0) -> None:
        parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        first = [parameter for parameter in parameters if parameter.ndim == 4][:1]  # none if all stages are frozen
        # Depthwise convolutions (I = 1) go to AdamW: they have one filter per channel, not a matrix over channels.
        inner = [p for p in parameters if p.ndim == 4 and p is not first[0] and p.shape[1] > 1]
        convolutions = {id(parameter) for parameter in [*first, *inner]}
        matrices = [parameter for parameter in parameters if parameter.ndim > 1 and id(parameter) not in convolutions]
        vectors = [parameter for parameter in parameters if parameter.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": inner, "weight_decay": weight_decay, "orthogonal": True},
            {"params": [*first, *matrices], "weight_decay": weight_decay, "orthogonal": False},
            {"params": vectors, "weight_decay": 0.0, "orthogonal": False},
        ]
        self.adam = AdamW(vectors, lr, fused=True)
        super().__init__(groups, {**self.adam.defaults, "lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["orthogonal"]:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._muon_step(parameter, group["lr"], group["weight_decay"])
        # Share groups and state with AdamW at every step: loading a checkpoint replaces them.
        self.adam.param_groups = [group for group in self.param_groups if not group["orthogonal"]]
        self.adam.state = self.state
        self.adam.step()
        return loss

    def _muon_step(self, parameter: Tensor, lr: float, weight_decay: float) -> None:
        """Update the weights (O, I, h, w) of one convolution."""
        assert parameter.grad is not None
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
        nesterov = parameter.grad.lerp(momentum, MOMENTUM)
        # (O, h, w, I) is the memory layout of channels last, so no copy; the order of columns does not matter.
        gradient = nesterov.permute(0, 2, 3, 1)
        update = orthogonalize(gradient.reshape(len(gradient), -1))  # (O, h w I)
        # An orthogonal (m, n) matrix has RMS 1 / sqrt(max(m, n)).
        scale = UPDATE_RMS * math.sqrt(max(update.shape))
        parameter.mul_(1 - lr * weight_decay)
        parameter.add_(update.reshape(gradient.shape).permute(0, 3, 1, 2), alpha=-lr * scale)


def orthogonalize(matrix: Tensor) -> Tensor:
    """Approximate U V^T of the singular value decomposition U S V^T of a matrix, or of each block of its shorter side.

    Runs the Newton-Schulz iteration x <- p(x x^T) x with Jordan's polynomial p(g) = a + b g + c g^2. It brings singular
    values to between about 0.7 and 1.2 and leaves very small ones below that, which works as well as exactly 1.

    Args:
        matrix: (m, n), floating point.

    Returns:
        float32 (m, n).
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalize(matrix.T).T
    rows, columns = matrix.shape
    blocks = matrix.float().reshape(-1, BLOCK_ROWS if rows % BLOCK_ROWS == 0 else rows, columns)
    blocks = blocks / torch.linalg.matrix_norm(blocks, keepdim=True).clamp(min=1e-30)
    result = newton_schulz_gram(blocks) if matrix.device.type == "cpu" else newton_schulz(blocks.bfloat16())
    return result.float().reshape(rows, columns)


def newton_schulz(x: Tensor) -> Tensor:
    """Newton-Schulz iteration for x (B, r, n) of any precision; bfloat16 is fastest on GPUs."""
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def newton_schulz_gram(x: Tensor) -> Tensor:
    """The same iteration for float32 x (B, r, n), carried out on Gram matrices (B, r, r).

    The polynomials of all iterations commute, so their product is computed first and multiplied with x once: less work
    where n is much larger than r. In bfloat16 the Gram matrix would lose the small singular values.
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
