"""Check the endpoint for memory growth over 20,000 requests to the shipped server, with a small input size.

    make soak

It samples the memory of the Java process and of the workers every 500 requests, writes the section `soak` of
docs/benchmarks.md and docs/img/soak.png, and exits with status 1 if memory grew.
"""

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import psutil
from tqdm import tqdm

from benchmarks.document import PAGE, table, write_section
from benchmarks.load import Answer, send
from benchmarks.machine import describe
from benchmarks.memory import family, resident
from benchmarks.photographs import SMALL_SIZES, photographs
from benchmarks.random_bundle import random_bundle
from benchmarks.right_answers import RightAnswers
from benchmarks.servers.torchserve import shipped
from fashion.errors import SettingError, one_line_errors
from fashion.files import write_atomically

OUT = Path("runs/bench-soak")
RESULTS = OUT / "results.json"
PLOT = Path("docs/img/soak.png")
REQUESTS, SETTLED, EVERY = 20_000, 2_000, 500
CONCURRENCY = 8
BROKEN = 10  # every tenth request has half a file, which is answered 400
SIZE = 64  # px of the input
WINDOW = 4  # samples whose median is compared, at both ends
# MB of allowed growth between the two windows. A worker that leaked 1 KB per request, a hundredth of its size, would
# add 16. Java keeps loading and compiling hot code, some 8 MB in all. Its heap is bounded by `vmargs` in
# config.properties: by default it uses more and more of it before it collects.
TOLERANCES = {"workers": 8.0, "java": 16.0}


@dataclass
class Soak:
    """The results of a run.

    Attributes:
        requests: number of requests answered before each sample.
        memory: resident memory at each sample, MB, of `java` and of all `workers` together.
        answered: requests by HTTP status.
        wrong: the first few errors in answers.
        seconds: of all requests.
        settled: requests after which memory must not grow.
        machine: see `benchmarks.machine.describe`.
    """

    requests: list[int] = field(default_factory=list)
    memory: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in TOLERANCES})
    answered: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    settled: int = SETTLED
    machine: str = ""

    def save(self, path: Path) -> None:
        """Write it as JSON, with the `allowed` memory of each kind of process, MB, for the plot."""
        allowed = {name: [self.ends(name)[0], self.ends(name)[0] + most] for name, most in TOLERANCES.items()}
        write_atomically(path, json.dumps(asdict(self) | {"allowed": allowed}, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Soak":
        """Read what `save` wrote."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{one.name: content[one.name] for one in fields(cls)})

    def ends(self, name: str) -> tuple[float, float]:
        """Memory after `settled` requests and after all, MB: the medians of the first and the last few samples."""
        settled = [value for at, value in zip(self.requests, self.memory[name], strict=True) if at >= self.settled]
        window = min(WINDOW, max(1, len(settled) // 2))
        return statistics.median(settled[:window]), statistics.median(settled[-window:])

    def growth(self, name: str) -> float:
        """MB by which the second of `ends` exceeds the first."""
        first, last = self.ends(name)
        return last - first

    def leaks(self) -> list[str]:
        """The processes whose memory grew by more than their tolerance."""
        return [name for name, most in TOLERANCES.items() if self.growth(name) > most]


def soak(
    process: psutil.Process,
    url: str,
    images: Sequence[bytes],
    right: RightAnswers,
    requests: int = REQUESTS,
    every: int = EVERY,
    settled: int = SETTLED,
) -> Soak:
    """Send requests to a server and sample its memory.

    Args:
        process: the Java process; its children are the workers.
        url: for posting photographs.
        images: photographs, sent in a loop with broken ones in between.
        right: the right answers.
        requests: total number.
        every: number between two samples.
        settled: number after which memory must not grow.
    """
    bodies = [*images[: BROKEN - 1], images[0][: len(images[0]) // 2]]
    result = Soak(settled=settled)
    with tqdm(total=requests, desc="soak", unit="request") as bar:
        while sum(result.answered.values()) < requests:
            load = send(url, bodies, CONCURRENCY, requests=min(every, requests - sum(result.answered.values())))
            for answer in load.answers:
                status = str(answer.status)
                result.answered[status] = result.answered.get(status, 0) + 1
                if (fault := _fault(answer, right, len(bodies) - 1)) and len(result.wrong) < 5:
                    result.wrong.append(fault)
            result.seconds += load.seconds
            result.requests.append(sum(result.answered.values()))
            java, *workers = family(process) or [process]
            result.memory["java"].append(resident([java]))
            result.memory["workers"].append(resident(workers))
            bar.update(len(load.answers))
    return result


def _fault(answer: Answer, right: RightAnswers, broken: int) -> str | None:
    if answer.number != broken:
        return right.answer(answer)
    return None if answer.status == 400 else f"half a file was answered {answer.status}"


def section(result: Soak) -> str:
    """The Markdown that goes into the page."""
    first = next(i for i, at in enumerate(result.requests) if at >= result.settled)
    rows = [
        [name, *(f"{values[i]:.0f}" for i in (0, first, -1)), f"{result.growth(name):+.1f}", f"{TOLERANCES[name]:g}"]
        for name, values in result.memory.items()
    ]
    after = [f"after {at:,}" for at in (result.requests[0], result.requests[first], result.requests[-1])]
    answers = " and ".join(f"{count:,} times {status}" for status, count in sorted(result.answered.items()))
    return (
        f"## Memory over {result.requests[-1]:,} requests\n\n"
        f"`make soak` sends photographs to the shipped server, {CONCURRENCY} at the same time, with a ResNet18 of "
        f"random weights at {SIZE} px; every tenth is half a file. All were answered as they should be, {answers}, in "
        f"{result.seconds:.0f} seconds. Resident memory in MB; growth is between the medians of the first and of the "
        f"last {WINDOW} samples after {result.settled:,} requests.\n\n"
        f"{table(['process', *after, 'growth', 'allowed'], rows)}\n\n"
        "![Memory of the Java process and of the workers](img/soak.png)\n\n"
        f"Machine: {result.machine}."
    )


def publish(result: Soak) -> None:
    """Write the section and the plot of the saved results."""
    from benchmarks.plot_soak import draw  # matplotlib is not loaded while measuring

    draw(RESULTS).savefig(PLOT)
    write_section("soak", section(result))
    print(f"wrote the section 'soak' of {PAGE} and {PLOT}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the section; the exit status says whether memory grew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=REQUESTS, help="(default: %(default)s); fewer leave the page")
    parser.add_argument("--page-only", action="store_true", help="judge, and write the page of, the last run's results")
    options = parser.parse_args(arguments)
    with one_line_errors():
        if options.requests < SETTLED + 2 * EVERY:
            raise SettingError(
                f"--requests {options.requests} is too few to compare; give {SETTLED + 2 * EVERY} or more"
            )
        if options.page_only:
            if not RESULTS.exists():
                raise SettingError(f"no {RESULTS}; run make soak once without --page-only")
            result = Soak.load(RESULTS)
        else:
            result = _measure(options.requests)
        return judge(result)


def _measure(requests: int) -> Soak:
    machine = describe()
    images = photographs(OUT / "photographs", SMALL_SIZES)
    bundle = random_bundle(OUT / "bundle", images, "resnet18", SIZE)
    shutil.rmtree(OUT / "server", ignore_errors=True)
    with shipped(bundle, OUT / "server") as server:
        result = soak(server.process, server.url, images, RightAnswers(bundle, images), requests)
        result.machine = machine
        result.save(RESULTS)  # before stopping the server, the plot or the page can fail
    return result


def judge(result: Soak) -> int:
    """Print the results, and write the page if the run was complete and without errors; returns the exit status."""
    for name, most in TOLERANCES.items():
        first, last = result.memory[name][0], result.memory[name][-1]
        print(f"{name}: {first:.0f} to {last:.0f} MB, growth {result.growth(name):+.1f}, allowed {most:g}")
    for fault in result.wrong:
        print(f"wrong: {fault}", file=sys.stderr)
    for name in result.leaks():
        print(f"error: the memory of {name} grew by {result.growth(name):.1f} MB", file=sys.stderr)
    if result.wrong or result.leaks():
        return 1
    if result.requests[-1] >= REQUESTS:
        publish(result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
