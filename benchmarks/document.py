"""Writing measured tables into a Markdown page, each between its own two markers."""

import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

from fashion.files import write_atomically

PAGE = Path("docs/benchmarks.md")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [list(header), ["---"] * len(header), *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def with_interval(value: float | None, interval: Sequence[float] | None) -> str:
    """A score and its 95 % interval as a cell, such as `0.812 (0.790 to 0.833)`."""
    if value is None:
        return "–"
    return f"{value:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")


def bold(text: str, reached: bool) -> str:
    """A cell, bold where its goal is reached."""
    return f"**{text}**" if reached else text


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median of values as a cell, with minimum and maximum where there are several: `4.0 (2.2 to 4.1)`."""
    middle, least, most = (f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    return middle if len(values) == 1 else f"{middle} ({least} to {most})"


def write_section(name: str, text: str, page: Path = PAGE) -> None:
    """Replace the text between `<!-- name -->` and `<!-- /name -->` in the page, or append both markers."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    section = f"{start}\n{text.strip()}\n{end}"
    content = page.read_text(encoding="utf-8") if page.exists() else "# Benchmarks\n"
    if start in content:
        content = re.sub(f"{re.escape(start)}.*?{re.escape(end)}", lambda _: section, content, flags=re.DOTALL)
    else:
        content = f"{content.rstrip()}\n\n{section}\n"
    write_atomically(page, content)
