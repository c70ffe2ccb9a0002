"""Search: results equal those of brute force, in every space, with every engine."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_stores import ENGINES, new_store
from photos import photo
from PIL import Image, ImageColor
from plain_filter import matches
from scored_catalog import COLUMNS, LOCAL_MODE, TAXONOMY, products, write_catalog

from catalog.engines.folder_store import FolderStore
from catalog.index import build
from catalog.scored.table import Scored
from catalog.search import main
from catalog.similar.matches import NameDifference
from catalog.similar.matching import Index
from catalog.similar.settings import SearchOptions
from catalog.similar.sheet import LAYOUT
from catalog.similar.spaces import (
    DETAIL_WEIGHT,
    SHARE,
    Measure,
    ScaleMeter,
    Scales,
    default_weights,
    diverse,
    point,
    scores,
)
from fashion.errors import DataError, SettingError
from fashion.model_card import ModelCard
from fashion.pictures.tiles import LINE, MARK
from fashion.predictor import Predictor
from fashion.taxonomy import Label, Taxonomy

pytestmark = LOCAL_MODE

COUNT = 400
MAIN = ("category", "color", "gender")  # groups that count fully by default


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    return write_catalog(tmp_path_factory.mktemp("search") / "scored", products(COUNT, clusters=25), part=COUNT)


@pytest.fixture(scope="module", params=ENGINES)
def index(request: pytest.FixtureRequest, scored: Scored) -> Iterator[Index]:
    with new_store(request.param, request, scored.folder / "index") as make:
        build(scored, make())
        with Index(make()) as opened:
            yield opened


def squares(rows: np.ndarray) -> np.ndarray:
    """Squared distances of all pairs, computed directly."""
    return ((rows[:, None] - rows[None]) ** 2).sum(-1)


def brute_force(scored: Scored, space: str, weights: dict[str, float], share: float) -> np.ndarray:
    """Similarity of all pairs by definition: 0 on average between products, 1 of a product to itself."""
    embeddings, probabilities = scored.vectors("embedding"), scored.vectors("probabilities")
    pairs = ~np.eye(len(embeddings), dtype=bool)
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    attributes = np.zeros(pairs.shape)
    for group in TAXONOMY.groups:
        own = probabilities[:, TAXONOMY.indices(group)]
        own = np.stack([row / max(1, np.linalg.norm(row)) for row in own])
        attributes += weights.get(group, 1.0 if group in MAIN else DETAIL_WEIGHT) * own @ own.T
    found = {}
    for name, alike in (("embedding", units @ units.T), ("attributes", attributes)):
        chance = alike[pairs].mean()
        found[name] = (alike - chance) / (np.diag(alike).mean() - chance)
    return share * found["embedding"] + (1 - share) * found["attributes"] if space == "both" else found[space]


@pytest.mark.parametrize(
    ("space", "weights", "share"),
    [
        ("embedding", {}, 0.5),
        ("attributes", {}, 0.5),
        ("attributes", {"color": 0.0, "category": 3.0}, 0.5),
        ("both", {}, 0.5),
        ("both", {"sleeve": 2.0}, 0.2),
        ("both", {}, 0.0),
        ("both", {}, 1.0),
    ],
)
def test_results_equal_brute_force(
    index: Index, scored: Scored, space: Any, weights: dict[str, float], share: float
) -> None:
    similarity = brute_force(scored, space, weights, share)
    for product in (0, 7, 123):
        found = index.search(f"p{product}", space=space, weights=weights, share=share, limit=12)
        others = [i for i in np.argsort(-similarity[product]) if i != product][:12]
        np.testing.assert_allclose([m.similarity for m in found], similarity[product, others], atol=2e-3)
        assert [m.product.id for m in found] == [f"p{i}" for i in others]


def test_kind_color_and_gender_count_more_than_details() -> None:
    def weights(*groups: str) -> dict[str, float]:
        return default_weights(Taxonomy(tuple(Label(group, "x") for group in groups)))

    shop = weights("gender", "category", "article", "colour", "neck")
    assert shop == {"gender": 1, "category": DETAIL_WEIGHT, "article": 1, "colour": 1, "neck": DETAIL_WEIGHT}
    assert weights("category", "color", "sleeve") == {"category": 1, "color": 1, "sleeve": DETAIL_WEIGHT}
    assert weights("garment", "color", "fit") == {"garment": 1, "color": 1, "fit": 1}  # no group of kinds


def test_scores_by_hand() -> None:
    """Probabilities; a group's vector longer than 1 is normalized, a shorter one stays unchanged."""
    taxonomy = Taxonomy(tuple(Label(group, name) for group, name in (("a", "x"), ("b", "x"), ("a", "y"))))
    found = scores(np.array([[1, 0.5, 1], [0.6, 1, 0.2]], np.float16), taxonomy)
    np.testing.assert_allclose(found, [[0.7071, 0.5, 0.7071], [0.6, 1, 0.2]], atol=1e-3)


@pytest.mark.parametrize("space", ["embedding", "attributes", "both"])
def test_filters_come_before_the_search(index: Index, scored: Scored, space: Any) -> None:
    """The nearest of the passing products, not the passing ones of the nearest."""
    condition = index.condition("price<30 and color!=Black and stock>0")
    assert condition
    passing = {r.payload["id"] for r in index.store.scroll() if matches(condition, r.payload)}
    similarity = brute_force(scored, space, {}, SHARE)[9]
    nearest = [f"p{i}" for i in np.argsort(-similarity) if i != 9 and f"p{i}" in passing][:10]
    found = index.search("p9", space=space, where="price<30 and color!=Black and stock>0")
    assert [match.product.id for match in found] == nearest


def test_all_products_can_be_asked_for(index: Index) -> None:
    for space in ("embedding", "attributes", "both"):
        found = index.search("p0", space=space, limit=10_000)
        assert {match.product.id for match in found} == {f"p{i}" for i in range(1, COUNT)}
        similarities = [match.similarity for match in found]
        assert similarities == sorted(similarities, reverse=True)


def test_without_a_query_the_filter_lists(index: Index) -> None:
    found = index.search(where="id in (p1, p2, nobody)")
    assert sorted(match.product.id for match in found) == ["p1", "p2"]
    assert [match.similarity for match in found] == [None, None]
    assert len(index.search(where="price>=0 or price=''", limit=7)) == 7
    assert index.search(where="price<0") == index.search("p1", where="price<0") == []


def test_shared_and_differing_attributes(index: Index) -> None:
    product = index.product("p11")
    for match in index.search("p11", limit=50):
        for group in TAXONOMY.groups:
            own, other = set(product.attributes[group]), set(match.product.attributes[group])
            assert set(match.shared.get(group, [])) == own & other
            difference = match.differing.get(group, NameDifference([], []))
            assert (set(difference.wanted), set(difference.found)) == (own - other, other - own)


def test_the_same_group_and_any_other(index: Index) -> None:
    """A weight of 0 ignores a group: products that differ only in it have maximum similarity."""
    only = dict.fromkeys(TAXONOMY.groups, 0.0) | {"sleeve": 1.0}
    asked = next(f"p{i}" for i in range(COUNT) if index.product(f"p{i}").attributes["sleeve"])
    found = index.search(asked, space="attributes", weights=only, limit=5)
    assert all(match.product.attributes["sleeve"] == ["Sleeveless"] for match in found)
    assert any(match.product.attributes["color"] != index.product(asked).attributes["color"] for match in found)


def test_diversity(index: Index) -> None:
    """More diversity: results less similar to the query and to each other; diversity 0: as without."""

    def spread(**how: Any) -> tuple[float, float]:
        found = index.search("p20", space="embedding", limit=8, **how)
        embeddings = np.stack([match.product.embedding for match in found])
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        return float(np.mean([match.similarity for match in found])), float(squares(embeddings).mean())

    plain, some, much = spread(), spread(diversity=0.4), spread(diversity=0.9)
    assert spread(diversity=0.0) == pytest.approx(plain)
    assert plain[0] > some[0] > much[0]
    assert plain[1] < some[1] < much[1]
    first = index.search("p20", space="embedding", diversity=0.9)[0]
    assert first.product.id == index.search("p20", space="embedding")[0].product.id


def test_maximal_marginal_relevance_by_hand() -> None:
    points = np.array([[1.0, 0.0], [1.0, 0.1], [-1.2, 0.0], [0.0, 3.0]])

    def alike(chosen: int) -> np.ndarray:
        return 1 - ((points - points[chosen]) ** 2).sum(1)

    relevance = 1 - (points**2).sum(1)
    # the second is next to the first; at equal weights the third, on the other side, ranks before it
    assert diverse(relevance, alike, 3, 0.5) == [0, 2, 1]
    assert diverse(relevance, alike, 4, 0.0) == [0, 1, 2, 3]
    assert diverse(relevance, alike, 2, 1.0) == [0, 2]


def test_scales_are_means_over_all_pairs() -> None:
    rng = np.random.default_rng(3)
    embeddings, own = rng.random((40, 5)), rng.random((40, len(TAXONOMY)))
    meter = ScaleMeter(TAXONOMY, 5)
    for start in (0, 10, 25):
        rows = slice(start, {0: 10, 10: 25, 25: 40}[start])
        meter.add(embeddings[rows], own[rows])
    scales = meter.scales()
    pairs = ~np.eye(40, dtype=bool)
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    assert scales.embedding == pytest.approx(1 - (units @ units.T)[pairs].mean(), rel=1e-6)
    for group in TAXONOMY.groups:
        products = own[:, TAXONOMY.indices(group)] @ own[:, TAXONOMY.indices(group)].T
        assert scales.own[group] == pytest.approx(np.diag(products).mean(), rel=1e-6)
        assert scales.others[group] == pytest.approx(products[pairs].mean(), rel=1e-6)
    nothing = dict.fromkeys(TAXONOMY.groups, 0.0)
    assert ScaleMeter(TAXONOMY, 5).scales() == Scales(0.0, nothing, nothing)


def test_a_catalog_of_one_product_can_be_measured() -> None:
    meter = ScaleMeter(TAXONOMY, 5)
    meter.add(np.ones((1, 5)), np.ones((1, len(TAXONOMY))))
    measure = Measure("both", meter.scales(), TAXONOMY)
    vector = measure.query(np.ones(5), np.ones(len(TAXONOMY)))
    assert np.isfinite(vector @ point(np.ones(5), np.ones(len(TAXONOMY))) + measure.offset)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"limit": 0}, "limit is 0; it must be 1 or more"),
        ({"diversity": 1.5}, "diversity is 1.5; it must be from 0 to 1"),
        ({"space": "color"}, "space 'color' is unknown; there are: both, embedding, attributes"),
        ({"share": 2.0}, "the embedding's share is 2; it must be from 0 to 1"),
        (
            {"weights": {"colour": 2.0}},
            "weight for 'colour' .did you mean 'color'..: the model's groups are category, color, gender, sleeve",
        ),
        ({"weights": {"color": -1.0}}, "the weight of 'color' is -1; it must be 0 or more"),
        ({"weights": {"color": 2.0}, "space": "embedding"}, "which the space embedding ignores"),
        ({"weights": dict.fromkeys(TAXONOMY.groups, 0.0)}, "all groups have the weight 0"),
        ({"where": "prise<5"}, "unknown column 'prise'"),
    ],
)
def test_invalid_settings(index: Index, how: SearchOptions, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        index.search("p1", **how)


def test_an_unknown_id(index: Index) -> None:
    with pytest.raises(DataError, match="has no product with the id 'p4000'"):
        index.search("p4000")
    with pytest.raises(SettingError, match="product ids are text: write '4000' instead of 4000"):
        index.search(4000)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def photographs(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of twelve photographs, scored and indexed in `index` with the tiny bundle."""
    folder = tmp_path_factory.mktemp("photographs")
    card, predictor = ModelCard.load(bundle), Predictor.from_bundle(bundle)
    rows = []
    for i in range(12):
        (folder / f"{i}.png").write_bytes(photo(i))
        prediction = predictor.predict(folder / f"{i}.png")
        rows.append(
            {"id": str(i), "image": str(folder / f"{i}.png"), "price": float(i)}
            | {"logits": prediction.logits, "embedding": prediction.embedding}
        )
    price = COLUMNS[:1]
    scored = write_catalog(folder / "scored", rows, predictor.identity(), taxonomy=card.taxonomy, columns=price)
    build(scored, FolderStore(folder / "index"))
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out


def test_a_photograph_finds_itself(photographs: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [photographs / "index", "--image", photographs / "4.png", "--bundle", bundle, "--space", "embedding"]
    first, *others = [json.loads(line) for line in run(capsys, *asked, "--json").splitlines()]
    assert first["id"] == "4"
    assert first["similarity"] == pytest.approx(1, abs=2e-3)
    assert first["differing"] == {}
    assert len(others) == 9
    assert max(other["similarity"] for other in others) < 0.999
    assert "4" not in [
        json.loads(line)["id"] for line in run(capsys, *asked, "--json", "--where", "id!=4").splitlines()
    ]


def test_the_table(photographs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heading, *lines = run(capsys, photographs / "index", "--id", "4", "--limit", "3").splitlines()
    assert heading.split("  ")[0] == "alike"
    with Index(FolderStore(photographs / "index")) as index:
        found = index.search("4", limit=3)
    for line, match in zip(lines, found, strict=True):
        assert line[:5] == f"{match.similarity:5.2f}"
        assert line[heading.index("id") :].split()[0] == match.product.id
        assert line[heading.index("both have") :].startswith(", ".join(match.shared_names))
        assert line[heading.index("one has") :] == " ".join(match.differing_names)
    listed = run(capsys, photographs / "index", "--where", "price=4").splitlines()
    assert len(listed) == 1
    assert listed[0].split()[0] == "4"
    assert run(capsys, photographs / "index", "--where", "price<0") == "no product passes the filter\n"


def test_the_table_shows_columns(photographs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = [photographs / "index", "--id", "4", "--limit", "3"]
    heading, *lines = run(capsys, *asked, "--show", "price").splitlines()
    assert heading.split()[:3] == ["alike", "id", "price"]
    for line in lines:
        _, product, price = line.split()[:3]
        assert price == product  # as the fixture has it
    listed = run(capsys, photographs / "index", "--where", "price=4", "--show", "price").splitlines()
    assert [line.split()[:2] for line in listed] == [["id", "price"], ["4", "4"]]
    assert run(capsys, photographs / "index", "--where", "price<0", "--show", "price").startswith("no product")
    with pytest.raises(SystemExit, match="2"):
        main([str(argument) for argument in [*asked, "--show", "prise"]])
    error = "error: --show: the index has no source column 'prise' (did you mean 'price'?); it has: price\n"
    assert capsys.readouterr().err == error
    (only,) = run(capsys, photographs / "index", "--where", "price=4", "--json").splitlines()
    assert (json.loads(only)["shared"], json.loads(only)["differing"]) == ({}, {})  # there was no query


def test_the_sheet(photographs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run(capsys, photographs / "index", "--id", "4", "--sheet", tmp_path / "sheet.png", "--limit", "6")
    sheet = Image.open(tmp_path / "sheet.png").convert("RGB")
    assert sheet.width == LAYOUT.size(1)[0] + LAYOUT.size(6)[0]  # the query is on the left
    assert 2 * LAYOUT.side < sheet.height <= LAYOUT.size(6)[1] + 4 * LINE  # two rows of three, with captions
    left, top = LAYOUT.place(0, 1)
    asked = sheet.crop((left, top, left + LAYOUT.side, top + LAYOUT.side)).resize((16, 16))
    original = Image.open(photographs / "4.png").convert("RGB").resize((16, 16))
    difference = np.abs(np.asarray(asked, dtype=int) - np.asarray(original, dtype=int)).mean()
    assert difference < 12
    frames = [sheet.getpixel((x - 1, top + LAYOUT.side // 2)) for x in (left, LAYOUT.size(1)[0] + left)]
    assert [frame == ImageColor.getrgb(MARK) for frame in frames] == [True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--id", "400"], "has no product with the id '400'"),
        ([], "no query; give --image, --id, --text, --color or --where"),
        (["--image", "{folder}/4.png"], "--image needs --bundle"),
        (["--image", "{folder}/missing.png", "--bundle", "{bundle}"], "missing.png: "),
        (["--image", "{folder}/index/index.json", "--bundle", "{bundle}"], "index.json: not an image"),
        (
            ["--id", "4", "--where", "prise<5"],
            "unknown column 'prise' (did you mean 'price'?), at the ^ in: ^prise<5; there are: ",
        ),
        (["--id", "4", "--weight", "color"], "--weight 'color' must be GROUP=NUMBER, such as neckline=2"),
        (["--id", "4", "--collection", "other"], "--collection needs --postgres"),
        (["--id", "4", "--space", "embedding", "--share", "0.1"], "--share needs --space both"),
        (["--id", "4", "--sheet", "sheet.txt"], "--sheet 'sheet.txt' must end in .jpg, .png"),
    ],
)
def test_mistakes_are_one_line_errors(
    photographs: Path, bundle: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(photographs / "index"), *(a.format(folder=photographs, bundle=bundle) for a in arguments)])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_bundle_with_other_weights(photographs: Path, bundle: Path, tmp_path: Path) -> None:
    card = ModelCard.load(bundle)
    replace(card, files=card.files | {"model.pth": "0" * 64}).save(tmp_path)
    with pytest.raises(SystemExit):
        main([str(photographs / "index"), "--image", str(photographs / "4.png"), "--bundle", str(tmp_path)])
