"""Translate answers to Shopify's and Google's taxonomies: one category, and values by attribute."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from catalog.exporting.mapping import Mapping
from catalog.exporting.products import AnsweredLabel, ExportedProduct
from catalog.exporting.taxonomy_facts import Category, Value

GENDERS = {"target-gender__male": "male", "target-gender__female": "female", "target-gender__unisex": "unisex"}
AGES = {"age-group__adults": "adult", "age-group__kids": "kids", "age-group__toddlers": "toddler"}
KIDS = ("age-group__kids", "age-group__toddlers")
ONE_VALUE = ("age-group",)  # attributes of which a product has one value
COLORS = 3  # maximum that Google accepts; the first is the main color


@dataclass(frozen=True)
class AnsweredValue:
    """A value of the taxonomy, and the answered label that stands for it."""

    value: Value
    label: AnsweredLabel


@dataclass
class Translator:
    """Translates answers by a mapping, and counts labels that it lacks.

    Attributes:
        mapping: of labels to the taxonomy.
        language: of names.
        unknown: counts of answers without a target, in groups that the mapping has, by group and label.
    """

    mapping: Mapping
    language: str = "en"
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)

    def values(self, product: ExportedProduct) -> dict[str, list[AnsweredValue]]:
        """Distinct values by attribute, best first.

        A group with values of this attribute only comes before groups that merely imply one, as Women implies adults;
        among equals the more probable label. Of `ONE_VALUE` only the best is given.
        """
        found: dict[str, list[AnsweredValue]] = {}
        for _, value in sorted(self._answered_values(product), key=self._rank):
            known = found.setdefault(value.value.attribute, [])
            if value.value not in [each.value for each in known]:
                known.append(value)
        return {attribute: each[:1] if attribute in ONE_VALUE else each for attribute, each in found.items()}

    def _answered_values(self, product: ExportedProduct) -> Iterator[tuple[str, AnsweredValue]]:
        """The values of all answers with their groups; counts answers without a target."""
        for group, answers in product.answers.items():
            for answer in answers:
                target = self.mapping.targets.get((group, answer.name))
                if target:
                    yield from ((group, AnsweredValue(value, answer)) for value in target.values)
                elif group in self.mapping.groups:  # other groups need no target
                    self.unknown[group, answer.name] += 1

    def spellings(self, group: str, label: str) -> list[str]:
        """The names of a label's values in all languages."""
        target = self.mapping.targets.get((group, label))
        return [name for value in target.values for name in value.names.values()] if target else []

    def _rank(self, answered: tuple[str, AnsweredValue]) -> tuple[bool, float]:
        group, found = answered
        return self.mapping.attributes[group] != {found.value.attribute}, -found.label.probability

    def category(self, product: ExportedProduct, values: dict[str, list[AnsweredValue]]) -> Category | None:
        """The category from the first group that determines one; children's products have categories of their own."""
        for group in self.mapping.groups:
            for answer in product.answers.get(group, []):
                target = self.mapping.targets.get((group, answer.name))
                if target and target.category:
                    return (target.kids_category if _is_for_kids(values) else None) or target.category
        return None

    def name(self, found: AnsweredValue) -> str:
        """The name of a value: in English the model's label, as shops show it, otherwise the taxonomy's name."""
        return found.label.name if self.language == "en" else found.value.name(self.language)


def google_fields(
    product: ExportedProduct, translator: Translator, values: dict[str, list[AnsweredValue]]
) -> dict[str, str]:
    """The fields of a Google Merchant feed that answers can fill; empty for those without an answer.

    Args:
        product: with its answers.
        translator: of names and categories.
        values: of the product, see `Translator.values`.
    """
    category = translator.category(product, values)
    colors = [translator.name(color).replace("/", " ") for color in values.get("color", [])][:COLORS]
    return {
        "google_product_category": category.google_id if category else "",
        "color": "/".join(dict.fromkeys(colors)),
        "gender": _first(values, "target-gender", GENDERS),
        "age_group": _first(values, "age-group", AGES),
        "material": _name(values, "fabric", translator),
        "pattern": _name(values, "pattern", translator),
    }


def _is_for_kids(values: dict[str, list[AnsweredValue]]) -> bool:
    ages = values.get("age-group", [])
    return bool(ages) and ages[0].value.handle in KIDS


def _first(values: dict[str, list[AnsweredValue]], attribute: str, words: dict[str, str]) -> str:
    return next((words[each.value.handle] for each in values.get(attribute, []) if each.value.handle in words), "")


def _name(values: dict[str, list[AnsweredValue]], attribute: str, translator: Translator) -> str:
    found = values.get(attribute, [])
    return translator.name(found[0]) if found else ""
