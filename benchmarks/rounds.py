"""The rounds of the serving benchmark: start everything, measure in turn, stop everything."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from tqdm import tqdm

from benchmarks.cells import EXPLANATIONS, Cell, Results
from benchmarks.contestants import CONTESTANTS, ENGINES, SHIPPED, Contestant, Place
from benchmarks.interpreters import bench_versions
from benchmarks.load import Answer, send
from benchmarks.machine import describe
from benchmarks.memory import PeakMemory, family, proportional
from benchmarks.right_answers import Check, RightAnswers
from benchmarks.servers.running import Running, Server, freeze, thaw
from fashion.errors import FashionError, one_line

CONCURRENCIES = (1, 2, 4, 8, 16)
EXPLAINED = (1, 4)
ENGINE_SHARE = 0.6  # of a server's seconds: engines have no queue that must drain
OTHERS = ("fastapi", "uvicorn", "litserve", "openvino")  # packages whose versions the page lists


@dataclass(frozen=True)
class ServingPlan:
    """The settings of a measurement.

    Attributes:
        names: of the servers and engines.
        concurrencies: of the servers.
        rounds: number of rounds.
        seconds: duration of each server's turn at each concurrency in a round.
        warm_up: seconds for which 8 clients send to each server first, so that Java compiles its hot code.
        explained: concurrencies at which /explanations is measured beside /predictions.
    """

    names: tuple[str, ...] = tuple(CONTESTANTS)
    concurrencies: tuple[int, ...] = CONCURRENCIES
    rounds: int = 3
    seconds: float = 4.0
    warm_up: float = 3.0
    explained: tuple[int, ...] = EXPLAINED


@dataclass(frozen=True)
class StartedServer:
    """A server or engine that was started and is frozen until its turn."""

    name: str
    running: Running
    check: Check
    seconds: float


def measure(plan: ServingPlan, bundle: Path, photographs: Path, scratch: Path) -> Results:
    """Start everything, measure, end everything.

    Args:
        plan: what to measure.
        bundle: the model.
        photographs: folder of the photographs, as `benchmarks.photographs` wrote it.
        scratch: folder for the servers' files.
    """
    images = read_photographs(photographs)
    right = RightAnswers(bundle, images)
    titles = {name: CONTESTANTS[name].title for name in plan.names}
    results = Results(describe(), _settings(plan, images), titles)
    with ExitStack() as stack:
        entries = []
        for name in tqdm(plan.names, "starting", unit="server", leave=False):
            try:
                place = Place(bundle, photographs, scratch / name)
                entries.append(stack.enter_context(started(name, CONTESTANTS[name], plan, place, right)))
            except FashionError as error:
                results.skipped[name] = one_line(error)
                tqdm.write(f"not measured: {name}: {one_line(error)}")
        _all_rounds(plan, entries, right, images, results)
    return results


def read_photographs(folder: Path) -> list[bytes]:
    """The files, in the order that engines use too."""
    return [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]


@contextmanager
def started(
    name: str, contestant: Contestant, plan: ServingPlan, place: Place, right: RightAnswers
) -> Iterator[StartedServer]:
    """Run a server or engine, warmed up and frozen, until the block ends.

    Raises:
        FashionError: it cannot be started here.
    """
    place.folder.mkdir(parents=True, exist_ok=True)
    images = read_photographs(place.photographs)
    with contestant.start(place) as running:
        try:
            running.measure(images, 8, plan.warm_up)
            freeze(running.process)
            seconds = plan.seconds * (ENGINE_SHARE if name in ENGINES else 1)
            yield StartedServer(name, running, contestant.check(right), seconds)
        finally:
            thaw(running.process)  # a frozen process does not end


def _all_rounds(
    plan: ServingPlan, entries: list[StartedServer], right: RightAnswers, images: list[bytes], results: Results
) -> None:
    shipped = next((entry for entry in entries if entry.name == SHIPPED), None)
    explained = _explanations(shipped, right, images, results) if shipped and plan.explained else None
    extra = [concurrency for concurrency in plan.concurrencies if explained and concurrency in plan.explained]
    total = plan.rounds * (len(entries) * len(plan.concurrencies) + len(extra))
    with tqdm(total=total, desc="measuring", unit="cell") as bar:
        for i in range(plan.rounds):
            for concurrency in plan.concurrencies:
                turn = entries[i % len(entries) :] + entries[: i % len(entries)] if entries else []
                if explained and concurrency in extra:
                    at = next(k for k, entry in enumerate(turn) if entry.name == SHIPPED)
                    turn.insert(at + (i + 1) % 2, explained)  # before or after, in turn
                for entry in turn:
                    bar.set_postfix_str(f"{entry.name}, {concurrency} at once, round {i + 1}")
                    results.cells.append(measure_cell(entry, images, concurrency, i))
                    bar.update()


def measure_cell(entry: StartedServer, images: list[bytes], concurrency: int, round_: int) -> Cell:
    """One server or engine at one concurrency: thawed, measured and frozen again."""
    process = entry.running.process
    thaw(process)
    try:
        if isinstance(entry.running, Server):  # engines do it themselves
            _send_first(entry.running, images)
        with PeakMemory(process) as memory:
            load = entry.running.measure(images, concurrency, entry.seconds)
        shared = proportional(family(process))
    finally:
        freeze(process)
    answers = load.answers
    return Cell(
        name=entry.name,
        concurrency=concurrency,
        round=round_,
        images=len(answers),
        seconds=load.seconds,
        latencies=[round(1000 * answer.seconds, 2) for answer in answers],
        client=1000 * load.client_seconds / max(1, len(answers)),
        resident=memory.peak,
        proportional=shared,
        faults=_faults(answers, entry.check),
    )


def _send_first(server: Server, images: list[bytes]) -> None:
    """Send two requests that do not count, because the processor's caches are cold after the freeze."""
    send(server.url, [server.body(image) for image in images[:2]], 1, requests=2, content_type=server.content_type)


def _explanations(
    shipped: StartedServer, right: RightAnswers, images: list[bytes], results: Results
) -> StartedServer | None:
    """The shipped server again, asked for explanations; None if it gives none."""
    assert isinstance(shipped.running, Server)
    running = replace(shipped.running, url=shipped.running.url.replace("/predictions/", "/explanations/"))
    thaw(running.process)
    first = send(running.url, images[:2], 1, requests=2).answers
    freeze(running.process)
    fault = next((fault for answer in first if (fault := right.explanation(answer))), None)
    if fault:
        results.skipped[EXPLANATIONS] = fault
        tqdm.write(f"not measured: /explanations: {fault}")
        return None
    return StartedServer(EXPLANATIONS, running, right.explanation, shipped.seconds)


def _faults(answers: Sequence[Answer], check: Check) -> dict[str, int]:
    return dict(Counter(fault for answer in answers if (fault := check(answer))))


def _settings(plan: ServingPlan, images: list[bytes]) -> dict[str, object]:
    sizes = sorted(len(image) for image in images)
    return {
        "photographs": len(images),
        "kilobytes": [round(sizes[i] / 1000) for i in (0, len(sizes) // 2, -1)],
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "versions": {"torchserve": version("torchserve")} | bench_versions(OTHERS),
    }
