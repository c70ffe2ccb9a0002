"""Items of the review queue: what is shown of each product, as JSON-serializable objects."""

from collections.abc import Sequence
from typing import Any

from catalog.corrections.label_batches import LabelBatch
from catalog.corrections.queues import QueueItem
from catalog.scored.columns import ATTRIBUTE, ID, PROBABILITIES, vector_rows
from fashion.errors import DataError
from page.shop import Shop


def review_items(shop: Shop, queued: Sequence[QueueItem]) -> list[dict[str, Any]]:
    """One item for each queued (product, group).

    Returns:
        `product`, `title`, `photographs` (their number), `group`, `label` (the value in the source's
        table, if that is in question), `reason`, `state` (version in the store, to be sent back with a correction) and
        `choices`: all labels of the group with `name`, `probability` and `answered`, answered ones first, then by
        probability.
    """
    groups = list(dict.fromkeys(each.group for each in queued))
    columns = [ID, PROBABILITIES, *(ATTRIBUTE + group for group in groups)]
    found = shop.scored.rows_of([each.product for each in queued], columns)
    places = {id: row for row, id in enumerate(found[ID].to_pylist())}
    probabilities = vector_rows(found[PROBABILITIES].combine_chunks()) if places else None
    answered = {group: found[ATTRIBUTE + group].to_pylist() for group in groups}
    states = shop.store.states(places)
    items = []
    for each in queued:
        row = places.get(each.product)
        if row is None or probabilities is None:
            continue  # removed from the catalog since the queue was computed
        items.append(
            _described(shop, each.product, states[each.product])
            | {
                "group": each.group,
                "label": each.label,
                "reason": each.reason,
                "choices": _choices(shop, each.group, probabilities[row], answered[each.group][row] or []),
            }
        )
    return items


def batch_items(shop: Shop, batches: Sequence[LabelBatch]) -> list[dict[str, Any]]:
    """One item for each batch of products that may have the same label: `group`, `name`, `reason`, `products`."""
    states = shop.store.states(id for batch in batches for id in batch.products)
    return [
        {
            "group": batch.label.group,
            "name": batch.label.name,
            "reason": batch.reason,
            "products": [
                _described(shop, id, states[id]) | {"probability": probability, "answered": answered}
                for id, probability, answered in zip(batch.products, batch.probabilities, batch.answered, strict=True)
            ],
        }
        for batch in batches
    ]


def review_item(shop: Shop, product: str, group: str) -> dict[str, Any]:
    """The current item of one product. Raises DataError if the catalog does not have it, or the group."""
    if group not in shop.scored.manifest.taxonomy.groups:
        raise DataError(f"the catalog has no group {group[:60]!r}")
    found = review_items(shop, [QueueItem(product, group, "", 0.0, "")])
    if not found:
        raise DataError(f"the catalog has no product {product[:60]!r}")
    return found[0]


def _described(shop: Shop, id: str, state: int) -> dict[str, Any]:
    row = shop.row(id)
    return {"product": id, "title": shop.title(row), "photographs": len(shop.photographs(id)), "state": state}


def _choices(shop: Shop, group: str, probabilities: Any, answered: Sequence[str]) -> list[dict[str, Any]]:
    taxonomy = shop.scored.manifest.taxonomy
    indices = taxonomy.indices(group)
    falling = sorted(indices.tolist(), key=lambda i: (taxonomy.labels[i].name not in answered, -probabilities[i]))
    return [
        {
            "name": taxonomy.labels[i].name,
            "probability": round(float(probabilities[i]), 4),
            "answered": taxonomy.labels[i].name in answered,
        }
        for i in falling
    ]
