"""Pictures of a photograph's answer: bars for the attributes, and heat maps of the evidence."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from fashion.answers import missed_labels
from fashion.explanation import overlay
from fashion.options import AnswerOptions, parse_options
from fashion.pictures.tiles import (
    GROUND,
    HEAT_MAP_LAYOUT,
    INK,
    LARGE,
    MARK,
    RIGHT,
    SMALL,
    SOFT,
    WRONG,
    Picture,
    Tile,
    fit_to_box,
    font,
    sheet,
    truncate_text,
)
from fashion.predictor import Predictor
from fashion.preprocess import decode
from fashion.taxonomy import Label

WIDTH, MARGIN, ROW = 290, 20, 24  # px: width of a column, gap between columns, height of a line with its bar behind it
METER, THICK = 36, 8  # px: height of a line with its bar below it, and thickness of that bar
NAME = 72  # px, offset of names from the left of their groups
BAR, FULL, WEAK, TRACK = "#dbe4f0", "#7ea1d1", "#c9ccd1", "#f1f2f4"  # behind text; answered; not answered; background
MAPS = 2  # number of attributes explained by default

Truth = Mapping[str, Sequence[str] | None]  # names by group; None where not annotated


def portrait(
    predictor: Predictor, photo: Path | str, groups: Sequence[str] | None = None, profile: str | None = None
) -> Picture:
    """One photograph with its answer and heat maps.

    Every answered attribute has a bar for its probability and a mark at its threshold. For a group without an answer,
    the most probable attribute is shown in gray.

    Args:
        predictor: the model.
        photo: the photograph.
        groups: groups whose most probable attribute gets a heat map; None selects the two most probable attributes.
        profile: threshold profile; None for the model card's default.

    Raises:
        InvalidImage: the photograph cannot be read.
        SettingError: an unknown group or profile.
    """
    wanted = _groups(predictor, groups)
    image = decode(photo)
    prediction = predictor.predict(image)
    best = predictor.answer(prediction, AnswerOptions(profile=profile, top_k=1))["attributes"]
    answered = predictor.answer(prediction, profile)["attributes"]
    if wanted is None:
        certain = sorted(best, key=lambda attribute: -attribute["probability"])[:MAPS]
        wanted = tuple(attribute["group"] for attribute in certain)
    explained = [attribute for attribute in best if attribute["group"] in wanted]
    maps = list(zip(explained, _maps(predictor, image, explained), strict=True))
    there = {attribute["group"] for attribute in answered}
    rows = [a for one in best for a in (_in_group(answered, one["group"]) if one["group"] in there else [one])]
    height = max(WIDTH + 2 * ROW, len(rows) * METER + ROW)
    canvas = Image.new("RGB", ((2 + len(maps)) * (WIDTH + MARGIN) + MARGIN, height + 2 * MARGIN), GROUND)
    draw = ImageDraw.Draw(canvas)
    _photo(canvas, draw, MARGIN, image, Path(photo).name, "the photograph")
    for i, attribute in enumerate(rows):
        _meter(draw, WIDTH + 2 * MARGIN, MARGIN + i * METER, attribute, attribute in answered)
    place = (WIDTH + 2 * MARGIN, MARGIN + len(rows) * METER)
    draw.text(place, "bar: probability, mark: threshold", SOFT, font(SMALL))
    for i, (attribute, picture) in enumerate(maps):
        left = MARGIN + (2 + i) * (WIDTH + MARGIN)
        _photo(canvas, draw, left, picture.image, attribute["name"], picture.note)
    return Picture(canvas)


def heat_maps(predictor: Predictor, photo: Path | str, groups: Sequence[str] | None = None) -> Picture:
    """Heat maps of the evidence for the most probable attribute of each group.

    Args:
        predictor: the model.
        photo: the photograph.
        groups: the groups; None for all.

    Raises:
        InvalidImage: the photograph cannot be read.
        SettingError: an unknown group.
    """
    image = decode(photo)
    options = AnswerOptions(groups=_groups(predictor, groups), top_k=1)
    tiles = [Tile(image, [("the photograph", INK)])]
    attributes = predictor.answer(predictor.predict(image), options)["attributes"]
    for attribute, picture in zip(attributes, _maps(predictor, image, attributes), strict=True):
        lines = [(f"{attribute['name']}  {attribute['probability']:.0%}", INK), (picture.note, SOFT)]
        tiles.append(Tile(picture.image, lines))
    return sheet(tiles, HEAT_MAP_LAYOUT)


def gallery(
    predictor: Predictor, photos: Sequence[Path | str], truths: Sequence[Truth] | None = None, columns: int = 4
) -> Picture:
    """A grid of photographs with their answers below, each attribute with a bar for its probability.

    Args:
        predictor: the model.
        photos: the photographs.
        truths: ground truth of each photograph, empty if unknown. Names are then green if correct, orange if wrong or
            missed, and gray if their group is not annotated.
        columns: maximum number of photographs in a row.

    Raises:
        InvalidImage: a photograph cannot be read.
    """
    blocks = []
    for i, (photo, prediction) in enumerate(zip(photos, predictor.predict(list(photos)), strict=True)):
        attributes = predictor.answer(prediction)["attributes"]
        blocks.append((decode(photo), attributes, _known(truths[i], predictor) if truths and truths[i] else None))
    rows = [blocks[start : start + columns] for start in range(0, len(blocks), columns)]
    heights = [
        2 * MARGIN + WIDTH + max(_lines(attributes, truth) for _, attributes, truth in row) * ROW for row in rows
    ]
    canvas = Image.new("RGB", (min(columns, len(blocks)) * (WIDTH + MARGIN) + MARGIN, sum(heights) + MARGIN), GROUND)
    draw, top = ImageDraw.Draw(canvas), MARGIN
    for row, height in zip(rows, heights, strict=True):
        for i, (image, attributes, truth) in enumerate(row):
            left = MARGIN + i * (WIDTH + MARGIN)
            _paste(canvas, image, left, top)
            _answers(draw, left, top + WIDTH + MARGIN, attributes, truth)
        top += height
    return Picture(canvas)


def _groups(predictor: Predictor, groups: Sequence[str] | None) -> tuple[str, ...] | None:
    return parse_options({"groups": list(groups)}, predictor.card).groups if groups else None


def _known(truth: Truth, predictor: Predictor) -> Truth:
    """The ground truth restricted to the model's groups."""
    return {group: names for group, names in truth.items() if group in predictor.taxonomy.groups}


class _Map(NamedTuple):
    """The photograph overlaid with the evidence, and a caption."""

    image: Image.Image
    note: str


def _maps(predictor: Predictor, image: Image.Image, attributes: Sequence[Mapping[str, Any]]) -> list[_Map]:
    labels = [predictor.taxonomy.index[Label(each["group"], each["name"])] for each in attributes]
    found = predictor.evidence(image, labels)
    return [_map(predictor, image, each["group"], evidence) for each, evidence in zip(attributes, found, strict=True)]


def _map(predictor: Predictor, image: Image.Image, group: str, evidence: np.ndarray) -> _Map:
    note = f"where the evidence for this {group} lies" if evidence.max() > 0 else f"no evidence for this {group}"
    return _Map(overlay(image, evidence, predictor.card.input), note)


def _in_group(attributes: Sequence[dict[str, Any]], group: str) -> list[dict[str, Any]]:
    return [attribute for attribute in attributes if attribute["group"] == group]


def _photo(canvas: Image.Image, draw: ImageDraw.ImageDraw, left: int, image: Image.Image, name: str, note: str) -> None:
    _paste(canvas, image, left, MARGIN)
    draw.text((left, MARGIN + WIDTH + 6), truncate_text(name, WIDTH, LARGE), INK, font(LARGE))
    draw.text((left, MARGIN + WIDTH + 6 + ROW - 4), truncate_text(note, WIDTH, SMALL), SOFT, font(SMALL))


def _paste(canvas: Image.Image, image: Image.Image, left: int, top: int) -> None:
    image = fit_to_box(image, WIDTH, WIDTH)
    canvas.paste(image, (left + (WIDTH - image.width) // 2, top + (WIDTH - image.height) // 2))


def _answers(
    draw: ImageDraw.ImageDraw, left: int, top: int, attributes: Sequence[dict[str, Any]], truth: Truth | None
) -> None:
    for attribute in attributes:
        names = truth.get(attribute["group"]) if truth is not None else None
        color = INK if truth is None else SOFT if names is None else RIGHT if attribute["name"] in names else WRONG
        _bar(draw, left, top, attribute, color)
        top += ROW
    for group, name in missed_labels(attributes, truth or {}):
        _words(draw, left + 6, top, group, f"{name} (missed)", WRONG, WIDTH - 12)
        top += ROW


def _meter(draw: ImageDraw.ImageDraw, left: int, top: int, attribute: Mapping[str, Any], answered: bool) -> None:
    """Draw name and probability, and below them the bar with a mark at the threshold."""
    length = _percent(draw, left + WIDTH, top, attribute)
    _words(draw, left, top, attribute["group"], attribute["name"], INK if answered else SOFT, WIDTH - length)
    above, below = top + ROW - 2, top + ROW - 2 + THICK
    draw.rectangle((left, above, left + WIDTH - 1, below - 1), TRACK)
    if length := round(WIDTH * attribute["probability"]):
        draw.rectangle((left, above, left + length - 1, below - 1), FULL if answered else WEAK)
    if attribute["threshold"]:  # 0 with the profile top-k
        at = left + round(WIDTH * attribute["threshold"])
        draw.rectangle((at - 1, above - 2, at, below + 1), MARK)


def _bar(draw: ImageDraw.ImageDraw, left: int, top: int, attribute: Mapping[str, Any], color: str) -> None:
    """Draw name and probability over the bar."""
    draw.rectangle((left, top, left + WIDTH * attribute["probability"], top + ROW - 4), BAR)
    length = _percent(draw, left + WIDTH - 6, top, attribute)
    _words(draw, left + 6, top, attribute["group"], attribute["name"], color, WIDTH - 12 - length)


def _percent(draw: ImageDraw.ImageDraw, right: int, top: int, attribute: Mapping[str, Any]) -> int:
    """Draw the probability; return its width including the space before it, px."""
    percent = f"{attribute['probability']:.0%}"
    length = round(font(LARGE).getlength(percent))
    draw.text((right - length, top + 1), percent, INK, font(LARGE))
    return length + 8


def _words(draw: ImageDraw.ImageDraw, left: int, top: int, group: str, name: str, color: str, width: int) -> None:
    draw.text((left, top + 3), truncate_text(group, NAME - 6, SMALL), SOFT, font(SMALL))
    draw.text((left + NAME, top + 1), truncate_text(name, width - NAME, LARGE), color, font(LARGE))


def _lines(attributes: Sequence[dict[str, Any]], truth: Truth | None) -> int:
    return len(attributes) + len(missed_labels(attributes, truth or {}))
