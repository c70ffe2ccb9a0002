"""The names and rules of the shipped model."""

import os
from pathlib import Path

import pytest
import yaml

from training.data.catalogs import notes, open_catalogs, union_taxonomy
from training.data.label_rows import LabelRows, count_labels
from training.data.names import Names
from training.data.rules import Rules
from training.sources.join import join

FOLDER = Path(__file__).parent.parent / "training" / "configs" / "starter"
NAMES, RULES = FOLDER / "names.yaml", FOLDER / "rules.yaml"
ATTRIBUTES = ["age_group", "neck", "collar", "sleeve_length", "pattern", "print_type", "fabric", "material", "fit"]
ATTRIBUTES += ["occasion", "length", "waist_rise", "closure", "toe_shape", "heel_type"]


def renamed(names: Names) -> dict[str, set[str]]:
    """Old labels that are no longer used, by group."""
    old: dict[str, set[str]] = {}
    for column, table in names.labels_of.items():
        old.setdefault(names.group(column), set()).update(set(table) - set(table.values()))
    return old


def test_rules_use_the_new_names() -> None:
    names, rules = Names.load(NAMES), Rules.load(RULES)
    columns = set(names.groups)
    used = {*rules.derive, *rules.sources, *rules.applies.groups}
    assert not used & columns
    old = renamed(names)
    for group, derivations in rules.derive.items():
        for derivation in derivations:
            assert not derivation.names & old.get(group, set())
            assert not set(derivation.labels) & old.get(derivation.source, set())


def test_new_names_are_not_renamed_themselves() -> None:
    for column, table in Names.load(NAMES).labels_of.items():
        assert not set(table) & set(table.values()), column


def test_article_and_garment_rules_agree() -> None:
    """If an article may be a garment, that garment's rule must not exclude the article."""
    rules = Rules.load(RULES)
    (article,) = rules.derive["article"]
    garment = rules.derive["garment"][0]
    for name, derived in article.labels.items():
        for candidate in derived.only or ():
            back = garment.labels.get(candidate)
            assert back is None or back.target(name) != 0, f"{name} may be {candidate}, which is no {name}"


def test_every_exception_is_a_label_used_by_the_rules() -> None:
    rules = Rules.load(RULES)
    garments = {name for each in rules.derive["garment"] for name in each.names}
    articles = set(rules.derive["garment"][0].labels) | {n for d in rules.derive["article"] for n in d.names}
    apart = {"Bath Robe", "Jumpsuit", "Gloves", "Waist Pouch"}  # no garment follows from them
    assert set(rules.applies.exceptions) <= garments | articles | apart


def test_no_key_is_duplicated() -> None:
    """A duplicate key is a mistake: YAML silently uses the last one."""

    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), sorted(key for key in keys if keys.count(key) > 1)
            return super().construct_mapping(node, deep)

    for path in (NAMES, RULES):
        yaml.load(path.read_text(), Strict)


def test_every_name_is_in_the_data(tmp_path: Path) -> None:
    photographs = os.environ.get("FASHION_PHOTOS")
    if not photographs:
        pytest.skip("FASHION_PHOTOS names no folder of photographs")
    data = Path(photographs)
    join(data / "products-more", data / "product-attributes", "item_ID=image", tmp_path / "more", ATTRIBUTES)
    catalogs = open_catalogs([tmp_path / "more", data / "clothing"], None, tmp_path / "cache", NAMES, rules=RULES)
    counts = count_labels([LabelRows(catalog) for catalog in catalogs])
    assert counts["garment"]["T-Shirt"] > 2_000  # 835 of them from the amateurs
    assert counts["sleeve"]["Long Sleeves"] > 1_500
    taxonomy = union_taxonomy(catalogs, None, counts, 20)
    # Only one of the shop's three folders: few names are only in the others.
    unknown = [line for line in notes(catalogs, taxonomy) if "occur in no data folder" in line]
    assert sum(int(line.split()[0]) for line in unknown) < 20, unknown
