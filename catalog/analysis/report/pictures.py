"""Draw trends and comparisons as pictures, for notebooks."""

from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image, ImageDraw

from catalog.analysis.growth import LabelTrend, Trends
from catalog.analysis.portfolios import ComparedShare, Comparison
from catalog.analysis.report.plots import draw_trend, files
from catalog.analysis.tabular import percent, points
from fashion.pictures.pages import THEMES
from fashion.pictures.tiles import (
    GROUND,
    INK,
    LARGE,
    RIGHT,
    SMALL,
    SOFT,
    WRONG,
    Picture,
    SheetLayout,
    Tile,
    font,
    sheet,
    truncate_text,
)

PLOTS = SheetLayout(side=380, columns=3, lines=2, height=235)
MOST = 6  # default number of plots
WIDTH, NAME, ROW, THICK = 1084, 300, 44, 13  # px: width of the picture and of names, height of a row and of a bar
BARS = ("#7ea1d1", "#c9ccd1")  # colors of the two sides
TRENDS = {"riser": ("rises", RIGHT), "faller": ("falls", WRONG), None: ("no trend", SOFT)}


def draw_trends(found: Trends, most: int = MOST) -> Picture:
    """Draw shares over time: rising and falling labels, the fastest first, then the most frequent others.

    Dots are the shares of periods, the lines through them 95 % intervals.

    Args:
        found: the trends.
        most: maximum number of plots.
    """
    moving = sorted((*found.risers, *found.fallers), key=lambda label: -_speed(label))
    steady = sorted((label for label in found.labels if not label.trend), key=lambda label: -label.share)
    tiles = []
    with TemporaryDirectory() as folder:
        for i, label in enumerate([*moving, *steady][:most]):
            draw_trend(Path(folder), str(i), label, found.starts)
            with Image.open(Path(folder) / files(str(i))[THEMES[0].name]) as plot:
                tiles.append(Tile(plot.convert("RGB"), _lines(label)))
    return sheet(tiles, PLOTS)


def draw_comparison(found: Comparison, most: int = 10) -> Picture:
    """Draw the shares of two portfolios side by side, the largest differences first; gray ones are not significant.

    Args:
        found: the comparison.
        most: maximum number of labels and combinations.
    """
    rows = sorted(found.rows, key=lambda row: (row.more is None, -abs(row.difference)))[:most]
    canvas = Image.new("RGB", (WIDTH, (len(rows) + 1) * ROW), GROUND)
    draw = ImageDraw.Draw(canvas)
    longest = max(max(row.shares) for row in rows) or 1
    left = 14
    for side, color, count in zip(found.sides, BARS, found.products, strict=True):
        text = truncate_text(f"{side} ({count:,} products)", WIDTH // 2 - 50, LARGE)
        draw.rectangle((left, 16, left + THICK, 16 + THICK), color)
        draw.text((left + THICK + 8, 13), text, INK, font(LARGE))
        left += THICK + 40 + round(font(LARGE).getlength(text))
    for i, row in enumerate(rows):
        _compare(draw, (i + 1) * ROW, row, longest)
    return Picture(canvas)


def _speed(label: LabelTrend) -> float:
    return abs(label.growth.change) if label.growth else 0.0


def _lines(label: LabelTrend) -> list[tuple[str, str]]:
    word, color = TRENDS[label.trend]
    if label.trend is None or label.growth is None:
        return [(label.name, INK), (f"{label.group}, {percent(label.share)}: {word}", color)]
    first, last = percent(label.growth.first), percent(label.growth.last)
    return [(label.name, INK), (f"{label.group}, {word} from {first} to {last}", color)]


def _compare(draw: ImageDraw.ImageDraw, top: int, row: ComparedShare, longest: float) -> None:
    """Draw a row: name and groups, two bars with their shares, and the difference with its interval."""
    draw.text((14, top + 2), truncate_text(row.name, NAME - 10, LARGE), SOFT if row.more is None else INK, font(LARGE))
    draw.text((14, top + 20), " + ".join(row.groups), SOFT, font(SMALL))
    room = WIDTH - NAME - 330
    for i, (share, color) in enumerate(zip(row.shares, BARS, strict=True)):
        above, end = top + 3 + i * (THICK + 3), NAME + round(room * share / longest)
        draw.rectangle((NAME, above, end, above + THICK), color)
        draw.text((end + 6, above - 1), percent(share), INK, font(SMALL))
    text = f"{points(row.difference, row.interval)} points"
    draw.text((WIDTH - 14, top + 18), text, SOFT if row.more is None else INK, font(LARGE), anchor="rm")
