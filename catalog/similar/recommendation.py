"""Check the settings of a recommendation."""

from collections.abc import Sequence

from catalog.similar.settings import SearchSettings
from fashion.errors import SettingError


def check_examples(like: Sequence[str], unlike: Sequence[str], settings: SearchSettings) -> None:
    """Raise SettingError if nothing is liked, a product is both liked and disliked, or diversity is set.

    Also for a text in place of a list, whose letters would be ids.
    """
    for ids in (like, unlike):
        if isinstance(ids, str):
            raise SettingError(f"{ids!r} is no list of ids")
    if not like:
        raise SettingError("recommendations need at least one product that is liked")
    if both := sorted(set(like) & set(unlike)):
        raise SettingError(f"product {both[0]!r} is both liked and disliked")
    if settings.diversity:
        raise SettingError("recommendations do not support diversity; search does")
