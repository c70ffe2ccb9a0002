"""A page server with products and files whose names contain HTML."""

from pathlib import Path

from benchmarks import drawn_shop
from benchmarks.drawn_shop import STARTER, garment, page
from catalog.corrections.queues import RANDOM
from catalog.scored.correction_store import ONLY, Correction, CorrectionStore

__all__ = ["HOSTILE", "PRODUCTS", "STARTER", "garment", "garments_with_corrections", "page", "scored_garments"]

PRODUCTS = 14  # the last two are the same photograph
HOSTILE = "<img src=x onerror=alert(1)>"  # the name of a product and of a file


def scored_garments(home: Path) -> Path:
    """A scored and indexed catalog."""
    return drawn_shop.scored_garments(home, [HOSTILE, *(f"Garment {number}" for number in range(1, PRODUCTS))])


def garments_with_corrections(home: Path) -> Path:
    """A scored catalog with corrections: 36 products found by a random-order queue are for sports."""
    scored = drawn_shop.scored_garments(home, [f"Garment {number}" for number in range(48)], 100, indexed=False)
    said = [Correction(f"g/{number}", ONLY, "usage", "Sports") for number in range(36)]
    CorrectionStore(scored).write(said, {each.product: 0 for each in said}, "ana", found_by=RANDOM)
    return scored
