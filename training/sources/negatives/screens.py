"""Screenshots, documents and graphics: text, tables, charts, apps, maps, codes, banners, placeholders."""

import numpy as np
from PIL import Image

from training.sources.negatives.surfaces import Color, Rng, Sketch, chance, color, fractal, mixed, pick, words

_PAPER, _INK = (252, 252, 250), (35, 35, 40)
_FACES = ["", "Sans", "Sans-Bold", "Serif", "SansMono"]


def page(rng: Rng, width: int, height: int) -> Image.Image:
    """A document: a heading, paragraphs, perhaps a picture's box."""
    sketch = Sketch(width, height, pick(rng, [_PAPER, (255, 255, 255), (245, 238, 222)]))
    face, size = str(rng.choice(_FACES)), rng.uniform(0.02, 0.06)
    y = 0.06
    sketch.text(0.08, y, words(rng, 3).title(), size * 1.7, _INK, "Sans-Bold")
    y += size * 3 * sketch.down
    while y < 0.95:
        if chance(rng, 0.05):
            sketch.box(0.08, y, 0.6, y + 0.2, color(rng, (0, 0.3), (0.6, 0.95)))
            y += 0.22
        if chance(rng, 0.88):
            sketch.text(0.08, y, words(rng, 14)[: int(1.6 / size / sketch.across)], size, _INK, face)
        y += size * 1.5 * sketch.down
        sketch.box(0.93, 0, 1, 1, sketch.image.getpixel((0, 0)))  # type: ignore[arg-type]
    return sketch.picture()


def spreadsheet(rng: Rng, width: int, height: int) -> Image.Image:
    sketch = Sketch(width, height, (255, 255, 255))
    rows, columns, head = int(rng.integers(5, 18)), int(rng.integers(2, 6)), color(rng, (0.1, 0.7), (0.5, 0.95))
    size = min(0.5 / rows / sketch.down, 0.13 / columns / sketch.across)
    for row in range(rows):
        y = row / rows
        sketch.box(0, y, 1, y + 1 / rows, head if row == 0 else pick(rng, [(255, 255, 255), (244, 246, 248)]))
        for column in range(columns):
            text = words(rng, 1) if row == 0 or column == 0 else f"{rng.integers(10000) / 10:.1f}"
            sketch.text((column + 0.1) / columns, y + 0.2 / rows, text[:9], size, _INK, "Sans")
    for column in range(columns + 1):
        sketch.line([(column / columns, 0), (column / columns, 1)], (205, 208, 212), 0.003)
    return sketch.picture()


def bar_chart(rng: Rng, width: int, height: int) -> Image.Image:
    sketch = _axes_of_chart(rng, width, height)
    count, fill = int(rng.integers(3, 12)), color(rng, (0.4, 0.9), (0.4, 0.9))
    for bar, tall in enumerate(rng.uniform(0.05, 0.7, count)):
        x = 0.14 + 0.8 * bar / count
        sketch.box(x, 0.88 - tall, x + 0.55 / count, 0.88, fill if chance(rng, 0.8) else color(rng))
    return sketch.picture()


def line_chart(rng: Rng, width: int, height: int) -> Image.Image:
    sketch = _axes_of_chart(rng, width, height)
    for _ in range(int(rng.integers(1, 5))):
        y = np.clip(rng.uniform(0.25, 0.75) + np.cumsum(rng.normal(0, 0.03, 40)), 0.12, 0.86)
        sketch.line(list(zip(np.linspace(0.13, 0.95, 40), y, strict=True)), color(rng, (0.5, 1), (0.3, 0.9)), 0.01)
    return sketch.picture()


def pie_chart(rng: Rng, width: int, height: int) -> Image.Image:
    sketch = Sketch(width, height, _PAPER)
    sketch.text(0.5, 0.03, words(rng, 3), 0.06, _INK, "Sans", "ma")
    ends = np.cumsum(rng.dirichlet(np.ones(int(rng.integers(3, 8))))) * 360
    for start, stop in zip([0, *ends[:-1]], ends, strict=True):
        sketch.slice(0.5, 0.55, 0.36, start, stop, color(rng, (0.3, 0.8), (0.5, 0.95)))
    if chance(rng, 0.3):
        sketch.oval(0.5, 0.55, 0.18, 0.18, _PAPER)
    return sketch.picture()


def app(rng: Rng, width: int, height: int) -> Image.Image:
    """A window or a phone's screen: bars, a menu, cards with lines of text, buttons."""
    ground, ink = _theme(rng)
    accent = color(rng, (0.5, 0.9), (0.4, 0.9))
    sketch = Sketch(width, height, ground)
    sketch.box(0, 0, 1, 0.09, accent if chance(rng, 0.6) else mixed(ground, ink, 0.12))
    sketch.text(0.05, 0.02, words(rng, 2), 0.045, (255, 255, 255), "Sans-Bold")
    side = rng.uniform(0.18, 0.3) if width > height else 0.0
    sketch.box(0, 0.09, side, 1, mixed(ground, ink, 0.07))
    rows = int(rng.integers(3, 9))
    for row in range(rows):
        y, tall = 0.12 + 0.87 * row / rows, 0.87 / rows
        if side:
            sketch.text(0.02, y, words(rng, 1)[:10], 0.035, ink, "Sans")
        sketch.box(side + 0.03, y, 0.97, y + tall * 0.85, mixed(ground, ink, 0.05), 0.015)
        sketch.oval(side + 0.1, y + tall * 0.4, 0.03, 0.03, color(rng, (0.2, 0.7), (0.5, 0.9)))
        sketch.text(side + 0.17, y + tall * 0.15, words(rng, 3)[:28], 0.04, ink, "Sans")
        sketch.text(side + 0.17, y + tall * 0.5, words(rng, 4)[:34], 0.028, mixed(ink, ground, 0.4), "Sans")
    return sketch.picture()


def chat(rng: Rng, width: int, height: int) -> Image.Image:
    ground, ink = _theme(rng)
    mine, theirs = color(rng, (0.3, 0.8), (0.6, 0.95)), mixed(ground, ink, 0.12)
    sketch = Sketch(width, height, ground)
    y = 0.03
    while y < 1:
        right, wide, lines = chance(rng, 0.5), rng.uniform(0.3, 0.65), int(rng.integers(1, 4))
        x, tall = (0.96 - wide if right else 0.04), (0.03 + 0.05 * lines) * sketch.down
        sketch.box(x, y, x + wide, y + tall, mine if right else theirs, 0.03)
        for line in range(lines):
            text = words(rng, 8)[: int(wide / 0.024 / sketch.across)]
            sketch.text(x + 0.03, y + (0.015 + 0.05 * line) * sketch.down, text, 0.036, _INK if right else ink, "Sans")
        y += tall + 0.03
    return sketch.picture()


def code(rng: Rng, width: int, height: int) -> Image.Image:
    """An editor, light or dark, with colored words and line numbers."""
    ground, ink = _theme(rng)
    tones = [ink, *(mixed(color(rng, (0.5, 0.9), (0.5, 1)), ink, 0.3) for _ in range(4))]
    sketch, size, indent = Sketch(width, height, ground), rng.uniform(0.025, 0.055), 0
    for number, y in enumerate(np.arange(0.02, 1, size * 1.35 * sketch.down), int(rng.integers(1, 300))):
        sketch.text(0.01, y, str(number), size, mixed(ink, ground, 0.6), "SansMono")
        indent = int(np.clip(indent + rng.integers(-1, 2), 0, 4))
        x = size * 0.6 * sketch.across * (5 + 2 * indent)
        for word in [] if chance(rng, 0.12) else words(rng, int(rng.integers(1, 6))).split():
            word += str(rng.choice([" =", "(", ")", ":", ".", ";", ""]))
            sketch.text(x, y, word, size, pick(rng, tones), "SansMono")
            x += size * 0.62 * sketch.across * (len(word) + 1)
    return sketch.picture()


def city_map(rng: Rng, width: int, height: int) -> Image.Image:
    """Streets, a river, parks, names."""
    sketch = Sketch(width, height, pick(rng, [(240, 237, 228), (232, 232, 236), (36, 47, 62)]))
    for _ in range(int(rng.integers(2, 7))):
        x, y = rng.random(2)
        sketch.box(x, y, x + rng.uniform(0.1, 0.3), y + rng.uniform(0.1, 0.3), (200, 222, 175), 0.02)
    river = np.clip(rng.random() + np.cumsum(rng.normal(0, 0.06, 12)), -0.2, 1.2)
    sketch.line(list(zip(np.linspace(-0.1, 1.1, 12), river, strict=True)), (150, 195, 225), 0.06)
    for _ in range(int(rng.integers(8, 22))):
        (a, b), (c, d) = rng.uniform(-0.2, 1.2, (2, 2))
        ends = [(a, -0.1), (b, 1.1)] if chance(rng, 0.5) else [(-0.1, c), (1.1, d)]
        sketch.line(ends, pick(rng, [(255, 255, 255), (250, 215, 130), (215, 215, 215)]), rng.uniform(0.006, 0.025))
    for _ in range(int(rng.integers(2, 7))):
        sketch.text(rng.uniform(0, 0.8), rng.uniform(0, 0.9), words(rng, 1).title(), 0.035, (90, 90, 100), "Sans")
    return sketch.picture()


def matrix_code(rng: Rng, width: int, height: int) -> Image.Image:
    """Like a QR code: random modules and three finder patterns."""
    sketch = Sketch(width, height, (255, 255, 255))
    count, wide, tall = int(rng.integers(17, 34)), 0.8 * sketch.across, 0.8 * sketch.down
    left, top, ink = 0.5 - wide / 2, 0.5 - tall / 2, mixed((0, 0, 0), color(rng), 0.2)

    def square(row: float, column: float, size: float, fill: Color) -> None:
        x, y = left + column / count * wide, top + row / count * tall
        sketch.box(x, y, x + size / count * wide, y + size / count * tall, fill)

    for row, column in np.argwhere(rng.random((count, count)) < 0.5):
        square(row, column, 1, ink)
    for row, column in ((0, 0), (0, count - 7), (count - 7, 0)):
        for inset, fill in enumerate((ink, (255, 255, 255), ink)):
            square(row + inset, column + inset, 7 - 2 * inset, fill)
    return sketch.picture()


def barcode(rng: Rng, width: int, height: int) -> Image.Image:
    sketch = Sketch(width, height, (255, 255, 255))
    x, top = 0.1, rng.uniform(0.1, 0.3)
    while x < 0.9:
        wide = rng.integers(1, 5) * 0.006
        sketch.box(x, top, x + wide, 0.8, (15, 15, 15))
        x += wide + rng.integers(1, 4) * 0.006
    sketch.text(0.5, 0.82, " ".join(str(rng.integers(10)) for _ in range(12)), 0.08, _INK, "SansMono", "ma")
    return sketch.picture()


def receipt(rng: Rng, width: int, height: int) -> Image.Image:
    sketch = Sketch(width, height, color(rng, (0, 0.5), (0.2, 0.8)))
    left, right = rng.uniform(0.1, 0.25), rng.uniform(0.75, 0.9)
    sketch.box(left, 0.02, right, 0.98, (248, 247, 243))
    size = rng.uniform(0.03, 0.05)
    sketch.text(0.5, 0.05, words(rng, 2).upper(), size * 1.4, _INK, "SansMono", "ma")
    for y in np.arange(0.05 + size * 3 * sketch.down, 0.9, size * 1.5 * sketch.down):
        sketch.text(left + 0.03, y, words(rng, 2)[:12], size, _INK, "SansMono")
        sketch.text(right - 0.03, y, f"{rng.integers(100, 9000) / 100:.2f}", size, _INK, "SansMono", "ra")
    return sketch.picture()


def banner(rng: Rng, width: int, height: int) -> Image.Image:
    """A shop's announcement in large letters."""
    ground = color(rng, (0.2, 0.95), (0.3, 1))
    sketch = Sketch(width, height, ground if chance(rng, 0.7) else mixed(ground, (255, 255, 255), 0.85))
    ink = (255, 255, 255) if sum(sketch.image.getpixel((0, 0))) < 420 else mixed(ground, (0, 0, 0), 0.7)  # type: ignore[arg-type]
    share = int(rng.integers(1, 9)) * 10
    lines = [
        f"SALE {share} %",
        f"-{share}%",
        "NEW",
        "FREE SHIPPING",
        "ONLY TODAY",
        "SOLD OUT",
        "OUTLET",
        words(rng, 1).upper(),
    ]
    text = str(rng.choice(lines))
    size = min(1.25 / len(text) / sketch.across, 0.4)
    sketch.text(0.5, 0.42, text, size, ink, str(rng.choice(["Sans-Bold", "Serif", ""])), "mm")
    sketch.text(0.5, 0.7, words(rng, 4), 0.06, ink, "Sans", "mm")
    return sketch.picture()


def logo(rng: Rng, width: int, height: int) -> Image.Image:
    """Plain shapes in a row or over one another, and a name."""
    sketch = Sketch(width, height, pick(rng, [(255, 255, 255), (20, 22, 26), color(rng)]))
    for _ in range(int(rng.integers(1, 4))):
        x, y, r, fill = (
            0.5 + rng.normal(0, 0.1),
            0.42 + rng.normal(0, 0.05),
            rng.uniform(0.08, 0.25),
            color(rng, (0.3, 1), (0.3, 1)),
        )
        shape = rng.integers(4)
        if shape == 0:
            sketch.oval(x, y, r, r, fill)
        elif shape == 1:
            sketch.slice(x, y, r, rng.uniform(0, 360), rng.uniform(400, 600), fill)
        else:
            corners = np.linspace(0, 2 * np.pi, int(rng.integers(3, 8)), endpoint=False) + rng.uniform(0, 1)
            sketch.polygon(
                [(x + r * np.cos(a) * sketch.across, y + r * np.sin(a) * sketch.down) for a in corners], fill
            )
    sketch.text(0.5, 0.8, words(rng, 1)[:12].title(), 0.12, color(rng, (0, 1), (0.3, 0.7)), "Sans-Bold", "mm")
    return sketch.picture()


def placeholder(rng: Rng, width: int, height: int) -> Image.Image:
    """A shop's placeholder for a missing photograph: a gray camera, picture or cross, and a line of text."""
    gray = int(rng.integers(215, 256))
    ink = 3 * (gray - int(rng.integers(25, 110)),)
    back: Color = (gray, gray, gray)
    sketch = Sketch(width, height, back)
    r, y, drawn = rng.uniform(0.1, 0.22), 0.44, rng.integers(4)
    a, d = r * sketch.across, r * sketch.down
    if drawn == 0:  # a camera
        sketch.box(0.5 - 0.5 * a, y - 0.9 * d, 0.5 + 0.5 * a, y, ink, 0.01)
        sketch.box(0.5 - 1.2 * a, y - 0.65 * d, 0.5 + 1.2 * a, y + 0.75 * d, ink, 0.03)
        for share, fill in ((0.5, back), (0.36, ink), (0.2, back)):
            sketch.oval(0.5, y, r * share, r * share, fill)
    elif drawn == 1:  # a framed landscape
        sketch.box(0.5 - 1.2 * a, y - 0.9 * d, 0.5 + 1.2 * a, y + 0.9 * d, ink, 0.02)
        sketch.box(0.5 - 1.08 * a, y - 0.78 * d, 0.5 + 1.08 * a, y + 0.78 * d, back)
        sketch.polygon(
            [
                (0.5 - a, y + 0.7 * d),
                (0.5 - 0.3 * a, y - 0.3 * d),
                (0.5 + 0.1 * a, y + 0.2 * d),
                (0.5 + 0.4 * a, y - 0.1 * d),
                (0.5 + a, y + 0.7 * d),
            ],
            ink,
        )
        sketch.oval(0.5 + 0.55 * a, y - 0.4 * d, 0.15 * r, 0.15 * r, ink)
    elif drawn == 2:
        sketch.line([(0, 0), (1, 1)], ink, 0.006)
        sketch.line([(0, 1), (1, 0)], ink, 0.006)
    texts = [
        "No image",
        "Image not available",
        "No image available",
        "Coming soon",
        "404",
        "image missing",
        "Photo not found",
    ]
    if drawn == 3 or chance(rng, 0.7):
        sketch.text(
            0.5,
            y if drawn == 3 else y + 1.5 * d,
            str(rng.choice(texts)),
            0.07,
            ink,
            str(rng.choice(["Sans", ""])),
            "mm",
        )
    return sketch.picture()


def icons(rng: Rng, width: int, height: int) -> Image.Image:
    """A phone's or a desktop's start screen."""
    sketch = Sketch(width, height, Image.eval(_wallpaper(rng, width, height), lambda level: int(level * 0.8)))
    columns = int(rng.integers(3, 7))
    step = 1 / columns
    for y in np.arange(step / 2, 1 / sketch.down * 0.95, step / sketch.across):
        for x in np.arange(step / 2, 1, step):
            if chance(rng, 0.85):
                half, down = step * 0.3, y * sketch.down
                tall = half / sketch.across * sketch.down
                sketch.box(x - half, down - tall, x + half, down + tall, color(rng, (0, 0.9), (0.3, 1)), 0.02)
                sketch.oval(x, down, half * 0.4 / sketch.across, half * 0.4 / sketch.across, (250, 250, 250))
    return sketch.picture()


def _wallpaper(rng: Rng, width: int, height: int) -> Image.Image:
    tone = np.array(color(rng, (0.2, 0.9), (0.3, 1)))
    return Image.fromarray(np.uint8(fractal(rng, width, height, 2, octaves=2)[..., None] * tone))


def _theme(rng: Rng) -> tuple[Color, Color]:
    """Ground and ink, light or dark."""
    themes: list[tuple[Color, Color]] = [
        ((255, 255, 255), _INK),
        ((246, 247, 249), _INK),
        ((30, 31, 36), (215, 218, 224)),
        ((13, 17, 23), (200, 209, 217)),
    ]
    return themes[int(rng.integers(len(themes)))]


def _axes_of_chart(rng: Rng, width: int, height: int) -> Sketch:
    sketch = Sketch(width, height, _PAPER if chance(rng, 0.8) else (32, 34, 40))
    gray = (150, 150, 155)
    for y in np.linspace(0.15, 0.88, int(rng.integers(3, 8))):
        sketch.line([(0.12, y), (0.96, y)], mixed(gray, _PAPER, 0.5), 0.003)
        sketch.text(0.1, y, str(rng.integers(100)), 0.035, gray, "Sans", "rm")
    sketch.line([(0.12, 0.12), (0.12, 0.88), (0.96, 0.88)], gray, 0.006)
    sketch.text(0.5, 0.03, words(rng, 3), 0.05, gray, "Sans", "ma")
    return sketch


KINDS = {
    "page": page,
    "spreadsheet": spreadsheet,
    "bar chart": bar_chart,
    "line chart": line_chart,
    "pie chart": pie_chart,
    "app": app,
    "chat": chat,
    "code": code,
    "map": city_map,
    "matrix code": matrix_code,
    "barcode": barcode,
    "receipt": receipt,
    "banner": banner,
    "logo": logo,
    "placeholder": placeholder,
    "icons": icons,
}
