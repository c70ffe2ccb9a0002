"""Numbers and prices as people write them: `1.299,00 €`, `1'299.00`, `12,-`, `Rs. 1,29,999`."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

MOST = 0.95  # minimum share of a column's numbers that have its decimal sign

SYMBOLS = {
    "€": "eur",
    "$": "usd",
    "us$": "usd",
    "us $": "usd",
    "a$": "aud",
    "au$": "aud",
    "c$": "cad",
    "ca$": "cad",
    "nz$": "nzd",
    "hk$": "hkd",
    "£": "gbp",
    "₹": "inr",
    "rs.": "inr",
    "rs": "inr",
    "₩": "krw",
    "₺": "try",
    "₽": "rub",
    "zł": "pln",
}
CURRENCIES = (
    *("eur", "usd", "gbp", "chf", "sek", "nok", "dkk", "isk", "pln", "czk", "huf", "ron", "bgn", "try", "uah", "jpy"),
    *("cny", "inr", "krw", "hkd", "sgd", "twd", "thb", "idr", "vnd", "aud", "nzd", "cad", "mxn", "brl", "zar", "aed"),
    *("ils", "rub", "r$", "kr", "kč", "zł", "¥", *SYMBOLS),
)
_CURRENCY = "|".join(map(re.escape, CURRENCIES))
SPACES = " \u00a0\u202f"  # non-breaking and narrow spaces separate thousands
WRITTEN_NUMBER = re.compile(
    rf"(?P<sign>[-\u2212]?)(?:(?P<before>{_CURRENCY})[{SPACES}]?(?P<inner>[-\u2212]?))?"
    rf"(?P<digits>\d+(?:[.,'\u2019{SPACES}]\d+)*|[.,]\d+)(?P<power>e[+-]?\d+)?"
    # 12,- is a price without cents, and 12.50- a negative number as SAP writes it.
    rf"(?:(?P<bare>[.,])(?:--?|\u2013|\u2014)|(?P<minus>-))?(?:[{SPACES}]?(?P<after>{_CURRENCY}))?",
    re.IGNORECASE,
)
_THOUSANDS = rf"['\u2019{SPACES}]"
Sign = Literal[".", ","]


def currencies(written: Iterable[re.Match[str]]) -> set[str]:
    """The currencies of these numbers; a number may have two, as in $ 10 USD."""
    found = {sign.lower() for match in written for sign in (match["before"], match["after"]) if sign}
    return {SYMBOLS.get(sign, sign) for sign in found}


def decimal_sign(written: Iterable[tuple[re.Match[str], int]]) -> tuple[Sign | None, bool]:
    """Infer the decimal sign, comma or point, from numbers and their frequencies.

    Returns:
        The sign, None if the numbers contradict each other; and whether that is certain. Without evidence it is the
        point: 1.299 is a little more than 1, and 1,299 is over a thousand.

    A number is evidence if it has both signs (the last is the decimal sign), one sign more than once (the other is), or
    one sign with more than three digits before it or not exactly three after it (it is). With a currency, a sign
    followed by exactly three digits separates thousands, since prices have two decimals. In `12,-` and `1.299,-` the
    sign before the dash is decimal.
    """
    votes: Counter[Sign] = Counter()
    doubtful = False
    for match, times in written:
        if vote := decimal_vote(match):
            votes[vote] += times
        else:
            doubtful |= has_sign(match)
    if not votes:
        return ".", not doubtful
    sign, count = votes.most_common(1)[0]
    return (sign if count >= MOST * votes.total() else None), True


def has_sign(match: re.Match[str]) -> bool:
    """Whether a number has a comma or point among its digits."""
    return re.search(r"[.,]", match["digits"]) is not None


def decimal_vote(match: re.Match[str]) -> Sign | None:
    """The decimal sign that a number shows, or None."""
    digits, signs = match["digits"], re.findall(r"[.,]", match["digits"])
    if match["bare"] or not signs:
        return _sign(match["bare"])
    last, other = signs[-1], "." if signs[-1] == "," else ","
    if other in signs:
        return _sign(last)
    if len(signs) > 1:
        return _sign(other)
    before, after = map(len, digits.split(last))
    if before > 3 or after != 3 or re.search(_THOUSANDS, digits) or digits[0] in "0.,":
        return _sign(last)
    return _sign(other) if match["before"] or match["after"] else None


def _sign(text: str | None) -> Sign | None:
    return "," if text == "," else "." if text == "." else None


def number(match: re.Match[str], sign: Sign | None) -> int | float | None:
    """A cell as a number, or None if it is not one with this decimal sign."""
    digits, power, money = match["digits"], match["power"], match["before"] or match["after"]
    minuses = [name for name in ("sign", "inner", "minus") if match[name]]
    if sign is None or len(minuses) > 1:
        return None
    whole, point, fraction = digits.rpartition(sign) if sign in digits else (digits, "", "")
    whole = whole or "0"  # of .50
    other = "," if sign == "." else "."
    grouped = rf"[1-9]\d{{0,2}}(?:(?:{re.escape(other)}|{_THOUSANDS})\d{{3}})+"
    # In Indian grouping, digits above the thousands come in pairs.
    if not re.fullmatch(rf"0|[1-9]\d*|{grouped}|[1-9]\d?(?:,\d\d)*,\d{{3}}", whole):
        return None
    if point and not fraction.isdigit():
        return None
    # An exponent without a sign, in a number without a decimal point, is more likely part of an article number.
    if power and (money or not (point or power[1] in "+-")):
        return None
    text = ("-" if minuses else "") + re.sub(r"\D", "", whole)
    return float(f"{text}.{fraction or 0}{power or ''}") if point or power else int(text)
