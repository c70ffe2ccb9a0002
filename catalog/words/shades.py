"""Which labels are shades of a basic color: who wants no blue wants no navy blue either."""

from collections.abc import Iterable

from fashion.colors.naming import BASIC_COLORS, basic_of_label
from fashion.taxonomy import Label

# Metals are named for what they are made of: watches that are not grey may be of steel.
METALS = {"gold", "rose gold", "silver", "bronze", "copper", "steel"}


def shades(color: Label, labels: Iterable[Label]) -> list[Label]:
    """Other labels of a basic color's group with this basic color; none if the label is no basic color.

    Args:
        color: such as `Blue`; `Navy Blue` is no basic color, and `no navy` excludes no other blue.
        labels: of the model.
    """
    basic = basic_of_label(color.name)
    if basic not in BASIC_COLORS or color.name.lower().replace("gray", "grey") != basic:
        return []
    others = [label for label in labels if label.group == color.group and label != color]
    return [label for label in others if basic_of_label(label.name) == basic and label.name.lower() not in METALS]
