"""Convert a shop's own cells to what Google Merchant Center accepts."""

import re

from catalog.exporting.fields import COLORS
from catalog.exporting.merging import SEPARATORS
from fashion.tables.columns import normalized_name

# Usual words for Google's values, in letters and digits only; singular, plural and genitive of English.
GENDERS = {
    "male": "male males man men mens boy boys gentleman gentlemen herr herren mann männer junge jungen homme hommes",
    "female": "female females woman women womens lady ladies girl girls dame damen frau frauen mädchen femme femmes",
    "unisex": "unisex neutral both",
}
AGES = {
    "newborn": "newborn newborns",
    "infant": "infant infants baby babies",
    "toddler": "toddler toddlers",
    "kids": "kid kids child children childrens boy boys girl girls kind kinder junge jungen mädchen enfant enfants",
    "adult": "adult adults erwachsene erwachsen adulte adultes",
}
WORDS = {
    name: {word: value for value, words in table.items() for word in words.split()}
    for name, table in (("gender", GENDERS), ("age_group", AGES))
}
SEVERAL = ("color", "material")  # fields with values separated by slashes


def google_cell(field: str, cell: str) -> str:
    """A cell of the source as Google accepts it: `Women` -> `female`, `Navy Blue|White` -> `Navy Blue/White`.

    Empty if the field takes certain words only and the cell is none of them. Men and women together are unisex.
    """
    parts = list(dict.fromkeys(part.strip() for part in re.split(SEPARATORS, cell) if part.strip()))
    if field in SEVERAL:
        return "/".join(parts[:COLORS])
    if field not in WORDS:
        return cell
    found = {WORDS[field].get(normalized_name(part), "") for part in parts}
    if found == {"male", "female"}:
        return "unisex"
    return found.pop() if len(found) == 1 else ""
