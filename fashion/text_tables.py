"""Format tables as text with rich, which handles the display width of Chinese characters and accents."""

import sys
from collections.abc import Iterable, Sequence

UNLIMITED = 1_000_000  # width in columns if the output is not a terminal


def text_table(heading: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Format rows in aligned columns, two spaces apart, below a heading.

    On a terminal that is too narrow, cells are wrapped within their columns; otherwise each row is one line.

    Args:
        heading: the column names; an empty sequence for a table without a heading.
        rows: rows with the same number of cells.
        right: positions of right-aligned columns, such as numbers.
    """
    from rich.console import Console  # imported here: it takes a tenth of a second
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else UNLIMITED, color_system=None, emoji=False)
    lines = list(rows)
    table = Table(box=None, pad_edge=False, show_header=bool(heading))
    for i, name in enumerate(heading or lines[0]):
        table.add_column(Text(name), justify="right" if i in right else "left", overflow="fold")
    for line in lines:
        table.add_row(*map(Text, line))
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def number_cell(value: float | None, digits: int = 3, absent: str = "-") -> str:
    """A number with fixed digits; `absent` for None."""
    return absent if value is None else f"{value:.{digits}f}"


def percent_cell(share: float) -> str:
    """A share in whole percent, such as `62 %`."""
    return f"{share:.0%}".replace("%", " %")
