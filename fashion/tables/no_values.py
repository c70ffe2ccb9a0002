"""What tables say where there is no value."""

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
# What a formula that fails shows, in English, German and other languages of spreadsheets: #REF!, #WERT!, #NV.
_FAILED = re.compile(r"#(?:n/?a|n/?[dv]|[^\W\d_][\w/]*[!?])", re.IGNORECASE)


def says_nothing(cell: str) -> bool:
    """Whether a text stands for no value: N/A, -, null, #REF! and the like, in any case of letters, or nothing."""
    return not cell or cell.lower() in _WORDS or (cell[0] == "#" and _FAILED.fullmatch(cell) is not None)
