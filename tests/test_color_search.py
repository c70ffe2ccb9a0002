"""The colors of a catalog: measured once, stored beside it, searched by distance."""

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw
from scored_catalog import products, write_catalog

from catalog import colors as command
from catalog import search
from catalog.coloring import measuring
from catalog.coloring.color_search import ColorSearch, index_colors
from catalog.coloring.color_table import COLORLESS_FILE, COLORS_FILE, ColoredProduct, read_colors
from catalog.coloring.measuring import photograph_colors
from catalog.engines.folder_store import FolderStore
from catalog.index import build
from catalog.scored.table import Scored
from catalog.similar.matching import Index
from fashion.colors.palette import DominantColor
from fashion.errors import DataError, SettingError

INKS = ("#7a1f2b", "#82242f", "#1f4fa0", "#207a30", "#f2d21b", "#1a1a1a")


def draw(path: Path, ink: str) -> Path:
    image = Image.new("RGB", (120, 160), "white")
    ImageDraw.Draw(image).rectangle((20, 30, 99, 129), ink)
    image.save(path, quality=95)
    return path


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Six products of one color each, one whose photograph is missing and one without a file."""
    folder = tmp_path_factory.mktemp("colors")
    rows = products(8)
    for row, ink in zip(rows, INKS, strict=False):
        row["image"] = str(draw(folder / f"{row['id']}.jpg", ink))
        row["price"] = 10.0 * int(row["id"][1:])
    rows[6]["image"], rows[7]["image"] = str(folder / "gone.jpg"), ""
    return write_catalog(folder / "scored", rows)


@pytest.fixture(scope="module")
def index(scored: Scored) -> Path:
    assert command.main([str(scored.folder)]) == 0
    place = scored.folder / "index"
    build(scored, FolderStore(place))
    return place


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_colors_are_stored_beside_the_catalog(index, scored):
    found = read_colors(scored.folder)
    assert found.keys() == {f"p{i}" for i in range(6)}
    assert [found[f"p{i}"].colors[0].basic for i in range(6)] == ["red", "red", "blue", "green", "yellow", "black"]
    left_out = (scored.folder / COLORLESS_FILE).read_text(encoding="utf-8")
    assert "p6" in left_out
    assert "p7,the catalog does not say where" in left_out


def test_only_changed_photographs_are_measured_again(index, scored, monkeypatch):
    seen: set[str] = set()

    def watched(path: Path) -> list[DominantColor]:
        seen.add(path.name)
        return photograph_colors(path)

    monkeypatch.setattr(measuring, "photograph_colors", watched)
    os.utime(Path(read_colors(scored.folder)["p2"].stamp.split("|")[0]), ns=(1, 1))
    command.main([str(scored.folder)])
    assert seen == {"p2.jpg", "gone.jpg"}  # unreadable files are tried again
    assert read_colors(scored.folder)["p2"].colors[0].basic == "blue"
    command.main([str(scored.folder), "--anew"])
    assert len(seen) == 7


def test_an_interrupted_run_keeps_what_it_measured(tmp_path, monkeypatch):
    def interrupted(path: Path) -> list[DominantColor]:
        if path.name == "p2.jpg":
            raise KeyboardInterrupt
        return photograph_colors(path)

    rows = products(4)
    for row, ink in zip(rows, INKS, strict=False):
        row["image"] = str(draw(tmp_path / f"{row['id']}.jpg", ink))
    scored = write_catalog(tmp_path / "scored", rows)
    with monkeypatch.context() as patch:
        patch.setattr(measuring, "photograph_colors", interrupted)
        with pytest.raises(SystemExit, match="130"):
            command.main([str(scored.folder)])
        assert list(read_colors(scored.folder)) == ["p0", "p1"]
    command.main([str(scored.folder)])
    monkeypatch.setattr(measuring, "photograph_colors", interrupted)
    os.utime(tmp_path / "p2.jpg", ns=(1, 1))
    with pytest.raises(SystemExit, match="130"):
        command.main([str(scored.folder)])
    assert list(read_colors(scored.folder)) == ["p0", "p1", "p2", "p3"]


def test_photographs_stored_in_a_table_are_measured_and_again_when_it_changes(tmp_path):
    def store(*inks: str) -> None:
        images = [draw(tmp_path / "p.jpg", ink).read_bytes() for ink in inks]
        pq.write_table(pa.table({"image": pa.array(images, pa.binary())}), tmp_path / "t.parquet")

    rows = products(2)
    for number, row in enumerate(rows):
        row["image"] = f"{tmp_path / 't.parquet'}#image:{number}:0"
    scored = write_catalog(tmp_path / "scored", rows)
    for inks, basic in ((("#c00000", "#0000c0"), ["red", "blue"]), (("#0000c0", "#c00000"), ["blue", "red"])):
        store(*inks)
        assert command.main([str(scored.folder)]) == 0
        assert [product.colors[0].basic for product in read_colors(scored.folder).values()] == basic


def test_the_command_prints_json(index, scored, capsys):
    command.main([str(scored.folder), "--json"])
    found = lines(capsys)
    assert [each["id"] for each in found] == [f"p{i}" for i in range(6)]
    assert set(found[0]["colors"][0]) == {"share", "hex", "name", "basic"}


def test_a_color_finds_the_nearest_first(index, capsys):
    assert search.main([str(index), "--color", "#7a1f2b", "--json"]) == 0
    found = lines(capsys)
    assert [each["id"] for each in found] == ["p0", "p1"]
    assert found[0]["similarity"] > found[1]["similarity"] > 0.9
    assert found[0]["shared"]["color"][0].startswith("#7")


def test_a_larger_distance_finds_more(index, capsys):
    search.main([str(index), "--color", "#7a1f2b", "--color-distance", "100", "--limit", "4", "--json"])
    found = [each["id"] for each in lines(capsys)]
    assert len(found) == 4
    assert found[:2] == ["p0", "p1"]
    search.main([str(index), "--color", "#7a1f2b", "--color-distance", "1", "--json"])
    assert [each["id"] for each in lines(capsys)] == ["p0"]


def test_with_a_filter_and_with_a_product(index, capsys):
    search.main([str(index), "--color", "#7a1f2b", "--where", "price>5", "--json"])
    assert [each["id"] for each in lines(capsys)] == ["p1"]
    search.main([str(index), "--id", "p0", "--color", "#7a1f2b", "--json"])
    assert [each["id"] for each in lines(capsys)] == ["p1"]
    search.main([str(index), "--color", "#00ffff", "--json"])
    assert lines(capsys) == []


def test_of_two_listings_of_a_photograph_the_one_of_the_nearer_color_is_found(tmp_path):
    rows = products(300)
    rows[0]["embedding"] = rows[299]["embedding"]
    build(write_catalog(tmp_path / "scored", rows), FolderStore(tmp_path / "index"))
    colors = {
        row["id"]: ColoredProduct(row["id"], "", (DominantColor(1, f"#8080{128 + i // 30:02x}", "gray", "gray"),))
        for i, row in enumerate(reversed(rows))
    }
    near = ColorSearch(colors, "#808080", 100)
    with Index(FolderStore(tmp_path / "index")) as opened:
        both = [match.product.id for match in near.matches(opened, None, 400, duplicates=True)]
        assert both == list(colors)
        found = [match.product.id for match in near.matches(opened, None, 400)]
        assert found[0] == "p299"
        assert "p0" not in found
        assert [match.product.id for match in near.matches(opened, None, 7)] == found[:7]
        cheap = {row["id"] for row in rows if row["price"] is not None and row["price"] < 20}
        few = near.matches(opened, opened.condition("price<20"), 400, duplicates=True)
        assert [match.product.id for match in few] == [id for id in both if id in cheap]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--color", "reddish"], "'reddish' is not a color such as"),
        (["--color", "#7a1f2b", "--color-distance", "-1"], "from 0 to 100"),
        (["--color", "#7a1f2b", "--color-distance", "nan"], "from 0 to 100"),
        (["--color", "#7a1f2b", "--limit", "0"], "limit is 0; it must be 1 or more"),
        (["--color", "#7a1f2b", "--limit", "-1"], "limit is -1; it must be 1 or more"),
        (["--color", "#7a1f2b", "--diverse"], "--diverse needs --image or --id"),
        (["--text", "black", "--weight", "color=2"], "--weight needs --image or --id"),
        (["--text", "black", "--space", "embedding"], "--space needs --image or --id"),
        (["--where", "price>5", "--share", "0.1"], "--share needs --image or --id"),
        (["--id", "p0", "--color-distance", "5"], "--color-distance needs --color"),
        (["--id", "p0", "--bundle", "b"], "--bundle needs --image"),
        (["--where", "price>5", "--exact"], "--exact needs --image, --id or --text"),
    ],
)
def test_wrong_flags_are_one_line_errors(index, flags, said, capsys):
    with pytest.raises(SystemExit) as ended:
        search.main([str(index), *flags])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_catalog_without_colors_gives_an_error_with_the_fix(scored, index, tmp_path):
    with pytest.raises(DataError, match=r"python -m catalog\.colors"):
        read_colors(tmp_path)
    (tmp_path / COLORS_FILE).write_bytes(b"PAR1")
    with pytest.raises(DataError, match="broken"):
        read_colors(tmp_path)
    with pytest.raises(SettingError):
        ColorSearch({}, "#7a1f2b", 101)
    with Index(FolderStore(index)) as opened:
        assert index_colors(opened).keys() == read_colors(scored.folder).keys()


def test_no_usable_photograph_is_an_error(tmp_path, capsys):
    scored = write_catalog(tmp_path / "scored", products(3))
    with pytest.raises(SystemExit) as ended:
        command.main([str(scored.folder)])
    assert ended.value.code == 2
    assert "no photograph of" in capsys.readouterr().err
    assert not (scored.folder / COLORS_FILE).exists()
