"""Refits (thresholds and calibration fitted to corrections) as shown on the review page."""

from typing import Any

from catalog.corrections.corrected_products import LEAST
from catalog.corrections.refit_thresholds import AS_BEFORE, SCORES
from catalog.corrections.refitting import Proposal
from catalog.scored.correction_store import REFITS, CorrectionStore, in_force


def proposal_json(proposal: Proposal) -> dict[str, Any]:
    """A proposed refit for JSON, with `score` (name), `judged` (the evaluation set as text) and `fits_thresholds`."""
    judged = (
        f"Evaluated on {proposal.representative:,} products that represent the whole catalog"
        if proposal.representative >= LEAST
        else "Evaluated on products from queues, which are harder than the rest; thresholds are fitted once "
        f"{LEAST} corrected products came from the random order or from new arrivals"
    )
    score = SCORES.get(proposal.refit.profile, "micro_f1").replace("_f1", "-F1")
    return proposal.to_json() | {
        "score": score,
        "judged": judged,
        "fits_thresholds": proposal.chosen != AS_BEFORE,
    }


def refit_in_words(store: CorrectionStore) -> str:
    """A sentence on who applied the refit in force and when; "" if there is none."""
    standing = in_force(store.history(REFITS))
    if not standing:
        return ""
    return f"In force: applied by {standing[-1].who} on {standing[-1].at[:16].replace('T', ' at ')} (UTC)."
