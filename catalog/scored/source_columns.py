"""Find the source column that corresponds to an attribute group or to a field of a shop system."""

from collections.abc import Iterable, Sequence

from fashion.tables.columns import is_usual, usual_name

# Other usual names of a field in shops' tables.
OTHER_NAMES = {
    "color": ("colour", "farbe", "couleur"),
    "colour": ("color", "farbe", "couleur"),
    "gender": ("geschlecht", "sexe", "genre"),
    "google_product_category": ("google_category",),
    "age_group": ("age", "altersgruppe"),
    "material": ("fabric",),
    "pattern": ("muster", "motif"),
}


def source_column(columns: Iterable[str], name: str, others: Sequence[str] = ()) -> str | None:
    """The source column of a field, ignoring case, or None.

    Args:
        columns: of the source.
        name: of the field.
        others: fields with columns of their own; none of their names is another name of this field.
    """
    aliases = [alias for alias in OTHER_NAMES.get(name, ()) if not is_usual(alias, others)]
    return usual_name(list(columns), (name, *aliases))
