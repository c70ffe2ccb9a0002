"""Calibration and thresholds fitted anew on what people said of a catalog's products.

They begin with those in force and move away from them as far as corrections show. It matters which products were
corrected: what somebody came across, or what contradicts the table, is mostly wrong and would teach that all is. So

- a group's calibration gets a scale and an offset on top of its own, fitted on what queues led to that do not look at
  what is true (`BLIND`), where that lowers the log loss of products it was not fitted on;
- thresholds are drawn toward those that suit the products best that stand for the whole catalog (`REPRESENTATIVE`),
  the more the more corrected labels there are, and stay where chance cannot tell both apart.

Scores are out of fold: no product is judged by what was fitted on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from catalog.corrections.queues import BATCHES, NEW, RANDOM, UNCERTAIN
from catalog.scored.columns import ID, LOGITS, gate_columns, vector_rows
from catalog.scored.correction_store import REFITS, CorrectionStore, Entry, in_force
from catalog.scored.refit import Refit
from catalog.scored.table import Scored, describe_model
from catalog.scored.verdicts import target_rows, verdicts
from fashion.calibration import PLATT, RIVALS, TEMPERATURE, Calibration, calibrated
from fashion.errors import DataError, SettingError
from fashion.gates import Gates
from fashion.model_card import ModelCard
from fashion.profiles.bootstrap import Interval, interval
from fashion.profiles.calibration import calibration_error, fit_calibration
from fashion.profiles.choosing import score_of, simplest_of_the_best
from fashion.profiles.folds import split_folds
from fashion.profiles.thresholds import MACRO_F1, MICRO_F1, f1_candidates, toward
from fashion.taxonomy import NOT_ANNOTATED, YES, Taxonomy

LEAST = 30  # corrected products with a label that is right; of fewer, folds hold too few to judge anything
REPRESENTATIVE = (NEW, RANDOM)  # queues whose products are like the rest
BLIND = (UNCERTAIN, BATCHES, *REPRESENTATIVE)  # and those that choose by what the model says alone
AS_BEFORE = "as before"
WEIGHT = 30  # corrected labels that weigh as much as the thresholds in force
SCORES = {MICRO_F1: "micro_f1", MACRO_F1: "macro_f1"}  # profiles whose thresholds are fitted; others keep theirs
RESAMPLES = 1_000


@dataclass(frozen=True)
class Corrected:
    """What the model says of N corrected products, and what people say.

    Attributes:
        taxonomy, gates, gate_thresholds: of the model.
        logits: float32 (N, A).
        seen: float32 (N, K), the probabilities of the gates.
        targets: int8 (N, A), 1 yes, 0 no, -1 nobody said.
        representative: the same of what stands for the whole catalog, -1 elsewhere.
    """

    taxonomy: Taxonomy
    gates: Gates
    gate_thresholds: dict[str, Any]
    logits: np.ndarray
    seen: np.ndarray
    targets: np.ndarray
    representative: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> "Corrected":
        """Those of some products."""
        parts = (self.logits, self.seen, self.targets, self.representative)
        return Corrected(self.taxonomy, self.gates, self.gate_thresholds, *(part[rows] for part in parts))

    @property
    def represents(self) -> int:
        """How many products stand for the whole catalog."""
        return int((self.representative == YES).any(axis=1).sum())

    def probabilities(self, calibration: Calibration) -> np.ndarray:
        """Calibrated and with gates, float32 (N, A), 0 for labels that gates keep from being answered."""
        own = calibrated(self.logits, self.taxonomy, calibration) * self.gates.factors(self.seen, self.taxonomy)
        thresholds = self.gates.threshold_row(self.gate_thresholds)
        return np.where(self.gates.answerable(self.seen, thresholds, self.taxonomy), own, np.float32(0))


@dataclass(frozen=True)
class Proposal:
    """What a refit would change.

    Attributes:
        refit: to be written by `apply`.
        seen: the state of `REFITS` in the store when it was made.
        products, labels: corrected products that it is fitted on, and labels of theirs that people decided.
        representative: how many of the products stand for the whole catalog; of fewer than `LEAST`, thresholds stay
            and scores are of what a queue led to, which is harder than the rest.
        chosen: how the thresholds were set: `as before`, or the name of a candidate.
        recalibrated: groups with another calibration.
        before, after: micro-F1 (or macro-F1, where the profile is for that) of the products that stand for the
            catalog, where they are enough, else of all of them; the latter out of fold. `gain` is their difference,
            `interval` its 95 % interval over products.
        error_before, error_after: expected calibration error of the decided labels, the latter out of fold.
        added, removed, answers: answers of the catalog that would be new or go, and how many there are now; by group
            in `by_group`.
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
        """How much the score rises."""
        return self.after - self.before

    def __str__(self) -> str:
        low, high = self.interval or (float("nan"), float("nan"))
        calibration = ", ".join(self.recalibrated) or "none"
        name = SCORES.get(self.refit.profile, "micro_f1").replace("_f1", "-F1")
        judged = (
            f"the {self.representative:,} of them that stand for the whole catalog"
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
                f"calibration error: {_cell(self.error_before)} before, {_cell(self.error_after)} after (out of fold)",
                f"of {self.answers:,} answers of the catalog {self.removed:,} would go, {self.added:,} come: {changes}",
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        found = {name: value for name, value in vars(self).items() if name != "refit"}
        return found | {"gain": self.gain, "profile": self.refit.profile}


def propose(scored: Scored, card: ModelCard) -> Proposal:
    """Fit, judge and count; nothing is written.

    Args:
        scored: the catalog.
        card: of the model that scored it.

    Raises:
        DataError: the catalog was scored by another model, or too few products are corrected.
        SettingError: the catalog was scored with a profile that has no thresholds.
    """
    seen = CorrectionStore(scored.folder).states([REFITS])[REFITS]
    card, profile = _card(scored, card), scored.manifest.profile
    data = _corrected(scored, card)
    before = card.threshold_row(profile)
    fitted = _fit(data, card.calibration, before, profile)
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
    judged = data.representative if data.represents >= LEAST else data.targets
    counts = _count_changes(scored, card, refit)
    return Proposal(
        refit=refit,
        seen=seen,
        products=len(data.targets),
        labels=int(decided.sum()),
        representative=data.represents,
        chosen=fitted.chosen,
        recalibrated=[g for g in data.taxonomy.groups if fitted.calibration.get(g) != card.calibration.get(g)],
        before=score_of(now >= before, judged, score),
        after=score_of(fitted.answered, judged, score),
        interval=_gain_interval(now >= before, fitted.answered, judged),
        error_before=calibration_error(now[decided], data.targets[decided] == YES),
        error_after=calibration_error(fitted.probabilities[decided], data.targets[decided] == YES),
        added=sum(a for a, _, _ in counts.values()),
        removed=sum(r for _, r, _ in counts.values()),
        answers=sum(n for _, _, n in counts.values()),
        by_group={group: (a, r) for group, (a, r, _) in counts.items()},
    )


def apply(scored: Scored, proposal: Proposal, who: str | None = None) -> Entry:
    """Let a proposal take effect in the catalog: filters, trends, exports and searches follow at once.

    Raises:
        ChangedMeanwhile: somebody has applied or undone another since it was made.
    """
    return CorrectionStore(scored.folder).write_refit(proposal.refit.to_json(), proposal.seen, who)


def undo_refit(scored: Scored, who: str | None = None) -> Entry:
    """Take the refit in force back; what was in force before it is so again. Raises DataError where there is none."""
    store = CorrectionStore(scored.folder)
    standing = in_force(store.history(REFITS))
    if not standing:
        raise DataError(f"nothing is refitted in {scored.folder}, so there is nothing to undo")
    return store.undo([standing[-1].number], store.states([REFITS]), who)[0]


def _card(scored: Scored, card: ModelCard) -> ModelCard:
    """The card with what is in force in the catalog."""
    if card.weights_id != scored.manifest.model["weights"]:
        raise DataError(
            f"{scored.folder} was scored by {describe_model(scored.manifest.model)}, the bundle holds {card.name} "
            f"{card.version}; give the bundle that scored it"
        )
    if scored.manifest.profile not in card.thresholds:
        raise SettingError(
            f"{scored.folder} was scored with the profile {scored.manifest.profile!r}, which has no thresholds to fit; "
            f"score with one of: {', '.join(card.thresholds)}"
        )
    return scored.refitted(card)


def _corrected(scored: Scored, card: ModelCard) -> Corrected:
    overlay = scored.overlay()
    entries = overlay.entries if overlay else []
    known = overlay.known if overlay else {}
    blind, like_the_rest = (
        verdicts([entry for entry in entries if entry.found_by in queues], card.taxonomy)
        for queues in (BLIND, REPRESENTATIVE)
    )
    useful = [id for id in blind if not known[id].not_product and (known[id].targets == YES).any()]
    rows = scored.rows_of(useful, [ID, LOGITS, *gate_columns(card.gates)], corrected=False) if useful else None
    count = rows.num_rows if rows else 0
    if rows is None or count < LEAST:
        raise DataError(
            f"{count} of the {len(known)} corrected products of {scored.folder} have a label that is right and came "
            f"from one of the queues {', '.join(BLIND)}; a refit needs {LEAST}, and learns nothing from what somebody "
            "came across, which is mostly what is wrong"
        )
    ids = rows[ID].to_pylist()
    logits = vector_rows(rows[LOGITS].combine_chunks()).astype(np.float32)
    seen = _columns(
        [rows[name].combine_chunks().to_numpy(zero_copy_only=False) for name in gate_columns(card.gates)], count
    )
    said = target_rows(known, ids, card.taxonomy)  # by the last word, whatever led to it
    targets, representative = (
        np.where(target_rows(part, ids, card.taxonomy) != NOT_ANNOTATED, said, np.int8(NOT_ANNOTATED))
        for part in (blind, like_the_rest)
    )
    return Corrected(card.taxonomy, card.gates, card.gate_thresholds, logits, seen, targets, representative)


class Fitted(NamedTuple):
    """What was fitted on all corrected products, and what it says of each when that is held out.

    Attributes:
        calibration: by group.
        thresholds: (A,).
        chosen: name of the candidate that the thresholds are.
        probabilities, answered: (N, A), out of fold. Which candidate is taken is decided by the same answers, once.
    """

    calibration: dict[str, dict[str, Any]]
    thresholds: np.ndarray
    chosen: str
    probabilities: np.ndarray
    answered: np.ndarray


def _fit(data: Corrected, calibration: Calibration, thresholds: np.ndarray, profile: str) -> Fitted:
    fits_thresholds = profile in SCORES and data.represents >= LEAST

    def candidates(part: Corrected, calibration: Calibration) -> dict[str, np.ndarray]:
        return _candidates(part, calibration, thresholds, profile) if fits_thresholds else {AS_BEFORE: thresholds}

    probabilities = np.empty(data.targets.shape, np.float32)
    answered: dict[str, np.ndarray] = {}
    for rest, held in split_folds(len(data.targets)):
        part = _recalibrated(data[rest], calibration)
        probabilities[held] = data[held].probabilities(part)
        for name, row in candidates(data[rest], part).items():
            answered.setdefault(name, np.zeros(data.targets.shape, bool))[held] = probabilities[held] >= row
    chosen = simplest_of_the_best(answered, data.representative, SCORES.get(profile, "micro_f1"), None)
    fitted = _recalibrated(data, calibration)
    row = candidates(data, fitted)[chosen]
    return Fitted(fitted, row, chosen, probabilities, answered[chosen])


def _recalibrated(data: Corrected, calibration: Calibration) -> dict[str, dict[str, Any]]:
    """The calibration with a scale and an offset more in the groups where that helps.

    sigmoid(s * (a * logit + b - c * rivalry) + o) is of the same form: a, b and c become s * a, s * b + o and s * c.
    """
    own = np.clip(calibrated(data.logits, data.taxonomy, calibration).astype(np.float64), 1e-7, 1 - 1e-7)
    targets = data.targets.copy()
    for group in data.taxonomy.groups:  # a group that does not apply says nothing of its labels' own probabilities
        indices = data.taxonomy.indices(group)
        targets[np.ix_(~(targets[:, indices] == YES).any(axis=1), indices)] = NOT_ANNOTATED
    more = fit_calibration(np.log(own / (1 - own)), targets, data.taxonomy, methods=(TEMPERATURE, PLATT))
    found = {group: dict(values) for group, values in calibration.items()}
    for group, step in more.items():
        was = found.get(group, {"scale": 1.0, "offset": 0.0})
        scale, offset = step["scale"], step["offset"]
        values = {"scale": scale * was["scale"], "offset": scale * was["offset"] + offset}
        rivals = {"rivals": scale * was["rivals"]} if was.get("rivals") else {}
        found[group] = {"method": RIVALS if rivals else PLATT} | values | rivals
    return found


def _candidates(
    data: Corrected, calibration: Calibration, thresholds: np.ndarray, profile: str
) -> dict[str, np.ndarray]:
    """Thresholds that may be better, (A,) each, the simplest first: those in force, and others drawn toward them."""
    best = f1_candidates(data.probabilities(calibration), data.representative, data.taxonomy)[profile]
    positives = (data.representative == YES).sum(axis=0)
    of_group = np.zeros(len(thresholds))
    for group in data.taxonomy.groups:
        indices = data.taxonomy.indices(group)
        of_group[indices] = positives[indices].sum()
    found = {AS_BEFORE: thresholds}
    for name, row in best.items():
        found[name] = toward(row, positives if name.startswith("label") else of_group, thresholds, WEIGHT)
    return found


def _gain_interval(before: np.ndarray, after: np.ndarray, targets: np.ndarray) -> Interval:
    """The 95 % interval of the gain of micro-F1 over products drawn with replacement; both are of the same draws."""
    yes, annotated = targets == YES, targets != NOT_ANNOTATED
    counts = [
        ((answered & yes).sum(axis=1), (answered & annotated).sum(axis=1) + yes.sum(axis=1))
        for answered in (before, after)
    ]

    def gain(weights: np.ndarray) -> np.ndarray:
        was, then = (2 * (weights @ right) / np.maximum(1, weights @ whole) for right, whole in counts)
        return (1 + then - was) / 2  # an interval is within 0 and 1, a gain within -1 and 1

    found = interval(gain, len(targets), RESAMPLES)
    return found and [2 * value - 1 for value in found]


def _count_changes(scored: Scored, card: ModelCard, refit: Refit) -> dict[str, tuple[int, int, int]]:
    """By group how many answers come, how many go and how many there are, over the whole catalog."""
    taxonomy, gates = card.taxonomy, gate_columns(card.gates)
    before = card.threshold_row(refit.profile)
    overlay = scored.overlay()
    added, removed, there = (np.zeros(len(taxonomy), np.int64) for _ in range(3))
    for batch in scored.batches([ID, LOGITS, *gates], corrected=False):
        logits = vector_rows(batch.column(LOGITS)).astype(np.float32)
        seen = _columns([batch.column(name).to_numpy(zero_copy_only=False) for name in gates], len(batch))
        answerable = card.answerable(seen)
        was = (card.joint_probabilities(logits, seen) >= before) & answerable
        then = refit.answered(refit.probabilities(logits, seen, taxonomy), seen, taxonomy)
        decided = target_rows(overlay.known if overlay else {}, batch.column(ID).to_pylist(), taxonomy) != NOT_ANNOTATED
        added += (then & ~was & ~decided).sum(axis=0)
        removed += (was & ~then & ~decided).sum(axis=0)
        there += was.sum(axis=0)
    return {
        group: tuple(int(count[taxonomy.indices(group)].sum()) for count in (added, removed, there))  # type: ignore[misc]
        for group in taxonomy.groups
    }


def _columns(columns: list[np.ndarray], rows: int) -> np.ndarray:
    """Columns beside each other, (rows, K), also where there are none."""
    return np.stack(columns, axis=1) if columns else np.empty((rows, 0), np.float32)


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
