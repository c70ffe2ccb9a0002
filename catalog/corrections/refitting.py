"""Refit calibration and thresholds on corrections of a catalog.

The refit starts from the values in force. Its training products must not be biased toward errors, as products found by
chance or by a contradiction with the table are. Therefore:

- A group's calibration gets an additional scale and offset, fitted on products from queues that choose by the model's
  answers alone (`BLIND`), if that lowers the held-out log loss.
- Thresholds move toward the best ones for a representative sample (`REPRESENTATIVE`), farther the more corrected labels
  there are. They stay if the difference is not statistically significant.

Scores are out of fold: no product is scored with parameters that were fitted on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.corrections.corrected_products import LEAST, corrected_products, stack_columns
from catalog.corrections.queues import RANDOM
from catalog.corrections.refit_thresholds import SCORES, fit_refit
from catalog.scored.columns import ID, LOGITS, gate_columns, vector_rows
from catalog.scored.correction_store import REFITS, CorrectionStore, Entry, in_force
from catalog.scored.refit import Refit
from catalog.scored.table import Scored
from catalog.scored.verdicts import target_rows
from fashion.answers import identity
from fashion.errors import DataError, SettingError
from fashion.model_card import ModelCard
from fashion.profiles.bootstrap import Interval, interval
from fashion.profiles.calibration import calibration_error
from fashion.profiles.model_selection import f1_score
from fashion.taxonomy import NOT_ANNOTATED, YES
from fashion.text_tables import number_cell

RESAMPLES = 1_000


@dataclass(frozen=True)
class Proposal:
    """A proposed refit and its effects.

    Attributes:
        refit: what `apply` writes.
        seen: the state of `REFITS` in the store when the proposal was made.
        products, labels: numbers of corrected products and labels that it is fitted on.
        representative: number of products from representative queues. With fewer than `LEAST`, thresholds stay, and
            scores are of all the products, which are harder than the rest of the catalog.
        chosen: how the thresholds were set: `as before`, or the name of a candidate.
        recalibrated: groups whose calibration changes.
        before, after: micro-F1, or macro-F1 if the profile maximizes that, on the representative products if there are
            enough, otherwise on all; `after` is out of fold. `gain` is their difference, `interval` its 95 % interval
            over products.
        error_before, error_after: expected calibration error of the corrected labels, the latter out of fold.
        added, removed, answers: answers in the catalog that would be added or removed, and the current number; by
            group in `by_group`.
    """

    refit: Refit
    seen: int
    products: int
    labels: int
    representative: int
    chosen: str
    recalibrated: list[str]
    before: float
    after: float
    interval: Interval
    error_before: float | None
    error_after: float | None
    added: int
    removed: int
    answers: int
    by_group: Mapping[str, tuple[int, int]]

    @property
    def gain(self) -> float:
        """Increase of the score."""
        return self.after - self.before

    def __str__(self) -> str:
        low, high = self.interval or (float("nan"), float("nan"))
        error_before, error_after = (number_cell(error, 4) for error in (self.error_before, self.error_after))
        calibration = ", ".join(self.recalibrated) or "none"
        name = SCORES.get(self.refit.profile, "micro_f1").replace("_f1", "-F1")
        judged = (
            f"the {self.representative:,} of them that represent the whole catalog"
            if self.representative >= LEAST
            else f"these products, which are harder than the rest (--queue {RANDOM} has others)"
        )
        changes = ", ".join(f"{group} +{a:,} -{r:,}" for group, (a, r) in self.by_group.items() if a or r) or "none"
        return "\n".join(
            [
                f"fitted on {self.products:,} corrected products with {self.labels:,} decided labels",
                f"thresholds of the profile {self.refit.profile}: {self.chosen}; calibration of: {calibration}",
                f"{name} of {judged}: {self.before:.3f} before, {self.after:.3f} after (out of fold), "
                f"{self.gain:+.3f}, 95 % interval {low:+.3f} to {high:+.3f}",
                f"calibration error: {error_before} before, {error_after} after (out of fold)",
                f"of {self.answers:,} answers of the catalog {self.removed:,} would be removed, "
                f"{self.added:,} added: {changes}",
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """The proposal as `--json` prints it."""
        found = {name: value for name, value in vars(self).items() if name != "refit"}
        return found | {"gain": self.gain, "profile": self.refit.profile}


def propose(scored: Scored, card: ModelCard) -> Proposal:
    """Fit and evaluate a refit, without writing anything.

    Args:
        scored: the catalog.
        card: of the model that scored it.

    Raises:
        DataError: the catalog was scored by another model, or too few products are corrected.
        SettingError: the catalog was scored with a profile that has no thresholds.
    """
    seen = CorrectionStore(scored.folder).states([REFITS])[REFITS]
    card, profile = _card_in_force(scored, card), scored.manifest.profile
    data = corrected_products(scored, card)
    before = card.threshold_row(profile)
    fitted = fit_refit(data, card.calibration, before, profile)
    now = data.probabilities(card.calibration)
    score = SCORES.get(profile, "micro_f1")
    refit = Refit(
        card.weights_id,
        profile,
        fitted.calibration,
        fitted.thresholds.tolist(),
        card.gates.to_json(),
        dict(card.gate_thresholds),
    )
    decided = data.targets != NOT_ANNOTATED
    judged = data.representative_targets if data.representative_count >= LEAST else data.targets
    counts = _count_changes(scored, card, refit)
    return Proposal(
        refit=refit,
        seen=seen,
        products=len(data.targets),
        labels=int(decided.sum()),
        representative=data.representative_count,
        chosen=fitted.chosen,
        recalibrated=[g for g in data.taxonomy.groups if fitted.calibration.get(g) != card.calibration.get(g)],
        before=f1_score(now >= before, judged, score),
        after=f1_score(fitted.answered, judged, score),
        interval=_gain_interval(now >= before, fitted.answered, judged, score),
        error_before=calibration_error(now[decided], data.targets[decided] == YES),
        error_after=calibration_error(fitted.probabilities[decided], data.targets[decided] == YES),
        added=sum(a for a, _, _ in counts.values()),
        removed=sum(r for _, r, _ in counts.values()),
        answers=sum(n for _, _, n in counts.values()),
        by_group={group: (a, r) for group, (a, r, _) in counts.items()},
    )


def apply(scored: Scored, proposal: Proposal, who: str | None = None) -> Entry:
    """Apply a proposal to the catalog: filters, trends, exports and searches use it at once.

    Raises:
        ChangedMeanwhile: another refit was applied or undone since the proposal was made.
    """
    return CorrectionStore(scored.folder).write_refit(proposal.refit.to_json(), proposal.seen, who)


def undo_refit(scored: Scored, who: str | None = None) -> Entry:
    """Undo the refit in force, so that the previous one applies again. Raises DataError if there is none."""
    store = CorrectionStore(scored.folder)
    standing = in_force(store.history(REFITS))
    if not standing:
        raise DataError(f"{scored.folder} has no refit in force, so there is nothing to undo")
    return store.undo([standing[-1].number], store.states([REFITS]), who)[0]


def _card_in_force(scored: Scored, card: ModelCard) -> ModelCard:
    """The model card with the refit in force. Raises an error for another model or a profile without thresholds."""
    scored.check_model(identity(card))
    if scored.manifest.profile not in card.thresholds:
        raise SettingError(
            f"{scored.folder} was scored with the profile {scored.manifest.profile!r}, which has no thresholds to fit; "
            f"score with one of: {', '.join(card.thresholds)}"
        )
    return scored.refitted(card)


def _gain_interval(before: np.ndarray, after: np.ndarray, targets: np.ndarray, score: str) -> Interval:
    """Paired bootstrap over products: the 95 % interval of the gain in a score, see `f1_score`."""

    def counts(mask: np.ndarray) -> np.ndarray:
        """By product, for macro-F1 also by label, float32 (N, 1 or A)."""
        return (mask.sum(axis=1, keepdims=True) if score == "micro_f1" else mask).astype(np.float32)

    positive, annotated = targets == YES, targets != NOT_ANNOTATED
    yes = counts(positive)
    parts = [(counts(answered & positive), counts(answered & annotated) + yes) for answered in (before, after)]

    def gain(weights: np.ndarray) -> np.ndarray:
        was, then = (2 * (weights @ right) / np.maximum(1, weights @ whole) for right, whole in parts)
        known = weights @ yes > 0
        mean = np.where(known, then - was, 0).sum(axis=1) / np.maximum(1, known.sum(axis=1))
        return (1 + mean) / 2  # `interval` takes values from 0 to 1; a gain is from -1 to 1

    found = interval(gain, len(targets), RESAMPLES)
    return found and [2 * value - 1 for value in found]


def _count_changes(scored: Scored, card: ModelCard, refit: Refit) -> dict[str, tuple[int, int, int]]:
    """By group, how many answers of the whole catalog would be added, would be removed, and exist now."""
    taxonomy, gates = card.taxonomy, gate_columns(card.gates)
    before = card.threshold_row(refit.profile)
    overlay = scored.overlay()
    known = overlay.known if overlay else {}
    added, removed, there = (np.zeros(len(taxonomy), np.int64) for _ in range(3))
    for batch in scored.batches([ID, LOGITS, *gates], corrected=False):
        logits = vector_rows(batch.column(LOGITS)).astype(np.float32)
        seen = stack_columns([batch.column(name).to_numpy(zero_copy_only=False) for name in gates], len(batch))
        answerable = card.answerable(seen)
        was = (card.joint_probabilities(logits, seen) >= before) & answerable
        then = refit.answered(refit.probabilities(logits, seen, taxonomy), seen, taxonomy)
        ids = batch.column(ID).to_pylist()
        decided = target_rows(known, ids, taxonomy) != NOT_ANNOTATED
        decided[[id in known and known[id].not_product for id in ids]] = True  # nothing is answered for these
        added += (then & ~was & ~decided).sum(axis=0)
        removed += (was & ~then & ~decided).sum(axis=0)
        there += was.sum(axis=0)
    return {
        group: tuple(int(count[taxonomy.indices(group)].sum()) for count in (added, removed, there))  # type: ignore[misc]
        for group in taxonomy.groups
    }
