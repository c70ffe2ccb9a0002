"""The columns and rows of each export format."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from catalog.exporting.fields import AnsweredValue, Translator, google_fields
from catalog.exporting.google_words import google_cell
from catalog.exporting.merging import SEPARATORS, CellEvidence, Merger, text
from catalog.exporting.products import AnsweredLabel, ExportedProduct
from catalog.scored.source_columns import source_column
from fashion.errors import DataError

# Metafields of Shopify's standard categories, by attribute of the taxonomy; a cell holds the keys of values.
METAFIELDS = {
    "color": "color-pattern",
    "neckline": "neckline",
    "sleeve-length-type": "sleeve-length-type",
    "fabric": "fabric",
    "closure-type": "closure-type",
    "waist-rise": "waist-rise",
    "toe-style": "toe-style",
    "age-group": "age-group",
    "target-gender": "target-gender",
}
# Groups whose answers are compared with the source's cell of a Google field, and attributes of the taxonomy.
GOOGLE_GROUPS = {"color": ("color", "colour"), "pattern": ("pattern",), "material": ("material", "fabric")}
GOOGLE_ATTRIBUTES = {"gender": "target-gender", "age_group": "age-group"}

# Fields of JSON lines besides the id; all but the first are objects or ids, which a text would replace.
JSON_FIELDS = ("image", "source", "attributes", "shopify_category", "google_product_category")

Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True)
class Task:
    """An export task.

    Attributes:
        groups: attribute groups of the model.
        columns: of the source.
        translator: translates answers to the taxonomy.
        merger: merges answers with the source's cells.
        texts: templates of additional columns, such as `{colour} {article}`.
        has_image: whether the columns include that of photographs.
    """

    groups: tuple[str, ...]
    columns: tuple[str, ...]
    translator: Translator
    merger: Merger
    texts: Mapping[str, str]
    has_image: bool = False


@dataclass(frozen=True)
class Format:
    """An export format.

    Attributes:
        columns: returns the columns for a task.
        rows: converts products to cells by column.
        separator: between cells of a text file; None for JSON lines and Excel.
        key: name of the products' ids.
        fixed: further fields that a template cannot replace.
    """

    columns: Callable[[Task], list[str]]
    rows: Callable[[Task, Iterable[ExportedProduct]], Rows]
    separator: str | None = ","
    key: str = "id"
    fixed: tuple[str, ...] = ()


def flat_columns(task: Task) -> list[str]:
    """The source columns, a column per group, and the categories. Without a column of photographs, `image`."""
    groups = [_column_of(task, group) for group in task.groups]
    texts = [_column_of(task, name) for name in task.texts]
    categories = [_column_of(task, name) for name in ("shopify_category", "google_product_category")]
    image = [] if task.has_image else ["image"]
    return list(dict.fromkeys(["id", *image, *task.columns, *groups, *texts, *categories]))


def flat_rows(task: Task, products: Iterable[ExportedProduct]) -> Rows:
    """Rows with the labels of a group joined by `|`."""
    for product in products:
        row: dict[str, Any] = {"id": product.id} | ({} if task.has_image else {"image": product.image})
        row |= {name: text(value) for name, value in product.source.items()}
        for group in task.groups:
            evidence = _evidence(task, product, [group])
            row[_column_of(task, group)] = task.merger.cell(
                product, group, "|".join(each.name for each in evidence.answers), evidence, task.groups
            )
        category = task.translator.category(product, task.translator.values(product))
        shopify, google = (category.name, category.google_id) if category else ("", "")
        for name, answer in (("shopify_category", shopify), ("google_product_category", google)):
            row[_column_of(task, name)] = task.merger.cell(product, name, answer)
        yield row | {_column_of(task, name): cell for name, cell in _texts(task, product, task.groups).items()}


def json_rows(task: Task, products: Iterable[ExportedProduct]) -> Rows:
    """One object per product, with probabilities."""
    for product in products:
        category = task.translator.category(product, task.translator.values(product))
        yield {
            "id": product.id,
            "image": product.image,
            "source": {name: text(value) for name, value in product.source.items()},
            "attributes": {
                group: [{"name": each.name, "probability": round(each.probability, 4)} for each in answers]
                for group, answers in product.answers.items()
            },
            "shopify_category": {"id": category.id, "name": category.name} if category else None,
            "google_product_category": category.google_id if category else None,
        } | _texts(task, product)


def google_columns(task: Task) -> list[str]:
    """Columns of a supplemental feed."""
    own = ["id", "google_product_category", "color", "gender", "age_group", "material", "pattern"]
    return list(dict.fromkeys([*own, *task.texts]))


def google_rows(task: Task, products: Iterable[ExportedProduct]) -> Rows:
    """Rows of a supplemental feed for Google Merchant Center."""
    for product in products:
        values = task.translator.values(product)
        row = {"id": product.id}
        found = google_fields(product, task.translator, values)
        gender = _own(product, "gender")
        judged = _evidence_of_attribute(task, product, GOOGLE_ATTRIBUTES["gender"], values)
        if not task.merger.overwrite and not judged.refutes(gender, partial(google_cell, "gender")):
            # a kept gender such as Girls says the age, too
            found["age_group"] = google_cell("age_group", gender) or found["age_group"]
        for name, cell in found.items():
            evidence = (
                _evidence_of_attribute(task, product, GOOGLE_ATTRIBUTES[name], values)
                if name in GOOGLE_ATTRIBUTES
                else _evidence(task, product, GOOGLE_GROUPS.get(name, ()))
            )
            row[name] = task.merger.cell(product, name, cell, evidence, convert=partial(google_cell, name))
        yield row | _texts(task, product)


def shopify_columns(task: Task) -> list[str]:
    """Columns of a product CSV file."""
    return list(dict.fromkeys(["Handle", "Product Category", *map(_metafield, METAFIELDS), *task.texts]))


def shopify_rows(task: Task, products: Iterable[ExportedProduct]) -> Rows:
    """Rows with full category names and the keys of metafield values. The id must be the product's handle."""
    for product in products:
        values = task.translator.values(product)
        category = task.translator.category(product, values)
        row = {"Handle": product.id}
        row["Product Category"] = task.merger.cell(product, "Product Category", category.name if category else "")
        for attribute in METAFIELDS:
            chosen = values.get(attribute, [])
            if attribute == "fabric" and not (category and category.id.startswith("aa-1")):
                chosen = []  # only clothing has this metafield
            keys = "; ".join(each.value.handle.split("__")[1] for each in chosen)
            row[_metafield(attribute)] = task.merger.cell(product, _metafield(attribute), keys)
        yield row | _texts(task, product)


def akeneo_columns(task: Task) -> list[str]:
    """Columns named by attribute codes: letters, digits and underscores.

    Raises:
        DataError: a group has no code, or that of another group.
    """
    coded = _DistinctCodes("group")
    return list(dict.fromkeys(["sku", *map(coded, task.groups), *task.texts]))


def akeneo_rows(task: Task, products: Iterable[ExportedProduct]) -> Rows:
    """Rows of option codes, separated by commas.

    Raises:
        DataError: an answered label has no code, or that of another answered label of its group.
    """
    coded = {group: _DistinctCodes(f"label of {group}") for group in task.groups}
    for product in products:
        row = {"sku": product.id}
        for group in task.groups:
            evidence = _evidence(task, product, [group])
            answer = ",".join(coded[group](each.name) for each in evidence.answers)
            cell = task.merger.cell(product, group, answer, evidence, task.groups)
            row[code(group)] = _codes(cell, evidence.answers)
        yield row | _texts(task, product)


def code(name: str) -> str:
    """Convert a name to an Akeneo code: `Navy Blue` -> `navy_blue`, `Größe` -> `grosse`; empty in other scripts."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


class _DistinctCodes:
    """Converts names of one kind to codes, and raises DataError if one has no code or that of another."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.names: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        made = code(name)
        fix = "Akeneo's codes have Latin letters, digits and underscores only; use another format, such as csv"
        if not made:
            raise DataError(f"the {self.kind} {name!r} has no code: {fix}")
        if (other := self.names.setdefault(made, name)) != name:
            raise DataError(f"the {self.kind} {name!r} has the code {made!r}, as {other!r} has: {fix}")
        return made


def _codes(cell: str, answers: Iterable[AnsweredLabel]) -> str:
    """The option codes of a merged cell, which may be the source's own text: `Navy Blue/White` -> `navy_blue,white`."""
    is_label = cell.casefold() in [each.name.casefold() for each in answers]  # a label may have a comma
    parts = [cell] if is_label else re.split(SEPARATORS, cell)
    return ",".join(dict.fromkeys(code(part) or part.strip() for part in parts if part.strip()))


def _evidence(task: Task, product: ExportedProduct, groups: Iterable[str]) -> CellEvidence:
    """What a cell of these groups is compared with."""
    answers = [(group, answer) for group in groups for answer in product.answers.get(group, [])]
    spellings = [name for group, answer in answers for name in task.translator.spellings(group, answer.name)]
    ruled_out = [name for group in groups for name in product.ruled_out.get(group, ())]
    return CellEvidence([answer for _, answer in answers], spellings, ruled_out)


def _evidence_of_attribute(
    task: Task, product: ExportedProduct, attribute: str, values: Mapping[str, Sequence[AnsweredValue]]
) -> CellEvidence:
    """What a cell of an attribute of the taxonomy is compared with."""
    found = values.get(attribute, ())
    mapped = task.translator.mapping.attributes
    own = [group for group, attributes in mapped.items() if attributes == {attribute}]
    groups = own or [group for group, attributes in mapped.items() if attribute in attributes]
    spellings = [name for each in found for name in each.value.names.values()]
    ruled_out = [name for group in groups for name in product.ruled_out.get(group, ())]
    return CellEvidence([each.label for each in found], spellings, ruled_out)


def _column_of(task: Task, name: str) -> str:
    """The source column to fill in for a field, or else a new column of the field's name."""
    return source_column(task.columns, name, task.groups) or name


def _own(product: ExportedProduct, name: str) -> str:
    """The source's cell of a field; empty without one."""
    column = source_column(product.source, name)
    return text(product.source[column]) if column else ""


def _metafield(attribute: str) -> str:
    words = attribute.replace("-", " ").capitalize()
    return f"{words} (product.metafields.shopify.{METAFIELDS[attribute]})"


def _texts(task: Task, product: ExportedProduct, others: Sequence[str] = ()) -> dict[str, str]:
    """Cells from templates; missing answers leave no extra spaces. `others`: see `source_column`."""
    names = {name: text(value) for name, value in product.source.items()}
    for group in task.groups:
        own = names.get(source_column(product.source, group, task.groups) or "", "")
        evidence = _evidence(task, product, [group])
        best = evidence.answers[0].name if evidence.answers else ""
        refuted = evidence.refutes(own)
        names[group] = best if refuted or (best and (task.merger.overwrite or not own)) else own
    return {
        column: task.merger.cell(product, column, " ".join(template.format_map(names).split()), others=others)
        for column, template in task.texts.items()
    }


FORMATS = {
    "csv": Format(flat_columns, flat_rows, fixed=("image",)),
    "xlsx": Format(flat_columns, flat_rows, None, fixed=("image",)),
    "jsonl": Format(lambda task: [], json_rows, None, fixed=JSON_FIELDS),
    "google": Format(google_columns, google_rows, "\t"),
    "shopify": Format(shopify_columns, shopify_rows, key="Handle"),
    "akeneo": Format(akeneo_columns, akeneo_rows, ";", key="sku"),
}
