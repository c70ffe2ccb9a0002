"""Random garments with plausible combinations of labels of the 228-label taxonomy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.sources.drawing import cloth as cloths
from training.sources.drawing.cloth import COLORS, RGB, Cloth, darker, plain, ribbed, shade_of
from training.sources.drawing.patterns import pattern

GROUPS = ("category", "color", "material", "neckline", "pattern", "sleeve", "style")

_Odds = Mapping[str, float]  # value -> weight; "" stands for none


@dataclass(frozen=True)
class Kind:
    """Possible labels of a garment category; weights need not sum to one."""

    material: _Odds
    pattern: _Odds
    sleeve: _Odds
    neckline: _Odds
    style: _Odds


def _kind(
    material: _Odds,
    pattern: _Odds,
    sleeve: _Odds | None = None,
    neckline: _Odds | None = None,
    style: _Odds | None = None,
) -> Kind:
    none = {"": 1.0}
    return Kind(material, pattern, sleeve or none, neckline or none, style or none)


KINDS: dict[str, Kind] = {
    "T-Shirts": _kind(
        {"Cotton": 1},
        {"": 4, "Stripes": 3, "Camouflage": 1, "Hearts": 1, "Polka Dot": 1, "Leopard And Cheetah": 1, "Floral": 0.5},
        {"Short Sleeves": 5, "Long Sleeved": 1},
        {"Round Neck": 1, "V-Necks": 1},
    ),
    "Dress Shirts": _kind(
        {"Cotton": 1},
        {"": 4, "Stripes": 2, "Plaid": 2, "Checkered": 2, "Polka Dot": 1, "Floral": 0.5},
        {"Long Sleeved": 3, "Short Sleeves": 1},
        {"Collared": 1},
    ),
    "Polos": _kind({"Cotton": 1}, {"": 3, "Stripes": 1}, {"Short Sleeves": 1}, {"Collared": 1}),
    "Tank Tops": _kind(
        {"Cotton": 1},
        {"": 4, "Stripes": 1.5, "Camouflage": 1.5, "Floral": 1, "Leopard And Cheetah": 1, "Hearts": 1},
        {"Sleeveless": 1},
        {"Round Neck": 1.3, "V-Necks": 1},
        {"": 3, "Spaghetti Straps": 1},
    ),
    "Hoodies & Sweatshirts": _kind(
        {"Cotton": 1}, {"": 5, "Camouflage": 2, "Leopard And Cheetah": 0.7}, {"Long Sleeved": 1}
    ),
    "Pullover Sweaters": _kind(
        {"Knit": 1},
        {"": 5, "Stripes": 1.5, "Hearts": 1},
        {"Long Sleeved": 1},
        {"Round Neck": 1, "V-Necks": 1, "Turtlenecks": 1.4},
    ),
    "Casual Dresses": _kind(
        {"Cotton": 1},
        {"": 2.5, "Floral": 2.5, "Polka Dot": 1.5, "Stripes": 0.8, "Leopard And Cheetah": 1, "Checkered": 1},
        {"Sleeveless": 1.2, "Short Sleeves": 0.8, "Puff Sleeves": 1.4, "Long Sleeved": 0.8},
        {"Round Neck": 1, "V-Necks": 1, "Square Necked": 1.8},
        {"": 4, "Spaghetti Straps": 1},
    ),
    "Skirts": _kind(
        {"Cotton": 3, "Denim": 1, "Leather": 1},
        {"": 3, "Plaid": 2, "Floral": 1.5, "Polka Dot": 1.5, "Checkered": 1, "Leopard And Cheetah": 0.8},
        style={"": 1, "Pleated": 1},
    ),
    "Jeans": _kind({"Denim": 1}, {"": 1}),
    "Shorts": _kind({"Cotton": 2.5, "Denim": 1}, {"": 4, "Camouflage": 1.5, "Plaid": 1.5, "Floral": 1, "Checkered": 1}),
    "Jackets": _kind({"Leather": 2, "Denim": 1.2, "Cotton": 1}, {"": 1}, {"Long Sleeved": 1}, {"Collared": 1}),
    "Trousers": _kind({"Cotton": 4, "Leather": 0.8}, {"": 4, "Plaid": 1.5, "Camouflage": 1, "Checkered": 0.8}),
    "Sneakers": _kind({"Leather": 1, "Canvas": 1}, {"": 5, "Leopard And Cheetah": 0.4}),
}

_DENIM_COLORS = {"Blue": 5.0, "Black": 1.5, "Gray": 1.0, "White": 0.8}
_LEATHER_COLORS = {"Black": 3.0, "Brown": 3.0, "Red": 1.5, "Beige": 1.0, "White": 1.0, "Purple": 0.6, "Green": 0.8}
_PLAIN_COLORS = {name: 0.7 if name in {"White", "Black", "Blue"} else 1.0 for name in COLORS}
_PAIRS: dict[str, list[tuple[str, ...]]] = {
    "Camouflage": [("Green", "Brown", "Black", "Beige"), ("Gray", "Black", "White")],
    "Leopard And Cheetah": [("Beige", "Brown"), ("Gray", "Black")],
}


@dataclass(frozen=True)
class Outfit:
    """A garment's labels ("" for none) and the colors of its cloth, the ground color first."""

    category: str
    material: str
    pattern: str
    sleeve: str
    neckline: str
    style: str
    colors: tuple[str, ...]
    shades: tuple[RGB, ...]

    def labels(self) -> dict[str, list[str]]:
        """Label names by group, an empty list if none applies."""
        cells = {group: [getattr(self, group)] if getattr(self, group) else [] for group in GROUPS if group != "color"}
        cells["color"] = sorted(self.colors)
        return {group: cells[group] for group in GROUPS}


def choose(rng: np.random.Generator) -> Outfit:
    """A random garment; every category is as likely as any other."""
    category = str(rng.choice(list(KINDS)))
    kind = KINDS[category]
    material = _pick(kind.material, rng)
    name = _pick(kind.pattern, rng) if material in {"Cotton", "Knit", "Canvas"} else ""
    neckline, style, sleeve = (_pick(odds, rng) for odds in (kind.neckline, kind.style, kind.sleeve))
    if style == "Spaghetti Straps":
        sleeve = "Sleeveless"
    if style == "Pleated" and material == "Denim":
        style = ""
    colors = _colors(name, material, rng)
    shades = tuple(shade_of(color, rng, material) for color in colors)
    return Outfit(category, material, name, sleeve, neckline, style, colors, shades)


def _pick(odds: _Odds, rng: np.random.Generator) -> str:
    weights = np.array(list(odds.values()))
    return str(rng.choice(list(odds), p=weights / weights.sum()))


def _colors(name: str, material: str, rng: np.random.Generator) -> tuple[str, ...]:
    if name in _PAIRS:
        return _PAIRS[name][0 if rng.random() < 0.7 else 1]
    odds = {"Denim": _DENIM_COLORS, "Leather": _LEATHER_COLORS}.get(material, _PLAIN_COLORS)
    ground = _pick(odds, rng)
    if not name:
        return (ground,)
    return ground, str(rng.choice([other for other in COLORS if _apart(ground, other)]))


def _apart(one: str, other: str) -> bool:
    """Whether two named colors are distinguishable side by side."""
    (_, saturation, value), (_, saturation2, value2) = COLORS[one], COLORS[other]
    light = sum(value) * (1 - 0.35 * sum(saturation) / 2)
    return one != other and abs(light - sum(value2) * (1 - 0.35 * sum(saturation2) / 2)) > 0.42


def cloths_of(outfit: Outfit, rng: np.random.Generator) -> dict[str, Cloth]:
    """The cloths that the parts of a garment are cut from, by the names that `Part.cloth` uses."""
    ground = outfit.shades[0]
    surface, gloss = cloths.surface(outfit.material, rng)
    main = plain(ground, gloss, surface)
    if outfit.pattern:
        main = cloths.covered(pattern(outfit.pattern, outfit.shades, rng), surface, gloss)
    trim = outfit.shades[1] if outfit.pattern and rng.random() < 0.4 else ground
    return {
        "main": main,
        "ground": plain(ground, gloss, surface),
        "trim": plain(darker(trim, 0.93)),
        "rib": ribbed(darker(trim, 0.9)),
        "inside": plain(darker(ground, 0.62)),
        "deep": plain(darker(ground, 0.4)),
        **_fittings(rng),
    }


def _fittings(rng: np.random.Generator) -> dict[str, Cloth]:
    """Materials other than the garment's cloth: soles, zips, hangers, torsos."""
    wood: list[RGB] = [(0.62, 0.42, 0.25), (0.80, 0.62, 0.42), (0.25, 0.17, 0.12), (0.93, 0.93, 0.93)]
    torso: list[RGB] = [(0.90, 0.86, 0.80), (0.95, 0.95, 0.95), (0.80, 0.77, 0.74), (0.30, 0.30, 0.31)]
    return {
        "sole": plain((0.95, 0.94, 0.91)),
        "metal": plain((0.72, 0.72, 0.74), 0.8),
        "hanger": plain(wood[int(rng.integers(len(wood)))], 0.3),
        "torso": plain(torso[int(rng.integers(len(torso)))], 0.1),
        "label": plain((0.96, 0.96, 0.94)),
    }
