"""Fitting of share corrections on validation photographs, by group, and simulation of their interval coverage.

See `fashion.share_correction` for the method. Coverage is simulated: a correction is fitted on half of the products and
applied to catalogs drawn from the other half with known shares.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from tqdm import tqdm

from fashion.model_card import CARD_FILE, ModelCard
from fashion.share_correction import GroupCorrection, class_probabilities, read_corrections
from fashion.share_intervals import share_intervals
from fashion.taxonomy import NO, YES, Taxonomy
from training.profiles.gate_scores import GatePredictions
from training.profiles.predictions import Predictions

# Photographs that a label needs to be a class of its own; labels with fewer form the class `rest`. With 10, the change
# of Brown in the starter is a fifth less certain, because rare similar shades add noise.
LEAST_PHOTOGRAPHS = 20
PRIOR_PHOTOGRAPHS = 5.0  # pseudo-count of photographs for the model's own probabilities, see `fit_correction`
SPLITS, CATALOGS, PRODUCTS = 20, 10, 300  # simulation: random halves, catalogs per half, products per catalog
SHIFT = 1.0  # standard deviation of the log factors applied to the shares of simulated catalogs
NOTICED = 0.01  # smallest share at which a label counts in the coverage
SEED = 0


def correct_shares(predictions: Predictions, card: ModelCard) -> dict[str, Any]:
    """Fit the corrections of all groups with enough validation photographs, in the format of the card.

    Args:
        predictions: predictions for the photographs, with the calibration of the card.
        card: of the model.
    """
    found: dict[str, Any] = {}
    for group in tqdm(card.taxonomy.groups, "correction of shares", unit="group", disable=None):
        truths = true_classes(predictions.targets, card.taxonomy, group, predictions.gate_predictions)
        known = truths >= 0
        # float16, as scored catalogs store them
        probabilities = predictions.probabilities[known][:, card.taxonomy.indices(group)].astype(np.float16)
        names = card.taxonomy.names(group)
        correction = fit_correction(probabilities, truths[known], names, predictions.ids[known])
        if correction is not None:
            covered = coverage(probabilities, truths[known], names, predictions.ids[known])
            found[group] = replace(correction, coverage=covered).to_json()
    return found


def describe_corrections(card: ModelCard) -> str:
    """Format the card's corrections as a line of text."""
    corrections = read_corrections(card.share_corrections, card.taxonomy, CARD_FILE)
    trusted = [group for group, correction in corrections.items() if correction.trusted]
    others = [group for group in card.taxonomy.groups if group not in trusted]
    rest = f"; missing or not trusted for {', '.join(others)}" if others else ""
    return f"       share corrections are trusted for {len(trusted)} groups{rest}"


def true_classes(targets: np.ndarray, taxonomy: Taxonomy, group: str, gates: GatePredictions) -> np.ndarray:
    """True class of each photograph in a group of L labels: the label's position, L for none, -1 for unknown.

    Photographs with several labels count as unknown: corrections assume one label per product.

    Args:
        targets: (N, A), 1 yes, 0 no, -1 not annotated.
        taxonomy: of the A labels.
        group: of the labels.
        gates: gate targets: if the group does not apply, the product has none of its labels.
    """
    own = targets[:, taxonomy.indices(group)]
    yes = own == YES
    none = (own == NO).all(axis=1)
    if group in gates.gates.applies:
        none |= gates.targets[:, gates.gates.applies.index(group)] == NO
    if gates.gates.product:
        none |= gates.targets[:, -1] == NO
    truths = np.where(none, own.shape[1], -1)
    return np.where(yes.sum(axis=1) == 1, yes.argmax(axis=1), np.where(yes.any(axis=1), -1, truths))


def fit_correction(
    probabilities: np.ndarray, truths: np.ndarray, names: Sequence[str], ids: np.ndarray
) -> GroupCorrection | None:
    """Fit a group's correction; None if fewer than two classes have enough photographs.

    The mean probabilities of a class are shrunk toward a prior with the weight of `PRIOR_PHOTOGRAPHS` photographs: the
    mean over all photographs, weighted by their probability of that class, as if these were correct. This keeps the
    inverse bounded for classes of a dozen photographs and hardly changes it for hundreds.

    Args:
        probabilities: (N, L), calibrated.
        truths: (N,), from `true_classes`, all known.
        names: of the L labels.
        ids: (N,), product ids: photographs of one product are not independent.
    """
    size = len(names)
    counts = np.bincount(truths, minlength=size + 1)
    common = np.flatnonzero(counts[:size] >= LEAST_PHOTOGRAPHS)
    rare = np.flatnonzero(counts[:size] < LEAST_PHOTOGRAPHS)
    rest, none = bool(counts[rare].sum() >= LEAST_PHOTOGRAPHS), bool(counts[size] >= LEAST_PHOTOGRAPHS)
    classes = len(common) + rest + none
    if not len(common) or classes < 2:
        return None
    labels = tuple(names[int(i)] for i in common)
    class_of = np.full(size + 1, -1)  # class of each label and of none; -1 if too rare
    class_of[common] = np.arange(len(common))
    if rest:
        class_of[rare] = len(common)
    if none:
        class_of[size] = classes - 1
    found = class_of[truths]
    used = found >= 0
    values = class_probabilities(probabilities[used], names, labels, rest, none)
    members = np.eye(classes)[found[used]]  # (n, C), one-hot
    photographs = members.sum(0)
    believed = np.maximum(values, 0)
    prior = believed.T @ values / np.maximum(believed.sum(0), 1e-9)[:, None]
    means = (members.T @ values + PRIOR_PHOTOGRAPHS * prior) / (photographs + PRIOR_PHOTOGRAPHS)[
        :, None
    ]  # of classes, (C, C)
    weights = np.linalg.pinv(means.T)
    estimates = values @ weights.T
    center = members.T @ estimates / photographs[:, None]
    variances = np.stack(
        [
            _variance_of_sum((estimates - center[j])[members[:, j] > 0], ids[used][members[:, j] > 0])
            / (photographs[j] + PRIOR_PHOTOGRAPHS) ** 2
            for j in range(classes)
        ]
    )
    return GroupCorrection(labels, rest, none, tuple(photographs.astype(int).tolist()), weights, variances)


def _variance_of_sum(residuals: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Variance of the sum of residuals (n, C), clustered by product, (C,)."""
    product = np.unique(ids, return_inverse=True)[1]
    products = int(product.max()) + 1
    sums = np.zeros((products, residuals.shape[1]))
    np.add.at(sums, product, residuals)
    return (sums**2).sum(0) * products / max(products - 1, 1)


def coverage(probabilities: np.ndarray, truths: np.ndarray, names: Sequence[str], ids: np.ndarray) -> float | None:
    """Share of 95 % intervals that contain the true share in simulated catalogs; None if none was drawn.

    `SPLITS` times, the correction is fitted on a random half of the products and catalogs are drawn from the other
    half. Only labels with a true share of at least `NOTICED` count.
    """
    rng = np.random.default_rng(SEED)
    held, drawn = 0, 0
    for teaching, others in halves(ids, rng, SPLITS):
        correction = fit_correction(probabilities[teaching], truths[teaching], names, ids[teaching])
        if correction is None or not len(others):
            continue
        corrected = [list(names).index(name) for name in correction.labels]
        estimates = correction.estimates(probabilities[others], names)
        members = [np.flatnonzero(truths[others] == i) for i in range(len(names) + 1)]
        available = np.array([len(rows) for rows in members])
        for _ in range(CATALOGS):
            shares = shifted_shares(available, rng)
            rows = drawn_rows(members, rng.multinomial(PRODUCTS, shares), rng)
            mean, variance = estimates[rows].mean(0), estimates[rows].var(0, ddof=1)
            noise = np.clip(mean, 0, 1) ** 2 @ correction.variances
            low, high = share_intervals(mean, variance, PRODUCTS, noise)
            truth = shares[corrected]
            noticed = truth >= NOTICED
            inside = (low[: len(truth)] <= truth) & (truth <= high[: len(truth)])
            held, drawn = held + int(inside[noticed].sum()), drawn + int(noticed.sum())
    return round(held / drawn, 4) if drawn else None


def halves(ids: np.ndarray, rng: np.random.Generator, times: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Row positions of two random halves that do not split products, drawn `times` times."""
    products = np.unique(ids, return_inverse=True)[1]
    for _ in range(times):
        first = (rng.permutation(products.max(initial=-1) + 1) % 2 == 0)[products]
        yield np.flatnonzero(first), np.flatnonzero(~first)


def shifted_shares(available: np.ndarray, rng: np.random.Generator, products: int = PRODUCTS) -> np.ndarray:
    """Random class shares around the observed ones, (C,).

    Each is limited so that, on average, the available photographs suffice without repetition: a repeated photograph is
    not an independent product, which the intervals assume.

    Args:
        available: photographs of each class, (C,).
        rng: random generator.
        products: products per catalog.
    """
    shares = available * np.exp(SHIFT * rng.normal(size=len(available)))
    for _ in range(10):  # redistribute what exceeds a class's limit to the others
        shares = np.minimum(shares / shares.sum(), available / products)
    return shares / shares.sum()


def drawn_rows(rows: Sequence[np.ndarray], counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw `counts` rows of each class, without replacement if there are enough."""
    chosen = [
        rng.choice(each, count, replace=count > len(each)) for each, count in zip(rows, counts, strict=True) if count
    ]
    return np.concatenate(chosen)
