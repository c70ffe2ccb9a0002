"""Folds of cloth as a height map over garment coordinates: sums of bent, ridged waves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Folds:
    """Rows of waves (strength, kx, ky, phase, wobble); u runs across the cloth and v along it."""

    waves: NDArray[np.float32]
    start: float = -9.0  # v at which the folds begin to rise
    reach: float = 1.0  # length in v over which they rise to full strength
    pleats: float = 0.0  # knife pleats per unit of width, 0 for none
    flare: float = 0.0  # how fast the pleats fan out along v

    def height(self, u: Floats, v: Floats) -> Floats:
        total = np.zeros_like(u)
        for strength, kx, ky, phase, wobble in self.waves:
            bent = kx * u + ky * v + phase + wobble * np.sin(np.float32(1.7) * (v - u) + phase)
            ridge = np.sin(bent) * np.float32(0.5) + np.float32(0.5)
            # Each fold varies in strength along its length.
            total += strength * ridge * ridge * (1 + np.sin(np.float32(0.3) * (kx * v - ky * u) + 2 * phase))
        if self.start > -9:
            total *= np.clip((v - np.float32(self.start)) / np.float32(self.reach), 0, 1)
        if self.pleats:
            fanned = u / np.maximum(1 + np.float32(self.flare) * (v + 1), np.float32(0.3))
            phase = fanned * np.float32(self.pleats)
            saw = phase - np.floor(phase)
            total += np.float32(0.05) * np.where(saw < 0.82, saw / 0.82, (1 - saw) / 0.18).astype(np.float32)
        return total


def _waves(
    rng: np.random.Generator,
    count: int,
    angle: float,
    spread: float,
    pitch: tuple[float, float],
    strength: float,
) -> NDArray[np.float32]:
    """Waves whose crests run at about `angle` from the v axis, pitch (radians a unit) drawn from the range."""
    turn = rng.normal(angle, spread, count)
    k = rng.uniform(*pitch, count)
    size = strength * rng.uniform(0.5, 1.2, count) * 6 / k
    rows = [size, k * np.cos(turn), k * np.sin(turn), rng.uniform(0, 6.28, count), rng.uniform(0.3, 1.4, count)]
    return np.stack(rows, axis=1).astype(np.float32)


def soft(rng: np.random.Generator, strength: float = 1.0) -> Folds:
    """A shirt laid flat or worn: a few soft, mostly lengthwise folds."""
    along = _waves(rng, 3, 0.0, 0.45, (5, 12), 0.055 * strength)
    other = _waves(rng, 2, rng.choice([-0.9, 0.9]), 0.3, (4, 9), 0.045 * strength)
    return Folds(np.concatenate([along, other]))


def draped(rng: np.random.Generator, start: float, strength: float) -> Folds:
    """A skirt: lengthwise folds that grow towards the hem."""
    return Folds(_waves(rng, 4, 0.0, 0.07, (9, 18), 0.085 * strength), start, reach=1.2)


def wrinkled(rng: np.random.Generator, strength: float = 1.0) -> Folds:
    """A sleeve or a leg: wrinkles across it, at a slant."""
    slant = rng.choice([-1.0, 1.0]) * rng.uniform(0.7, 1.1)
    across = _waves(rng, 3, slant, 0.35, (7, 15), 0.055 * strength)
    along = _waves(rng, 1, 0.0, 0.2, (5, 8), 0.03 * strength)
    return Folds(np.concatenate([across, along]))


def pleated(rng: np.random.Generator, flare: float) -> Folds:
    """Knife pleats that fan out towards the hem."""
    return Folds(_waves(rng, 2, 0.0, 0.1, (4, 8), 0.02), pleats=rng.uniform(10, 14), flare=flare)
