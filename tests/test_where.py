"""The filter language: semantics, execution by the engines, and error messages."""

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from engine_stores import ENGINES, new_store
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_filter import matches
from scored_catalog import LOCAL_MODE, TAXONOMY, products, write_catalog

from catalog.filters.columns import Columns, timestamp
from catalog.filters.filtering import RowFilter
from catalog.filters.where import FilterError, parse
from catalog.index import build
from catalog.scored.table import Scored
from catalog.similar.matching import Index

pytestmark = LOCAL_MODE


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """90 products."""
    return write_catalog(tmp_path_factory.mktemp("where") / "scored", products(90))


@pytest.fixture(scope="module")
def indexes(
    request: pytest.FixtureRequest, scored: Scored, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Index]]:
    """The same products in all engines."""
    folder = tmp_path_factory.mktemp("index")
    with ExitStack() as stack:
        makers = [stack.enter_context(new_store(engine, request, folder / "index")) for engine in ENGINES]
        for make in makers:
            build(scored, make())
        yield [stack.enter_context(Index(make())) for make in makers]


@pytest.fixture(scope="module")
def columns(indexes: list[Index]) -> Columns:
    return indexes[0].columns


def kept(index: Index, text: str) -> set[str]:
    """Ids of the products that the engine's own filter keeps."""
    condition = parse(text, index.columns).build(index.store.builder)
    return {record.payload["id"] for record in index.store.scroll(index.store.builder.all_of([condition]))}


def matching(index: Index, text: str) -> set[str]:
    """Ids of the products that the plain predicate keeps."""
    condition = parse(text, index.columns)
    return {record.payload["id"] for record in index.store.scroll() if matches(condition, record.payload)}


VALUES = {
    "category": ["Dresses", "'Hosiery, Stockings, Tights'", "Jeans", "''"],
    "color": ["Black", '"Navy Blue"', "Écru", "''"],
    "source.color": ["Black", "pink", "''"],
    "attribute.sleeve": ["Sleeveless", "''"],
    "brand": ["Acme", "Levi's", "'Marks & Spencer, London'", "nobody", "''"],
    "tags": ["new", "'summer sale'", "''"],
    """'odd "name", of it'""": ["x", "''"],
    "sale": ["true", "False", "''"],
    "price": ["50", "7.5", "-1", "''"],
    "stock": ["0", "1", "2"],
    "added": ["2026-02-01", "2026-02-01T12:00:00", "2026-01-05T00:00:00+02:00", "2026-02", "2026", "''"],
    "id": ["p1", "p89", "nobody"],
}


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(sorted(VALUES)))
    values = st.sampled_from(VALUES[name])
    if draw(st.booleans()) and name in ("price", "stock", "added"):
        full = st.sampled_from([value for value in VALUES[name] if value != "''"])
        return f"{name} {draw(st.sampled_from(['<', '<=', '>', '>=']))} {draw(full)}"
    if draw(st.booleans()):
        listed = ", ".join(draw(st.lists(values, min_size=1, max_size=3)))
        return f"{name} {draw(st.sampled_from(['in', 'not in']))} ({listed})"
    return f"{name}{draw(st.sampled_from(['=', '!=']))}{draw(values)}"


FILTERS = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.builds("not {}".format, inner.map("({})".format)),
        st.builds("{} and {}".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=FILTERS)
def test_engines_and_table_agree_with_the_reference(indexes: list[Index], scored: Scored, text: str) -> None:
    wanted = matching(indexes[0], text)
    assert [kept(index, text) for index in indexes] == [wanted] * len(ENGINES), text
    where = RowFilter(text, scored)
    batches = scored.batches([*where.needed, "id"])
    assert {id for batch in batches for id in batch.filter(pa.array(where.keeps(batch)))["id"].to_pylist()} == wanted


PAYLOAD = {
    "id": "7",
    "attribute": {"category": ["Dresses"], "color": ["Black", "Navy Blue"], "gender": [], "sleeve": []},
    "source": {"price": 49.9, "brand": "Acme", "sale": "true", "added": "2026-02-01T00:00:00Z", "color": "pink"},
}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("color=Black and sleeve!=Sleeveless and price<50", True),
        ("color=Black", True),
        ("color='Navy Blue'", True),
        ("color!=Black", False),
        ("color in (Écru, 'Navy Blue')", True),
        ("color not in (Écru, Black)", False),
        ("not color=Écru", True),
        ("source.color=pink", True),
        ("source.color=Black", False),
        ("attribute.color = Black", True),
        ("sleeve=''", True),
        ("sleeve != ''", False),
        ("stock=''", True),
        ("stock>0", False),
        ("not stock>0", True),
        ("price>=49.9 AND price<=49.9 and price=49.9", True),
        ("price<49.9 or price>49.9", False),
        ("added=2026-02-01", True),
        ("added<=2026-02-01 and added>=2026-02-01", True),
        ("added>2026-02-01 or added<2026-02-01", False),
        ("added>2026-01-31T23:59:59", True),
        ("added=2026-02", True),
        ("added=2026-01 or added=2026-03 or added=2025", False),
        ("added=2026", True),
        ("added>2026-01 and added<2026-03", True),
        ("added>2026-02 or added<2026-02", False),
        ("added>=2026-02 and added<=2026", True),
        ("sale=TRUE", True),
        # precedence: not, and, or
        ("color=Black or color=Écru and price>50", True),
        ("(color=Black or color=Écru) and price>50", False),
        ("not color=Écru and price>50", False),
        ("not (color=Écru and price>50)", True),
    ],
)
def test_the_meaning_of_filters(columns: Columns, text: str, answer: bool) -> None:
    assert matches(parse(text, columns), PAYLOAD) is answer


NAMES = '; there are: category, color, gender, sleeve, price, brand, stock, added, sale, tags, odd "name", of it, id'
COLORS = "; it has: Black, Navy Blue, Écru"
END = "expected and, or, or the end"
DEEP = "(" * 60 + "color=Black" + ")" * 60


@pytest.mark.parametrize(
    ("text", "what", "spot", "hint"),
    [
        (
            "sale=true and prise<5",
            "unknown column 'prise' (did you mean 'price'?)",
            "sale=true and ^prise<5",
            NAMES,
        ),
        ("Color=Black", "unknown column 'Color' (did you mean 'color'?)", "^Color=Black", NAMES),
        ("color=Blck", "'color' has no 'Blck' (did you mean 'Black'?)", "color=^Blck", COLORS),
        ("color in (black)", "'color' has no 'black' (did you mean 'Black'?)", "color in (^black)", COLORS),
        ("sale=maybe", "'sale' has no 'maybe'", "sale=^maybe", "; it has: true, false"),
        ("price<cheap", "'price' holds numbers, and 'cheap' is not a number", "price<^cheap", ""),
        ("price<nan", "'price' holds numbers, and 'nan' is not a number", "price<^nan", ""),
        (
            "added<soon",
            "'added' holds dates, and 'soon' is not a date such as 2026-05-01 or 2026-05",
            "added<^soon",
            "",
        ),
        ("brand<Acme", "'brand' holds names, which < cannot compare; use =, != or in", "brand^<Acme", ""),
        ("brand=Marks Ltd", f"{END} before 'Ltd'; a name with spaces needs quotes", "brand=Marks ^Ltd", ""),
        ("color Black", "expected = != < <= > >= or in after 'color'", "color ^Black", ""),
        ("color '=' Black", "expected = != < <= > >= or in after 'color'", "color ^'=' Black", ""),
        ("color not Black", "expected in after not", "color not ^Black", ""),
        ("color==Black", "expected a value for 'color'", "color=^=Black", ""),
        ("color=", "expected a value for 'color'", "color=^", ""),
        ("", "expected the name of a column", "^", ""),
        ("(color=Black", "expected ) to close the parenthesis", "(color=Black^", ""),
        ("color=Black)", f"{END} before ')'", "color=Black^)", ""),
        ("color in (Black", "expected ) to close the list, or a comma", "color in (Black^", ""),
        ("color='Black", "the quotation mark is not closed", "color=^'Black", ""),
        ("sale=true and ! sale=true", "'!' has no meaning here", "sale=true and ^! sale=true", ""),
        (DEEP, "more than 50 nested parentheses and nots", f"...{DEEP[10:50]}^{DEEP[50:90]}...", ""),
    ],
)
def test_errors_have_a_position_and_a_hint(columns: Columns, text: str, what: str, spot: str, hint: str) -> None:
    with pytest.raises(FilterError) as error:
        parse(text, columns)
    assert str(error.value) == f"{what}, at the ^ in: {spot}{hint}"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet="color=Bk andornti()'\"!<>,p3. price\n", max_size=40))
def test_any_text_is_parsed_or_refused(columns: Columns, text: str) -> None:
    with contextlib.suppress(FilterError):
        assert matches(parse(text, columns), PAYLOAD) in (True, False)


def test_columns_are_read_back_from_the_manifest(columns: Columns) -> None:
    assert Columns.from_json(columns.to_json()).columns == columns.columns
    assert columns.groups[0].choices == TAXONOMY.names("category")


def test_times_are_kept_in_utc() -> None:
    assert timestamp(date(2026, 5, 1)) == "2026-05-01T00:00:00Z"
    assert timestamp(datetime(2026, 5, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == "2026-05-01T00:00:00Z"
    assert timestamp(datetime(2026, 5, 1, 2, tzinfo=UTC)) == "2026-05-01T02:00:00Z"
