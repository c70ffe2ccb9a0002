"""Words that fit products without them in their titles: learned by `catalog.index`, used by `catalog.search`."""

import json
import shutil
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pytest
from scored_catalog import write_catalog

from catalog.engines.folder_store import FolderStore
from catalog.index import build
from catalog.index import main as index_main
from catalog.scored.table import Scored
from catalog.search import main as search_main
from catalog.similar.matching import Index
from catalog.similar.spaces import unit_vectors
from catalog.words.learning import LEAST, WordModel, fit_sigmoids, learn
from catalog.words.searching import search_words
from catalog.words.word_file import FILE
from fashion.errors import DataError
from fashion.taxonomy import Label, Taxonomy

TAXONOMY = Taxonomy((Label("color", "Red"), Label("color", "Blue")))
SIZE, COUNT = 24, 240
COLUMNS = [pa.field("title", pa.string()), pa.field("remark", pa.string())]
HIDDEN = ("p0", "p12", "p24")  # moccasins without the word in their titles


def drawn(seed: int = 0) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Embeddings in twelve clusters, titles, and cluster numbers: the first is moccasins, the second polka dots.

    Every third title has a brand that is not visible.
    """
    rng = np.random.default_rng(seed)
    kinds = np.arange(COUNT) % 12
    centers = np.abs(rng.normal(size=(12, SIZE)))
    embeddings = np.abs(centers[kinds] + rng.normal(0, 0.15, (COUNT, SIZE)))
    words = {0: "Moccasins", 1: "Polka-Dot blouse"}
    titles = [
        f"{'Zephyr ' * (i // 12 % 3 == 0)}{words.get(int(kind), 'thing')} no. {i}" for i, kind in enumerate(kinds)
    ]
    return unit_vectors(embeddings).astype(np.float32), titles, kinds


def folder_of(home: Path) -> Path:
    embeddings, titles, _ = drawn()
    rows = [
        {
            "id": f"p{i}",
            "image": "",
            "title": "comfortable" if f"p{i}" in HIDDEN else title,
            "remark": "plush" if i == 5 else None,
            "logits": np.array([3.0, -3.0] if i % 2 else [-3.0, 3.0], np.float32),
            "embedding": embedding,
        }
        for i, (embedding, title) in enumerate(zip(embeddings, titles, strict=True))
    ]
    write_catalog(home / "scored", rows, taxonomy=TAXONOMY, columns=COLUMNS)
    return home / "scored"


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = folder_of(tmp_path_factory.mktemp("learned"))
    assert index_main([str(folder)]) == 0
    return folder


def probability(model: WordModel | None, word: str, embeddings: np.ndarray, titles: list[str]) -> np.ndarray:
    assert model
    return model.probabilities(embeddings, titles)[:, model.words.index(word)]


def test_words_are_learned_from_photographs() -> None:
    embeddings, titles, kinds = drawn()
    model = learn(embeddings, titles)
    assert model
    assert {"moccasin", "polkadot", "polka", "dot", "blouse", "zephyr", "thing"} <= set(model.words)
    bare = [""] * COUNT
    moccasin = probability(model, "moccasin", embeddings, bare)
    assert moccasin[kinds == 0].min() > 0.5
    assert moccasin[kinds != 0].max() < 0.2
    zephyr = probability(model, "zephyr", embeddings, bare)
    assert np.abs(zephyr - 1 / 3).max() < 0.25  # its overall share, whatever the photograph


def test_words_are_learned_from_the_other_words_of_titles() -> None:
    """A word that cannot be seen is predicted by those that are beside it, and never by itself."""
    embeddings, titles, _ = drawn()
    titles = [f"{title} airmax" if "Zephyr" in title else title for title in titles]
    model = learn(embeddings, titles)
    bare, beside, itself = (
        probability(model, "zephyr", embeddings, [text] * COUNT) for text in ("", "airmax", "zephyr")
    )
    assert beside.min() > 0.9
    assert bare.max() < 0.6
    np.testing.assert_array_equal(itself, bare)


def test_probabilities_are_of_titles_that_were_left_out() -> None:
    """Scores for the calibration are those of models fitted without the product."""
    embeddings, titles, _ = drawn()
    rng = np.random.default_rng(1)
    titles = [f"{title} {'luck' * int(rng.random() < 0.3)}" for title in titles]
    luck = probability(learn(embeddings, titles), "luck", embeddings, titles)
    has = np.array(["luck" in title for title in titles])
    assert luck[has].mean() - luck[~has].mean() < 0.1  # nothing predicts it


def test_word_probabilities_are_calibrated() -> None:
    """A word in half of a cluster's titles gets a probability of about 0.5 for each of its products."""
    embeddings, titles, kinds = drawn()
    rng = np.random.default_rng(1)
    titles = [
        f"{title} {'fringed' * bool(k == 2 and rng.random() < 0.5)}" for title, k in zip(titles, kinds, strict=True)
    ]
    fringed = probability(learn(embeddings, titles), "fringed", embeddings, titles)
    assert fringed[kinds == 2].mean() == pytest.approx(0.5, abs=0.2)
    assert fringed[kinds != 2].mean() < 0.05


def test_a_word_of_few_titles_and_titles_that_are_empty() -> None:
    embeddings, titles, _ = drawn()
    few = ["plush" if i < LEAST - 1 else "velvet" if i < 20 else "" for i in range(len(titles))]
    model = learn(embeddings, few)
    assert model
    assert model.words == ("velvet",)
    assert learn(embeddings, [""] * len(titles)) is None


def test_sigmoids_are_those_of_known_odds() -> None:
    """Scores with known odds: logit = 2 x - 1."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20_000, 1))
    has = (rng.random((20_000, 1)) < 1 / (1 + np.exp(-(2 * scores - 1)))).astype(np.float32)
    slope, constant = fit_sigmoids(scores, has)
    assert slope == pytest.approx([2], abs=0.1)
    assert constant == pytest.approx([-1], abs=0.1)
    slope, constant = fit_sigmoids(scores, 1 - has)
    assert slope == pytest.approx([0])  # negative correlation: nothing is learned
    assert constant == pytest.approx([np.log((1 - has).sum() / has.sum())], abs=0.01)


def test_products_whose_titles_lack_the_word_are_found(scored: Path) -> None:
    with Index(FolderStore(scored / "index")) as index:
        matches = search_words(index, "moccasin", limit=20).matches
        assert {match.product.id for match in matches} == {f"p{i}" for i in range(0, COUNT, 12)}
        assert {match.product.id for match in matches[-len(HIDDEN) :]} == {
            *HIDDEN
        }  # after those with the word in the title
        assert [reason.kind for reason in matches[0].why] == ["title", "likely"]
        assert [reason.kind for reason in matches[-1].why] == ["likely"]
        assert {m.product.id for m in search_words(index, "polka dots", limit=20).matches} == {
            f"p{i}" for i in range(1, COUNT, 12)
        }
        (best, *_) = search_words(index, "red moccasins", limit=1).matches  # there is none: all are blue
        assert best.similarity is not None
        assert best.similarity < 0.5


def test_the_commands(scored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert search_main([str(scored / "index"), "--text", "moccasins, gliter", "--limit", "1", "--show", "title"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0].split()[:4] == ["alike", "id", "title", "why"]
    assert "title 'moccasins', likely 'moccasins' " in printed.out
    assert printed.err == "note   'gliter' is no label and occurs in no text of the catalog; it was left out\n"
    assert search_main([str(scored / "index"), "--text", "moccasin", "--limit", "1", "--json"]) == 0
    why = json.loads(capsys.readouterr().out)["why"]
    assert why[1]["kind"] == "likely"
    assert why[1]["probability"] > 0.5


def test_an_index_in_postgres_keeps_what_was_learned(
    scored: Path, postgres: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server = ["--postgres", postgres, "--collection", f"t{uuid4().hex}"]
    assert index_main([str(scored), *server]) == 0
    assert "words from title" in capsys.readouterr().out
    found = []
    for place in (server, [str(scored / "index")]):
        assert search_main([*place, "--text", "moccasin", "--limit", "20", "--json"]) == 0
        found.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
    assert [each["id"] for each in found[0]] == [each["id"] for each in found[1]]
    assert [reason["kind"] for reason in found[0][-1]["why"]] == ["likely"]


def test_columns_of_titles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scored, index = folder_of(tmp_path), tmp_path / "index"
    assert index_main([str(scored), "--out", str(index)]) == 0
    assert "words from title" in capsys.readouterr().out
    assert index_main([str(scored), "--out", str(index), "--titles", "title,remark"]) == 0
    assert "words from title and remark" in capsys.readouterr().out
    (index / FILE).unlink()
    assert index_main([str(scored), "--out", str(index), "--titles", "none"]) == 0
    assert "learned" not in capsys.readouterr().out
    with Index(FolderStore(index)) as opened:  # texts are still indexed
        found = search_words(opened, "moccasin").matches
        assert {reason.kind for match in found for reason in match.why} == {"title"}
        assert search_words(opened, "plush").matches[0].product.id == "p5"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--titles", "headline"],
            "--titles: the catalog has no column of texts called 'headline'; it has title, remark",
        ),
        (
            ["--titles", "title", "--qdrant", "http://localhost:1"],
            "--titles is for an index in a folder or in",
        ),
    ],
)
def test_invalid_title_columns(
    flags: list[str], message: str, scored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        index_main([str(scored), *flags])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_a_broken_file_of_words_is_reported(scored: Path, tmp_path: Path) -> None:
    shutil.copytree(scored / "index", tmp_path / "index")
    path = tmp_path / "index" / FILE
    path.write_bytes(path.read_bytes()[:4096])
    with Index(FolderStore(tmp_path / "index")) as index:  # rebuilt, without learned words
        assert {reason.kind for reason in search_words(index, "moccasin").matches[0].why} == {"title"}


def test_an_interruption_loses_no_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Learning comes before the index is changed, and an index without its words is incomplete."""
    folder = folder_of(tmp_path)
    assert index_main([str(folder)]) == 0

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    def likely() -> bool:
        with Index(FolderStore(folder / "index")) as index:
            return any(reason.kind == "likely" for reason in search_words(index, "moccasin", limit=1).matches[0].why)

    for step in ("learn_titles", "store_words"):
        with monkeypatch.context() as patch:
            patch.setattr(f"catalog.index.{step}", cut_off)
            with pytest.raises(KeyboardInterrupt):
                build(Scored.open(folder), FolderStore(folder / "index"), titles=["title"])
        if step == "learn_titles":
            assert likely()
    with pytest.raises(DataError, match="half-written"):
        Index(FolderStore(folder / "index"))
    assert index_main([str(folder)]) == 0
    assert likely()


def test_texts_are_stored_without_titles(tmp_path: Path) -> None:
    """Whoever may only read the index cannot write them at the first search."""
    folder = folder_of(tmp_path)
    assert index_main([str(folder), "--titles", "none"]) == 0
    assert (folder / "index" / FILE).is_file()
