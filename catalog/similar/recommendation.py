"""What recommendations can be asked with."""

from collections.abc import Sequence

from catalog.similar.settings import SearchSettings
from fashion.errors import SettingError


def check_examples(like: Sequence[str], unlike: Sequence[str], settings: SearchSettings) -> None:
    """Raise SettingError for likes and dislikes from which nothing can be recommended."""
    if not like:
        raise SettingError("recommendations need at least one product that is liked")
    if both := sorted(set(like) & set(unlike)):
        raise SettingError(f"product {both[0]!r} is both liked and not liked")
    if settings.diversity:
        raise SettingError("recommendations know no diversity; search does")
