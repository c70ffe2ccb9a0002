"""The tables of the serving benchmark, as Markdown."""

import statistics
import textwrap
from collections.abc import Sequence

from benchmarks import log_cost
from benchmarks.cells import EXPLANATIONS, Cell, Results, percentile, pooled, rate
from benchmarks.contestants import APP, ENGINES, FASTAPI, LITSERVE, LOGGED, PAIR, QUIET, SERVERS, SHIPPED, SINGLE, STOCK
from benchmarks.document import bold, spread, table
from benchmarks.serving_goals import GOALS, RatioGoal
from benchmarks.targets import TargetResult

MOST_FOR_EXPLANATIONS = 0.10  # additional time relative to a prediction
MOST_FOR_LOGS = 0.01  # share of the time of a photograph
SHARES = (0.5, 0.95, 0.99)

METHOD = """\
`{command}` starts every server itself on this machine and sends all of them the same {photographs} JPEG
photographs of drawn garments (480x480 to 900x1200 px, most about 600x600; {smallest} to {largest} KB, median {median}
KB), from {clients} clients at the same time, each of which sends its next photograph when the one before is
answered. Everything is measured for {seconds:g} seconds at a time, in turn, in {rounds} rounds; servers whose turn it
is not are frozen (SIGSTOP). Images a second and ratios are medians over the rounds, with minimum and maximum in
parentheses; ratios are computed within a round. Latencies are percentiles over all rounds together. Memory is the peak
of all processes of a server. Every answer was checked: it is the Predictor's for that photograph{stock}.

{model} The load generator shares the cores with the servers and takes {client:.1f} ms of processor time for each
photograph."""

LOG_METHOD = f"""\
With such a model the cost of logs and metrics would be lost in the noise. So it is measured separately, as the
difference between this bundle in TorchServe as shipped and the same with every log line and metric of requests off,
TorchServe's too, both with a {log_cost.ARCH} at {log_cost.SIZE} px, {log_cost.CLIENTS} clients,
{log_cost.PLAN.seconds:g} s at a time in turn, in {log_cost.PLAN.rounds} rounds; the additional time of a request is
given relative to the time of a photograph with this bundle as shipped."""

WHO = {
    SHIPPED: "`serving/config.properties` and `serving/model-config.yaml` as they are, but for the ports",
    APP: "`python -m serving.app BUNDLE`",
    FASTAPI: "a `def` endpoint, onnxruntime with its defaults, uvloop and httptools, the photograph as the body",
    LITSERVE: "its defaults, onnxruntime with its defaults, the photograph as base64 in JSON as in its documentation",
    STOCK: "a handler in the manner of TorchServe's `VisionHandler`: Pillow, torchvision, one image at a time, "
    "TorchServe's defaults, so a worker for each core",
}


def section(results: Results) -> str:
    """The Markdown that goes into the page."""
    smallest, median, largest = results.settings["kilobytes"]
    client = statistics.median(cell.client for cell in results.cells if cell.name in SERVERS)
    goals = GOALS[results.settings["goals"]]
    text = METHOD.format(
        command=goals.command,
        model=goals.model,
        clients=_listed(results.concurrencies),
        stock=", and the stock handler's probabilities are those of the fp32 file" if results.cells_of(STOCK) else "",
        smallest=smallest,
        median=median,
        largest=largest,
        client=client,
        **results.settings,
    )
    text += f"\n\n{LOG_METHOD}" if results.cells_of(LOGGED) else ""
    method = "\n\n".join(textwrap.fill(paragraph, 120) for paragraph in text.split("\n\n"))
    skipped = [f"- Not measured: {results.titles.get(name, name)}: {why}" for name, why in results.skipped.items()]
    who = [f"- {results.titles[name]}: {what}." for name, what in WHO.items() if results.cells_of(name)]
    versions = ", ".join(f"{package} {number}" for package, number in results.settings["versions"].items())
    parts = [
        f"## {goals.title}",
        method,
        "\n".join(who),
        f"![Images a second and p50 against concurrency](img/{goals.plot})",
        tables(results),
    ]
    parts += ["\n".join(skipped)] if skipped else []
    parts += [f"Machine: {results.machine}; {versions}."]
    return "\n\n".join(parts)


def tables(results: Results) -> str:
    """All tables, each with a title line."""
    parts = [
        ("Goals, by the number of clients; bold where met.", _goals(results)),
        ("Images a second, by the number of clients.", _rates(results)),
        ("Milliseconds until the answer, p50 / p95 / p99.", _latencies(results)),
        ("The model in process, with no server around it.", _engines(results)),
        ("Cost of logs and metrics, with a model so small that the server's own time dominates.", _logs(results)),
    ]
    return "\n\n".join(f"{title}\n\n{content}" for title, content in parts if content)


def targets(results: Results) -> list[TargetResult]:
    """The goals with a limit, each at the numbers of clients for which it was measured and is wanted."""
    goals, found = GOALS[results.settings["goals"]], []
    for goal in goals.ratios:
        ratios = {at: results.ratios(goal.name, goal.other, at) for at in goal.clients or results.concurrencies}
        medians = {at: statistics.median(values) for at, values in ratios.items() if values}
        if goal.least is None or not medians:
            continue
        what = f"images/s: {_title(results, goal.name)} / {_title(results, goal.other)}"
        measured = ", ".join(f"{ratio:.2f} at {at}" for at, ratio in medians.items())
        found.append(TargetResult(what, str(goal), measured, all(goal.met(ratio, at) for at, ratio in medians.items())))
    for name, most in goals.delays.items():
        delays = results.delays(name, SINGLE, 1)
        if delays:
            delay = statistics.median(delays)
            what = f"p50 at one client, ms more than in process: {_title(results, name)}"
            found.append(TargetResult(what, f"≤ {most:g}", f"{delay:.1f}", delay <= most))
    return found


def _measured(results: Results, names: Sequence[str]) -> list[str]:
    return [name for name in names if results.cells_of(name)]


def _rates(results: Results) -> str:
    header = ["server", *map(str, results.concurrencies), "memory, MB: resident (proportional)"]
    rows = []
    for name in _measured(results, list(SERVERS)):
        cells = [results.cells_of(name, concurrency) for concurrency in results.concurrencies]
        rates = [spread([cell.rate for cell in group]) if group else "-" for group in cells]
        rows.append([results.titles[name], *rates, _memory(results.cells_of(name))])
    return table(header, rows) if rows else ""


def _latencies(results: Results) -> str:
    header = ["server", *map(str, results.concurrencies)]
    rows = [
        [
            results.titles[name],
            *(_percentiles(results.cells_of(name, concurrency)) for concurrency in results.concurrencies),
        ]
        for name in _measured(results, list(SERVERS))
    ]
    return table(header, rows) if rows else ""


def _engines(results: Results) -> str:
    header = ["what", "images/s", "ms: p50 / p95 / p99", "memory, MB: resident (proportional)"]
    rows = []
    for name in _measured(results, list(ENGINES)):
        cells = results.cells_of(name)
        rows.append([results.titles[name], spread([cell.rate for cell in cells]), _percentiles(cells), _memory(cells)])
    return table(header, rows) if rows else ""


def _goals(results: Results) -> str:
    header = ["what", "wanted", *map(str, results.concurrencies)]
    goals = GOALS[results.settings["goals"]]
    rows = [_ratio_row(results, goal) for goal in goals.ratios]
    rows += [_delay_row(results, name, most) for name, most in goals.delays.items()]
    rows += [_explanations_row(results), _logs_row(results)]
    filled = [row for row in rows if any(cell != "-" for cell in row[2:])]
    return table(header, filled) if filled else ""


def _ratio_row(results: Results, goal: RatioGoal) -> list[str]:
    what = f"images/s: {_title(results, goal.name)} / {_title(results, goal.other)}"
    row = [what, str(goal)]
    for concurrency in results.concurrencies:
        ratios = results.ratios(goal.name, goal.other, concurrency)
        row.append(bold(spread(ratios, 2), goal.met(statistics.median(ratios), concurrency)) if ratios else "-")
    return row


def _delay_row(results: Results, name: str, most: float) -> list[str]:
    row = [f"p50, ms: {_title(results, name)} - in process with decode and resize", f"≤ {most:g} at 1"]
    for concurrency in results.concurrencies:
        delays = results.delays(name, SINGLE, concurrency) if concurrency == 1 else []
        row.append(bold(spread(delays), statistics.median(delays) <= most) if delays else "-")
    return row


def _explanations_row(results: Results) -> list[str]:
    row = ["time for each image: /explanations over /predictions, more", f"≤ {MOST_FOR_EXPLANATIONS:.0%}"]
    for concurrency in results.concurrencies:
        more = [100 * (ratio - 1) for ratio in results.ratios(SHIPPED, EXPLANATIONS, concurrency)]
        reached = bool(more) and statistics.median(more) <= 100 * MOST_FOR_EXPLANATIONS
        row.append(bold(f"{spread(more)} %", reached) if more else "-")
    return row


def _logs_row(results: Results) -> list[str]:
    row = ["time for each image: logs and metrics, share of it", f"≤ {MOST_FOR_LOGS:.0%}"]
    for concurrency in results.concurrencies:
        cells = results.cells_of(SHIPPED, concurrency) if concurrency == log_cost.CLIENTS else []
        shares = [cost * rate(cells) / 10 for cost in results.costs(LOGGED, QUIET)] if cells else []  # ms/s -> %
        reached = bool(shares) and statistics.median(shares) <= 100 * MOST_FOR_LOGS
        row.append(bold(f"{spread(shares, 2)} %", reached) if shares else "-")
    return row


def _logs(results: Results) -> str:
    header = ["this bundle in TorchServe", "images/s", "ms more for each image"]
    rows = []
    for name in _measured(results, list(PAIR)):
        rates = spread([cell.rate for cell in results.cells_of(name)], 0)
        costs = results.costs(name, QUIET)
        rows.append([PAIR[name].title, rates, "-" if name == QUIET or not costs else spread(costs, 3)])
    return table(header, rows) if rows else ""


def _listed(numbers: Sequence[int]) -> str:
    """Such as `1, 2 and 4`."""
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last


def _title(results: Results, name: str) -> str:
    return results.titles.get(name, name).split(",")[0]


def _percentiles(cells: Sequence[Cell]) -> str:
    latencies = pooled(cells)
    return " / ".join(f"{percentile(latencies, share):.0f}" for share in SHARES) if latencies else "-"


def _memory(cells: Sequence[Cell]) -> str:
    shared = [cell.proportional for cell in cells if cell.proportional is not None]
    return f"{max(cell.resident for cell in cells):.0f}" + (f" ({max(shared):.0f})" if shared else "")
