"""Scored catalogs sampled from labeled photographs, with chosen and therefore known shares."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from catalog.scored.columns import ATTRIBUTE, EMBEDDING, ID, IMAGE, LOGITS, PROBABILITIES, vector_column
from catalog.scored.score_manifest import Origin
from catalog.scored.share_corrections import keep_corrections
from catalog.scored.table import Scored, table_schema
from catalog.scoring.parts import PartWriter
from fashion.answers import answered_mask, identity
from fashion.model_card import ModelCard
from fashion.taxonomy import YES
from training.profiles.predictions import Predictions
from training.profiles.share_corrections import drawn_rows, fit_correction, halves, shifted_shares, true_classes

MONTHS, PRODUCTS = 8, 300  # of a catalog, and of each of its months
DATE = "added"
SEED = 0


class DrawnCatalogs:
    """Sample catalogs of photographs that the corrections were not learned from.

    Args:
        card: of the model.
        seen: the model's outputs for the photographs, and the ground truth.

    Attributes:
        rng: the random number generator.
        starts: first day of each month.
    """

    def __init__(self, card: ModelCard, seen: Predictions) -> None:
        self.rng = np.random.default_rng(SEED)
        self.starts = [date(2025, month + 1, 1) for month in range(MONTHS)]
        self._card, self._seen = card, seen
        gates = seen.gate_predictions
        self._truths = {g: true_classes(seen.targets, card.taxonomy, g, gates) for g in card.taxonomy.groups}
        self._answered = answered_mask(card, seen.probabilities, None, gates.probabilities)
        self._products = (gates.targets[:, -1] == YES) if gates.gates.product else np.ones(len(seen.ids), bool)
        self._others = np.arange(0)

    def split(self) -> None:
        """Learn the corrections from half of the products; catalogs are then sampled from the others."""
        (teaching, self._others), *_ = halves(self._seen.ids, self.rng, 1)
        found: dict[str, Any] = {}
        for group, truths in self._truths.items():
            known = teaching[truths[teaching] >= 0]
            probabilities = self._seen.probabilities[known][:, self._card.taxonomy.indices(group)].astype(np.float16)
            names, ids = self._card.taxonomy.names(group), self._seen.ids[known]
            correction = fit_correction(probabilities, truths[known], names, ids)
            if correction is not None:
                found[group] = replace(correction, coverage=1.0).to_json()
        self._card = replace(self._card, share_corrections=found)

    def teaches(self, group: str) -> bool:
        """Whether a correction of the group could be learned."""
        return group in self._card.share_corrections

    def known(self, group: str) -> int:
        """Number of photographs whose label of a group, or its absence, is known."""
        return int((self._truths[group] >= 0).sum())

    def usual(self, group: str) -> np.ndarray:
        """Shares of a group's labels and of "none" among the sampled photographs, (L + 1,)."""
        available = self._available(group)
        return available / available.sum()

    def shifted(self, group: str, times: int, distinct: bool = False) -> np.ndarray:
        """Random shares of a group's labels and of "none", (times, L + 1).

        Args:
            group: the group.
            times: number of months.
            distinct: whether the photographs must suffice for all months together, instead of for each.
        """
        products = PRODUCTS * times if distinct else PRODUCTS
        return np.stack([shifted_shares(self._available(group), self.rng, products) for _ in range(times)])

    def write(self, folder: Path, group: str | None, shares: np.ndarray | None, distinct: bool = False) -> Scored:
        """Sample a catalog and write it into a folder, replacing its contents.

        Args:
            folder: for the catalog.
            group: whose shares are given; None samples uniformly from all photographs of products.
            shares: of its labels and of "none", by month (months, L + 1).
            distinct: whether no photograph is in two months, as far as there are enough.
        """
        if group is None or shares is None:
            rows = self.rng.permutation(self._others[self._products[self._others]])[: MONTHS * PRODUCTS]
            month = np.sort(np.arange(len(rows)) % MONTHS)
        else:
            counts = [self.rng.multinomial(PRODUCTS, each) for each in shares]
            members = self._members(group)
            draws = self._divided(members, counts) if distinct else [drawn_rows(members, c, self.rng) for c in counts]
            rows, month = np.concatenate(draws), np.repeat(np.arange(len(shares)), PRODUCTS)
        groups = self._card.taxonomy.groups if group is None else (group,)
        return self._write(folder, groups, rows, [self.starts[i] for i in month])

    def _divided(self, members: Sequence[np.ndarray], counts: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Draw `counts` rows of each class for each month, all together; a row recurs only if a class has too few."""
        months: list[list[np.ndarray]] = [[] for _ in counts]
        for place, rows in enumerate(members):
            wanted = [int(each[place]) for each in counts]
            if sum(wanted):
                drawn = self.rng.choice(rows, sum(wanted), replace=sum(wanted) > len(rows))
                for month, part in zip(months, np.split(drawn, np.cumsum(wanted)[:-1]), strict=True):
                    month.append(part)
        return [np.concatenate(month) for month in months]

    def _members(self, group: str) -> list[np.ndarray]:
        truths = self._truths[group][self._others]
        return [self._others[truths == i] for i in range(len(self._card.taxonomy.indices(group)) + 1)]

    def _available(self, group: str) -> np.ndarray:
        return np.array([len(rows) for rows in self._members(group)])

    def _write(self, folder: Path, groups: Sequence[str], rows: np.ndarray, days: Sequence[date]) -> Scored:
        """Write the catalog with these groups only, because writing and reading the others would take longest."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        card, taxonomy, own = self._card, self._card.taxonomy, [pa.field(DATE, pa.date32())]
        labels = np.sort(np.concatenate([taxonomy.indices(group) for group in groups]))
        schema = table_schema(groups, len(labels), 1, own)
        columns: dict[str, Any] = {
            ID: [str(i) for i in range(len(rows))],
            IMAGE: self._seen.ids[rows].tolist(),
            DATE: list(days),
            PROBABILITIES: vector_column(self._seen.probabilities[rows][:, labels]),
            LOGITS: vector_column(self._seen.logits[rows][:, labels]),
            EMBEDDING: vector_column(np.ones((len(rows), 1))),
        }
        for group in groups:
            names, chosen = taxonomy.names(group), self._answered[rows][:, taxonomy.indices(group)]
            columns[ATTRIBUTE + group] = [[names[i] for i in np.flatnonzero(row)] for row in chosen]
        writer = PartWriter(folder, Origin(identity(card), "drawn", card.default_profile), schema)
        writer.write(pa.table(columns, schema=schema))
        corrections = {group: card.share_corrections[group] for group in groups if group in card.share_corrections}
        keep_corrections(folder, replace(card, share_corrections=corrections))
        writer.finish([taxonomy.labels[i] for i in labels], 1, [DATE], {})
        return Scored.open(folder)
