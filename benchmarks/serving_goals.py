"""What the serving benchmark measures with each of its two models, and the goals."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.contestants import (
    APP,
    CONTESTANTS,
    EACH,
    FASTAPI,
    INFERENCE,
    LITSERVE,
    OPENVINO,
    SHIPPED,
    STOCK,
)


@dataclass(frozen=True)
class RatioGoal:
    """A minimum ratio of images a second between two servers or engines.

    Attributes:
        name, other: of the two.
        least: the minimum; None where the ratio is reported only.
        clients: at these numbers of clients; empty means at any.
    """

    name: str
    other: str
    least: float | None = None
    clients: tuple[int, ...] = ()

    def met(self, ratio: float, clients: int) -> bool:
        """Whether a ratio measured with that many clients reaches the goal; False where there is none."""
        return self.least is not None and ratio >= self.least and (not self.clients or clients in self.clients)

    def __str__(self) -> str:
        if self.least is None:
            return "-"
        return f"≥ {self.least:g}" + (f" at {' and '.join(map(str, self.clients))}" if self.clients else "")


@dataclass(frozen=True)
class ServingGoals:
    """One section of docs/benchmarks.md.

    Attributes:
        title: its heading.
        command: that measures it.
        model: a sentence on the model.
        plot: file name of its plot.
        names: of the servers and engines to measure.
        ratios: the ratios to report.
        delays: ms that a server may add to the p50 of the model in process, by its name.
        explanations: whether to measure /explanations too.
    """

    title: str
    command: str
    model: str
    plot: str
    names: tuple[str, ...]
    ratios: tuple[RatioGoal, ...]
    delays: Mapping[str, float]
    explanations: bool


LARGE, STARTER = "large", "starter"
SATURATED = (8, 16)  # clients

GOALS = {
    LARGE: ServingGoals(
        title="Serving",
        command="make bench-serving",
        model="The model is a ResNet50 with 228 labels at 512x512 px and random weights, written by the benchmark: "
        "speed does not depend on the weights.",
        plot="serving.png",
        names=tuple(CONTESTANTS),
        ratios=(
            RatioGoal(SHIPPED, STOCK, 6.0),
            RatioGoal(SHIPPED, FASTAPI, 1.15),
            RatioGoal(SHIPPED, INFERENCE, 0.95),
            RatioGoal(SHIPPED, LITSERVE),
            RatioGoal(APP, SHIPPED),
        ),
        delays={SHIPPED: 4.0},
        explanations=True,
    ),
    STARTER: ServingGoals(
        title="Serving the starter",
        command="make bench-serving ARGS=--starter",
        model="The model is the starter, an EfficientNet-Lite0 for 200x200 px. It is so fast that decoding, HTTP and "
        "the server are a large part of a request.",
        plot="serving-starter.png",
        names=tuple(name for name in CONTESTANTS if name not in (STOCK, OPENVINO)),
        ratios=(
            RatioGoal(APP, FASTAPI, 1.6, SATURATED),
            RatioGoal(SHIPPED, FASTAPI, 1.3, SATURATED),
            RatioGoal(APP, EACH, 0.85, SATURATED),
            RatioGoal(SHIPPED, EACH, 0.85, SATURATED),
            RatioGoal(APP, LITSERVE),
            RatioGoal(APP, SHIPPED),
        ),
        delays={APP: 2.0, SHIPPED: 5.0},
        explanations=False,
    ),
}
