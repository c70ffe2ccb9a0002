"""What answers say in Shopify's and Google's terms: one category, and values by attribute."""

from collections import Counter
from dataclasses import dataclass, field

from catalog.exporting.mapping import Mapping
from catalog.exporting.products import Answered, ExportedProduct
from catalog.exporting.taxonomy_facts import Category, Value

GENDERS = {"target-gender__male": "male", "target-gender__female": "female", "target-gender__unisex": "unisex"}
AGES = {"age-group__adults": "adult", "age-group__kids": "kids", "age-group__toddlers": "toddler"}
KIDS = ("age-group__kids", "age-group__toddlers")
COLORS = 3  # that Google takes, the first one the main color


@dataclass(frozen=True)
class Said:
    """A value, the label that stands for it, and that label's probability."""

    value: Value
    label: Answered


@dataclass
class Translator:
    """Translates answers by a mapping, and counts labels that it does not have.

    Attributes:
        mapping: of labels to the taxonomy.
        language: of names.
        unknown: answers without a target in groups that the mapping has, by group and label.
    """

    mapping: Mapping
    language: str = "en"
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)

    def values(self, product: ExportedProduct) -> dict[str, list[Said]]:
        """Values by attribute, the most probable first, each once."""
        found: dict[str, list[Said]] = {}
        for group, answers in product.answers.items():
            for answer in answers:
                target = self.mapping.targets.get((group, answer.name))
                if target is None:
                    if group in self.mapping.groups:  # of the others nothing is asked
                        self.unknown[group, answer.name] += 1
                    continue
                for value in target.values:
                    said = found.setdefault(value.attribute, [])
                    if value not in [each.value for each in said]:
                        said.append(Said(value, answer))
        return found

    def category(self, product: ExportedProduct, values: dict[str, list[Said]]) -> Category | None:
        """The category of the first group that says one; a child's is in a branch of its own."""
        for group in self.mapping.groups:
            for answer in product.answers.get(group, []):
                target = self.mapping.targets.get((group, answer.name))
                if target and target.category:
                    return (target.kids_category if _is_for_kids(values) else None) or target.category
        return None

    def name(self, said: Said) -> str:
        """What to call a value: in English as the model's label does, which shops show, else as the taxonomy does."""
        return said.label.name if self.language == "en" else said.value.name(self.language)


def google_fields(product: ExportedProduct, translator: Translator) -> dict[str, str]:
    """The fields of a Google Merchant feed that a photograph can fill; empty where nothing is answered."""
    values = translator.values(product)
    category = translator.category(product, values)
    colors = [translator.name(said).replace("/", " ") for said in values.get("color", [])][:COLORS]
    return {
        "google_product_category": category.google_id if category else "",
        "color": "/".join(dict.fromkeys(colors)),
        "gender": _first(values, "target-gender", GENDERS),
        "age_group": _first(values, "age-group", AGES),
        "material": _name(values, "fabric", translator),
        "pattern": _name(values, "pattern", translator),
    }


def _is_for_kids(values: dict[str, list[Said]]) -> bool:
    ages = values.get("age-group", [])
    return bool(ages) and ages[0].value.handle in KIDS


def _first(values: dict[str, list[Said]], attribute: str, words: dict[str, str]) -> str:
    return next((words[said.value.handle] for said in values.get(attribute, []) if said.value.handle in words), "")


def _name(values: dict[str, list[Said]], attribute: str, translator: Translator) -> str:
    said = values.get(attribute, [])
    return translator.name(said[0]) if said else ""
