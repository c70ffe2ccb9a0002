"""Recognize cells that stand for a missing value."""

import re

_WORDS = frozenset(
    (
        *(
            "n/a",
            "na",
            "n.a.",
            "nan",
            "nat",
            "<na>",
            "null",
            "(null)",
            "nil",
            "none",
            "undefined",
            r"\n",
            "k.a.",
            "k. a.",
        ),
        *("(blank)", "(leer)", "-", "--", "\N{EN DASH}", "\N{EM DASH}", "0000-00-00", "0000-00-00 00:00:00"),
    )
)
# Error values of formulas, in English, German and other spreadsheet languages: #REF!, #WERT!, #NV.
_FAILED = re.compile(r"#(?:n/?a|n/?[dv]|[^\W\d_][\w/]*[!?])", re.IGNORECASE)


def is_missing(cell: str) -> bool:
    """Whether a text is empty or stands for a missing value, such as N/A, -, null or #REF!, in any letter case."""
    return not cell or cell.lower() in _WORDS or (cell[0] == "#" and _FAILED.fullmatch(cell) is not None)
