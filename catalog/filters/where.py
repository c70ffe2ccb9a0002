"""Parse the filter language: `color=Black and sleeve!=Sleeveless and price<50` to a tree of conditions.

    color = Black                      one of the product's colors is Black
    color != Black                     none of them is, or the product has no color
    color in (Black, 'Navy Blue')      one of them is in the list; `not in` for the opposite
    price < 50, date >= 2026-05        <, <=, >, >= compare numbers and dates; a day, month or year is a whole period
    brand = ''                         has no value;  brand != ''  has one
    and, or, not, parentheses          `not` binds tightest, then `and`

Names and values with spaces, commas or operators are quoted with ' or ". A column is an attribute group or a source
column. If both have the same name it means the group; `source.color` is the source column.
"""

import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple, NoReturn

from catalog.filters.columns import Column, Columns
from catalog.filters.conditions import And, Between, Condition, Missing, Not, OneOf, Or
from fashion.errors import SettingError
from fashion.spelling import did_you_mean

TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"[^"]*"|'[^']*')|(?P<sign>!=|<=|>=|[=<>(),])|(?P<word>[^\s=!<>(),"'][^\s=!<>(),"]*))"""
)
BOUNDS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
SIGNS = ("=", "!=", *BOUNDS)
DEPTH = 50  # maximum nesting of parentheses and nots
LISTED = 12  # choices listed in an error
SHOWN = 40  # characters of the filter shown in an error, before and after the position
PERIOD = re.compile(r"(?P<year>\d{4})(-(?P<month>\d{2}))?")  # without a day
DAY = timedelta(days=1)


class FilterError(SettingError):
    """An invalid filter; the message marks the position with ^."""


class Token(NamedTuple):
    """A token: its text without quotes, its kind ("word", "quoted", "sign" or "end") and its position."""

    text: str
    kind: str
    start: int

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords."""
        return self.kind == "word" and self.text.lower() in words


def parse(text: str, columns: Columns) -> Condition:
    """Parse a filter.

    Raises:
        FilterError: a syntax error, an unknown column or label, or a value that the column cannot have.
    """
    return FilterParser(text, columns).parse()


class FilterParser:
    """Recursive descent parser with a method per level: or, and, not, comparison.

    Attributes:
        named: the column of each comparison that was parsed, in order.
    """

    def __init__(self, text: str, columns: Columns) -> None:
        self.text, self.columns = text, columns
        self.named: list[Column] = []
        self.tokens = self._tokens()
        self.position = self.depth = 0

    def parse(self) -> Condition:
        """Parse the whole text; raises as `parse`."""
        condition = self._or()
        if self.now.kind != "end":
            quote = "; a name with spaces needs quotes" if self.now.kind == "word" else ""
            self._fail(f"expected and, or, or the end before {self.now.text!r}{quote}")
        return condition

    def _or(self) -> Condition:
        parts = [self._and()]
        while self._take("or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _and(self) -> Condition:
        parts = [self._not()]
        while self._take("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self) -> Condition:
        if self.depth == DEPTH:
            self._fail(f"more than {DEPTH} nested parentheses and nots")
        self.depth += 1
        try:
            if self._take("not"):
                return Not(self._not())
            if not self._take_sign("("):
                return self._comparison()
            inner = self._or()
            self._expect(")", "to close the parenthesis")
            return inner
        finally:
            self.depth -= 1

    def _comparison(self) -> Condition:
        column = self._column()
        at = self.now
        if not (at.kind == "sign" and at.text in SIGNS) and not at.is_word("in", "not"):
            self._fail(f"expected = != < <= > >= or in after {column.name!r}")
        self.position += 1
        if at.is_word("in", "not"):
            if at.is_word("not") and not self._take("in"):
                self._fail("expected in after not")
            found = Or(tuple(self._list(column)))
            return Not(found) if at.is_word("not") else found
        value = self._value(column)
        if at.text in BOUNDS:
            return self._ordered(column, at, value)
        return Not(self._equal(column, value)) if at.text == "!=" else self._equal(column, value)

    def _column(self) -> Column:
        token = self.now
        if token.kind not in ("word", "quoted"):
            self._fail("expected the name of a column" + (f" before {token.text!r}" if token.text else ""))
        if token.text not in self.columns:
            hint = did_you_mean(token.text, self.columns.all_names)
            self._fail(f"unknown column {token.text!r}{hint}", f"; there are: {', '.join(self.columns.names)}")
        self.position += 1
        self.named.append(self.columns[token.text])
        return self.named[-1]

    def _list(self, column: Column) -> list[Condition]:
        self._expect("(", "before the list")
        found = [self._equal(column, self._value(column))]
        while self._take_sign(","):
            found.append(self._equal(column, self._value(column)))
        self._expect(")", "to close the list, or a comma")
        return found

    def _value(self, column: Column) -> Token:
        token = self.now
        if token.kind not in ("word", "quoted"):
            self._fail(f"expected a value for {column.name!r}")
        self.position += 1
        return token

    def _equal(self, column: Column, value: Token) -> Condition:
        if not value.text:
            return Missing(column)
        if column.kind == "number":
            number = self._number(column, value)
            return Between(column, {"gte": number, "lte": number})
        if column.kind == "date":
            start, end = self._time(column, value)
            return Between(column, {"gte": start, "lt": end} if end > start else {"gte": start, "lte": start})
        text = value.text.lower() if column.kind == "flag" else value.text
        if column.choices and text not in column.choices:
            listed = ", ".join(column.choices[:LISTED]) + (", ..." if len(column.choices) > LISTED else "")
            what = f"{column.name!r} has no {value.text!r}{did_you_mean(text, column.choices)}"
            self._fail(what, f"; it has: {listed}", value)
        return OneOf(column, (text,))

    def _ordered(self, column: Column, sign: Token, value: Token) -> Condition:
        if column.kind == "number":
            return Between(column, {BOUNDS[sign.text]: self._number(column, value)})
        if column.kind != "date":
            self._fail(f"{column.name!r} holds names, which {sign.text} cannot compare; use =, != or in", "", sign)
        start, end = self._time(column, value)
        if end > start and sign.text in ("<=", ">"):  # these compare with the end of a period, < and >= with its start
            return Between(column, {"lt" if sign.text == "<=" else "gte": end})
        return Between(column, {BOUNDS[sign.text]: start})

    def _number(self, column: Column, token: Token) -> float:
        try:
            number = float(token.text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or "_" in token.text:
            self._fail(f"{column.name!r} holds numbers, and {token.text!r} is not a number", "", token)
        return number

    def _time(self, column: Column, token: Token) -> tuple[datetime, datetime]:
        """Start and end of a year, month or day; both are the same if a time is given."""
        try:
            if period := PERIOD.fullmatch(token.text):
                year, month = int(period["year"]), int(period["month"] or 1)
                later = 12 * year + month + (0 if period["month"] else 11)  # months since year 0, January being 0
                return datetime(year, month, 1, tzinfo=UTC), datetime(later // 12, later % 12 + 1, 1, tzinfo=UTC)
            time = datetime.fromisoformat(token.text)
            time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
            return time, time + DAY if len(token.text) <= len(date.min.isoformat()) else time
        except (ValueError, OverflowError):
            what = f"{column.name!r} holds dates, and {token.text!r} is not a date such as 2026-05-01 or 2026-05"
            self._fail(what, "", token)

    def _tokens(self) -> list[Token]:
        tokens, position, end = [], 0, len(self.text.rstrip())
        while position < end:
            match = TOKEN.match(self.text, position)
            if not match:
                start = position + len(self.text[position:]) - len(self.text[position:].lstrip())
                character = self.text[start]
                why = "the quotation mark is not closed" if character in "'\"" else f"{character!r} has no meaning here"
                self._fail(why, "", Token(character, "sign", start))
            kind = str(match.lastgroup)
            content = match[kind][1:-1] if kind == "quoted" else match[kind]
            tokens.append(Token(content, kind, match.start(kind)))
            position = match.end()
        return [*tokens, Token("", "end", end)]

    @property
    def now(self) -> Token:
        return self.tokens[self.position]

    def _take(self, word: str) -> bool:
        taken = self.now.is_word(word)
        self.position += taken
        return taken

    def _take_sign(self, sign: str) -> bool:
        taken = self.now.kind == "sign" and self.now.text == sign
        self.position += taken
        return taken

    def _expect(self, sign: str, why: str) -> None:
        if not self._take_sign(sign):
            self._fail(f"expected {sign} {why}")

    def _fail(self, what: str, hint: str = "", at: Token | None = None) -> NoReturn:
        start = (at or self.now).start
        before, after = self.text[:start].lstrip(), self.text[start:].rstrip()
        cut_before = f"...{before[-SHOWN:]}" if len(before) > SHOWN else before
        cut_after = f"{after[:SHOWN]}..." if len(after) > SHOWN else after
        raise FilterError(f"{what}, at the ^ in: {cut_before}^{cut_after}{hint}")
