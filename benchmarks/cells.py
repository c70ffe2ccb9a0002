"""Results of the serving benchmark, in cells: one server at one concurrency in one round."""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fashion.files import write_atomically

EXPLANATIONS = "explanations"  # the shipped server asked for /explanations instead of /predictions


@dataclass(frozen=True)
class Cell:
    """One server at one concurrency in one round.

    Attributes:
        name: of the server.
        concurrency: number of concurrent clients; for an engine that of the servers measured in the same turn.
        round: counted from 0.
        images: number of images answered.
        seconds: total time.
        latencies: of each image, ms, in order of arrival.
        client: processor time of the load generator, ms per image.
        resident: peak resident memory (RSS) of the server's processes, MB.
        proportional: proportional memory (PSS) at the end, MB; None if it is unknown.
        faults: each kind of wrong answer, with its count.
    """

    name: str
    concurrency: int
    round: int
    images: int
    seconds: float
    latencies: list[float]
    client: float
    resident: float
    proportional: float | None
    faults: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.images / self.seconds


@dataclass
class Results:
    """All cells of a run, with statistics of them.

    Attributes:
        machine: see `benchmarks.machine.describe`.
        settings: values for the page by name.
        titles: of the servers and engines by name, in the order of the tables.
        skipped: why servers were not measured, by name.
        cells: in the order in which they were measured.
    """

    machine: str
    settings: dict[str, Any]
    titles: dict[str, str]
    skipped: dict[str, str] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write them as JSON, atomically."""
        write_atomically(path, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Results":
        """Read what `save` wrote."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(**content | {"cells": [Cell(**cell) for cell in content["cells"]]})

    @property
    def concurrencies(self) -> list[int]:
        """All measured concurrencies, in ascending order."""
        return sorted({cell.concurrency for cell in self.cells})

    def cells_of(self, name: str, concurrency: int | None = None) -> list[Cell]:
        """The cells of one server, in the order of the rounds; for one concurrency or for all."""
        return [cell for cell in self.cells if cell.name == name and concurrency in (None, cell.concurrency)]

    def ratios(self, name: str, other: str, concurrency: int) -> list[float]:
        """Ratio of images a second of two servers within each round, so that a slow minute affects both."""
        others = {cell.round: cell for cell in self.cells_of(other, concurrency)}
        return [
            cell.rate / others[cell.round].rate for cell in self.cells_of(name, concurrency) if cell.round in others
        ]

    def delays(self, name: str, other: str, concurrency: int) -> list[float]:
        """Difference of the median latencies of one server and another within each round, ms."""
        others = {cell.round: cell for cell in self.cells_of(other, concurrency)}
        return [
            percentile(cell.latencies, 0.5) - percentile(others[cell.round].latencies, 0.5)
            for cell in self.cells_of(name, concurrency)
            if cell.round in others
        ]

    def costs(self, name: str, other: str) -> list[float]:
        """Additional time per image of one server over another within each round, at any concurrency, ms."""
        others = {(cell.round, cell.concurrency): cell for cell in self.cells_of(other)}
        pairs = ((cell, others.get((cell.round, cell.concurrency))) for cell in self.cells_of(name))
        return [1000 / cell.rate - 1000 / match.rate for cell, match in pairs if match]

    def faults(self) -> list[str]:
        """A line for each cell and kind of wrong answer."""
        return [
            f"{cell.name}, concurrency {cell.concurrency}, round {cell.round + 1}: {count} of {cell.images}: {fault}"
            for cell in self.cells
            for fault, count in cell.faults.items()
        ]


def rate(cells: Sequence[Cell]) -> float:
    """Images a second: the median over the rounds."""
    return statistics.median(cell.rate for cell in cells)


def pooled(cells: Sequence[Cell]) -> list[float]:
    """The latencies of all rounds together, ms."""
    return [latency for cell in cells for latency in cell.latencies]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not below `share` of all (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
