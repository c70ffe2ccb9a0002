"""Facts of the model card that the browser needs to choose labels as `fashion.answers.chosen_labels` does."""

from typing import Any

from fashion.model_card import TOP_K, ModelCard
from fashion.profiles.thresholds import HALF, MACRO_F1, MICRO_F1, PRECISION
from page.trying.limits import MAX_CONCURRENT, MAX_FILES
from serving.protocol import MAX_BODY

# Descriptions of the standard profiles, see docs/thresholds.md; other profiles are shown by name only.
MEANINGS = {
    MICRO_F1: "the most answers right: for filters, search and statistics",
    MACRO_F1: "rare labels too, though more often wrong: for people to review",
    PRECISION: "few answers, about 9 in 10 right: for writing into a shop without review",
    TOP_K: "a label for each group, however unsure: for forms",
    HALF: "labels that are more likely than not",
}


def card_facts(card: ModelCard, name: str) -> dict[str, Any]:
    """Groups, labels, gates, and the thresholds of each profile, ready for JSON.

    Args:
        card: of the model.
        name: of the model on the server.

    Returns:
        `profiles` has for each profile the threshold of each label, by `group:name`; `applies` the threshold of each
        group's gate.
    """
    names = [f"{label.group}:{label.name}" for label in card.labels]
    rows = {profile: [round(float(t), 4) for t in card.threshold_row(profile)] for profile in card.profiles}
    return {
        "name": name,
        "groups": list(card.taxonomy.groups),
        "profiles": {profile: dict(zip(names, row, strict=True)) for profile, row in rows.items()},
        "default": card.default_profile,
        "meanings": {profile: MEANINGS[profile] for profile in card.profiles if profile in MEANINGS},
        "counting": {TOP_K: card.top_k} if card.top_k else {},
        "applies": {group: float(t) for group, t in zip(card.gates.applies, card.gate_row, strict=False)},
        "maxFiles": MAX_FILES,
        "maxBytes": MAX_BODY,
        "sideBySide": MAX_CONCURRENT,
    }
