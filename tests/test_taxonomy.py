"""Encoding and decoding labels, and the 228 labels of the challenge."""

import pickle

import numpy as np
import pytest

from fashion.errors import DataError
from fashion.taxonomy import IMATERIALIST_FILE, Label, Taxonomy, imaterialist

# Interleaved on purpose: the output order is that of the labels, not of the groups.
TAXONOMY = Taxonomy((Label("color", "Red"), Label("sleeve", "Short"), Label("color", "Écru"), Label("color", "Blue")))


def test_groups_names_and_indices_follow_the_output_order():
    assert TAXONOMY.groups == ("color", "sleeve")
    assert TAXONOMY.names("color") == ("Red", "Écru", "Blue")
    assert TAXONOMY.indices("color").tolist() == [0, 2, 3]
    assert TAXONOMY.indices("sleeve").tolist() == [1]
    assert len(TAXONOMY) == 4
    assert TAXONOMY.index[Label("sleeve", "Short")] == 1


def test_sums_over_the_labels_of_a_group():
    assert TAXONOMY.group_of.tolist() == [0, 1, 0, 0]
    values = np.array([[1.0, 10.0, 2.0, 4.0], [0.0, -1.0, 0.5, 0.0]])
    assert TAXONOMY.group_sums(values).tolist() == [[7, 10, 7, 7], [0.5, -1, 0.5, 0.5]]
    assert TAXONOMY.group_sums(values[0]).tolist() == [7, 10, 7, 7]


@pytest.mark.parametrize(
    ("cells", "targets"),
    [
        ({"color": ["Blue", "Red"], "sleeve": ["Short"]}, [1, 1, 0, 1]),
        ({"color": [], "sleeve": ["Short"]}, [0, 1, 0, 0]),
        ({"color": None, "sleeve": []}, [-1, 0, -1, -1]),
        ({}, [-1, -1, -1, -1]),
        ({"color": ["Red", "Red"], "fit": ["Slim"]}, [1, -1, 0, 0]),
    ],
    ids=["all annotated", "none applies", "null", "missing", "twice, and a group the model does not know"],
)
def test_encode(cells, targets):
    encoded = TAXONOMY.encode(cells)
    assert encoded.dtype == np.int8
    assert encoded.tolist() == targets


def test_decode_is_the_inverse_of_encode():
    cells = {"color": ["Red", "Blue"], "sleeve": None}
    assert TAXONOMY.decode(TAXONOMY.encode(cells)) == cells
    assert TAXONOMY.decode(TAXONOMY.encode({"color": [], "sleeve": []})) == {"color": [], "sleeve": []}


def test_an_unknown_label_names_the_group_and_the_closest_label():
    with pytest.raises(DataError, match=r"unknown label 'Blu' \(did you mean 'Blue'\?\) in group 'color'"):
        TAXONOMY.encode({"color": ["Blu"]})
    with pytest.raises(DataError, match=r"unknown label 'Zebra' in group 'color'$"):
        TAXONOMY.encode({"color": ["Zebra"]})
    with pytest.raises(DataError, match="unknown label 'Red' in group 'sleeve'"):
        TAXONOMY.encode({"sleeve": ["Red"]})


def test_an_unknown_group_error_lists_the_known_groups():
    with pytest.raises(
        DataError, match=r"unknown attribute group 'colour' \(did you mean 'color'\?\); the model has: color, sleeve"
    ):
        TAXONOMY.indices("colour")
    with pytest.raises(DataError, match="colour"):
        TAXONOMY.names("colour")


def test_a_taxonomy_without_labels_or_with_one_twice_is_refused():
    with pytest.raises(DataError, match="no label"):
        Taxonomy(())
    with pytest.raises(DataError, match="'Red' of group 'color' is in the taxonomy twice"):
        Taxonomy((Label("color", "Red"), Label("color", "Red")))
    Taxonomy((Label("color", "Other"), Label("pattern", "Other")))  # the same name in two groups makes two labels


def test_from_columns_sorts_the_names_of_a_column_and_keeps_the_order_of_the_columns():
    taxonomy = Taxonomy.from_columns({"season": ["Winter", "Fall", "Winter"], "color": ["Red"]})
    assert taxonomy.labels == (Label("season", "Fall"), Label("season", "Winter"), Label("color", "Red"))


def test_json_round_trip():
    assert Taxonomy.from_json(TAXONOMY.to_json()) == TAXONOMY
    assert TAXONOMY.to_json()[2] == {"group": "color", "name": "Écru"}


@pytest.mark.parametrize("labels", [None, 3, {"color": ["Red"]}, [["color", "Red"]], [{"group": "color"}], ["Red"]])
def test_json_of_another_structure_is_refused(labels):
    with pytest.raises(DataError, match="list of objects with 'group' and 'name'"):
        Taxonomy.from_json(labels)


def test_names_of_several_groups_are_known():
    labels = (Label("pattern", "Solid"), Label("print_type", "Solid"), Label("color", "Red"))
    assert Taxonomy(labels).repeated_names == {"Solid"}
    assert TAXONOMY.repeated_names == frozenset()


def test_it_can_be_pickled():
    assert pickle.loads(pickle.dumps(TAXONOMY)).encode({"color": ["Red"]}).tolist() == [1, -1, 0, 0]


def test_the_challenge_has_228_labels_in_8_groups():
    taxonomy = imaterialist()
    assert len(taxonomy) == 228
    groups = ["category", "color", "gender", "material", "neckline", "pattern", "sleeve", "style"]
    assert sorted(taxonomy.groups) == groups
    assert sum(len(taxonomy.names(group)) for group in groups) == 228
    assert Label("category", "Hosiery, Stockings, Tights") in taxonomy.index


def test_the_output_index_of_a_challenge_label_is_its_id_minus_one():
    rows = IMATERIALIST_FILE.read_text(encoding="utf-8").splitlines()
    assert "3,category,Athletic Pants" in rows
    assert imaterialist().labels[2] == ("category", "Athletic Pants")
    assert sorted(int(row.split(",")[0]) for row in rows[1:]) == list(range(1, 229))
