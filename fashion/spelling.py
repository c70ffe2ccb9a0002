"""Suggestions for misspelled names in error messages."""

from collections.abc import Collection, Iterable

from fashion.errors import DataError


def check_groups(where: object, groups: Iterable[str], known: Collection[str]) -> None:
    """Raise DataError for a group that is not among those known at `where`, such as a folder."""
    for group in groups:
        if group not in known:
            hint = did_you_mean(group, known)
            raise DataError(f"{where} has no attribute group {group!r}{hint}; its groups are: {', '.join(known)}")


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """A hint to put after a wrong name, such as " (did you mean 'color'?)"; empty if no choice is similar."""
    close = closest(name, choices)
    return f" (did you mean {close!r}?)" if close is not None else ""


def closest(name: str, choices: Iterable[str]) -> str | None:
    """The choice with the most similar spelling, ignoring letter case, or None."""
    from difflib import get_close_matches  # most processes never make a mistake

    lower = {choice.lower(): choice for choice in choices}
    close = get_close_matches(name.lower(), list(lower), n=1)
    return lower[close[0]] if close else None
