"""Tables as text, set by rich: it knows that a Chinese character takes two columns and an accent none."""

import sys
from collections.abc import Iterable, Sequence

UNLIMITED = 1_000_000  # columns, where lines go to a file or a program that will search them


def text_table(heading: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Rows in aligned columns, two spaces apart, below a heading.

    On a terminal that is too narrow, cells are folded within their columns; anywhere else each row is one line.

    Args:
        heading: the names of the columns; an empty sequence for a table without a heading.
        rows: of as many cells each.
        right: positions of the columns whose cells stand at the right, as numbers do.
    """
    from rich.console import Console  # a tenth of a second, for commands that show a table
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
