"""Opening any folder of labeled photographs: it is imported once into the training format; the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from source_files import jpeg, save_jpegs

from fashion.errors import DataError
from fashion.taxonomy import Label, imaterialist
from training.sources import load_taxonomy, open_folder, read_description
from training.sources.__main__ import main
from training.sources.extract import extract_photo
from training.sources.writer import ProductRow, write_dataset

COUNT = 30


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A catalog of 30 products, 20 of them for training."""
    folder = tmp_path / "shop"
    save_jpegs(folder / "images", [f"{i}.jpg" for i in range(COUNT)])
    rows = [f"{i}.jpg,{'Red' if i % 2 else 'Blue'},{'Casual' if i < 20 else 'Vintage'}\n" for i in range(COUNT)]
    (folder / "train.csv").write_text("image,color,style\n" + "".join(rows[:20]))
    (folder / "val.csv").write_text("image,color,style\n" + "".join(rows[20:]))
    return folder


def test_a_catalog_is_imported_once(tmp_path: Path, shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = tmp_path / "deep/cache"
    first = open_folder(shop, cache=cache)
    assert first.parent == cache
    assert "20 train, 10 val; none left out" in capsys.readouterr().err
    written = (first / "dataset.json").stat().st_mtime_ns
    assert open_folder(str(shop), cache=cache) == first
    assert (first / "dataset.json").stat().st_mtime_ns == written
    assert capsys.readouterr().err == ""
    assert open_folder(first) == first, "a folder in the training format is used in place"


def test_changes_are_noticed(tmp_path: Path, shop: Path) -> None:
    cache = shop / "cache"  # the import itself is not a change
    first = open_folder(shop, cache=cache)
    assert open_folder(shop, cache=cache) == first
    os.utime(shop / "images/3.jpg", ns=(0, 0))
    second = open_folder(shop, cache=cache)
    assert second != first


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "labels.db",
        "runs/1/metrics.csv",
        "runs/1/tensorboard/events.out.1.host.0",
        "runs/1/bundle/best.ckpt",
    ],
)
def test_other_files_are_no_change(tmp_path: Path, shop: Path, name: str) -> None:
    first = open_folder(shop, cache=tmp_path / "cache")
    (shop / name).parent.mkdir(parents=True, exist_ok=True)
    (shop / name).write_text("1")
    assert open_folder(shop, cache=tmp_path / "cache") == first


def test_a_report_beside_the_photographs_is_no_change(tmp_path: Path, shop: Path) -> None:
    first = open_folder(shop, cache=tmp_path / "cache")
    save_jpegs(shop / "report" / "photos", ["1.jpg"])
    assert open_folder(shop, cache=tmp_path / "cache") != first
    (shop / "report" / "report.json").write_text("{}")
    assert open_folder(shop, cache=tmp_path / "cache") == first


def test_changes_are_noticed_in_linked_folders(tmp_path: Path, shop: Path) -> None:
    (shop / "images").rename(tmp_path / "elsewhere")
    (shop / "images").symlink_to("../elsewhere")
    (tmp_path / "elsewhere" / "round").symlink_to(shop)  # a cycle
    cache = tmp_path / "cache"
    for source in (shop, shop / "train.csv"):
        first = open_folder(source, cache=cache)
        assert open_folder(source, cache=cache) == first
        os.utime(tmp_path / "elsewhere" / "3.jpg", ns=(0, len(str(source))))
        assert open_folder(source, cache=cache) != first


@pytest.mark.parametrize("where", ["pics", "a/b", "../elsewhere", "{shop}/pics"])
def test_photographs_that_are_added_to_a_folder_named_in_the_cells_are_noticed(
    tmp_path: Path, shop: Path, where: str
) -> None:
    where = where.format(shop=shop)
    (shop / "images").rename(shop / "there")
    (shop / where).parent.mkdir(exist_ok=True)
    (shop / "there").rename(shop / where)
    (shop / where / "3.jpg").rename(tmp_path / "3.jpg")
    table = shop / "train.csv"
    table.write_text(table.read_text().replace("\n", f"\n{where}/").removesuffix(f"{where}/"))
    first = open_folder(table, cache=tmp_path / "cache")
    assert open_folder(table, cache=tmp_path / "cache") == first
    (tmp_path / "3.jpg").rename(shop / where / "3.jpg")
    second = open_folder(table, cache=tmp_path / "cache")
    assert second != first
    assert sum(read_description(second)["splits"].values()) == 20


@pytest.mark.parametrize("place", ["", "Photos", "imgs", "fetched"])
def test_photographs_that_are_added_to_a_table_are_noticed(tmp_path: Path, shop: Path, place: str) -> None:
    (shop / "images" / "19.jpg").rename(tmp_path / "19.jpg")
    first = open_folder(shop / "train.csv", cache=tmp_path / "cache")
    (shop / place).mkdir(exist_ok=True)
    (tmp_path / "19.jpg").rename(shop / place / "19.jpg")
    assert open_folder(shop / "train.csv", cache=tmp_path / "cache") != first


def test_columns_left_out_are_not_listed_if_groups_were_named(
    tmp_path: Path, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = shop / "train.csv"
    lines = table.read_text().splitlines()
    texts = ["image,color,style,title", *(f"{lines[1 + i % 20]},title {i}" for i in range(100))]
    table.write_text("\n".join(texts) + "\n")
    (shop / "val.csv").unlink()
    open_folder(shop, cache=tmp_path / "all")
    assert "left out as text, not attributes: title" in capsys.readouterr().err
    open_folder(shop, ["color"], cache=tmp_path / "named")
    assert "note" not in capsys.readouterr().err


def test_any_choice_of_groups_is_one_import(tmp_path: Path, shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = open_folder(shop, ["color"], cache=tmp_path / "cache")
    for groups in (None, ["color", "style"], ["style"]):
        assert open_folder(shop, groups, cache=tmp_path / "cache") == first
    assert len(os.listdir(tmp_path / "cache")) == 1
    capsys.readouterr()
    with pytest.raises(DataError, match=r"no column 'colr' \(did you mean 'color'\?\)"):
        open_folder(shop, ["colr"], cache=tmp_path / "cache")
    assert len(os.listdir(tmp_path / "cache")) == 1


def test_text_that_is_asked_for_is_imported_too(tmp_path: Path, shop: Path) -> None:
    lines = "".join(f"{i},{i % 20}.jpg,Red,title {i},a.jpg\n" for i in range(30))
    table = shop / "titles.csv"
    table.write_text("id,image,color,title,file\n" + lines)
    usual = open_folder(table, cache=tmp_path / "cache")
    asked = open_folder(table, ["title"], cache=tmp_path / "cache")
    assert load_taxonomy(usual).groups == ("color",)
    assert load_taxonomy(asked).groups == ("color", "title")
    assert open_folder(table, ["title", "color"], cache=tmp_path / "cache") == asked
    assert open_folder(table, ["color"], cache=tmp_path / "cache") == usual
    assert load_taxonomy(open_folder(table, ["file"], cache=tmp_path / "cache"), ["file"]).groups == ("file",)


def test_columns_that_are_not_asked_for_may_be_missing(tmp_path: Path, shop: Path) -> None:
    (shop / "val.csv").write_text("image,color\n29.jpg,Red\n")
    with pytest.raises(DataError, match=r"val.csv has no column 'style'"):
        open_folder(shop, cache=tmp_path / "cache")
    assert load_taxonomy(open_folder(shop, ["color"], cache=tmp_path / "cache")).groups == ("color",)


def test_a_single_file(tmp_path: Path, shop: Path) -> None:
    folder = open_folder(shop / "train.csv", ["color"], cache=tmp_path / "cache")
    assert load_taxonomy(folder, ["color"]).groups == ("color",)


def test_taxonomy_has_the_names_of_train_only(tmp_path: Path, shop: Path) -> None:
    folder = open_folder(shop, cache=tmp_path / "cache")
    assert load_taxonomy(folder).labels == (Label("color", "Blue"), Label("color", "Red"), Label("style", "Casual"))
    assert load_taxonomy(folder, ["style", "color"]).groups == ("style", "color")
    assert json.loads((folder / "dataset.json").read_text())["names_outside_train"] == {"style": ["Vintage"]}
    with pytest.raises(DataError, match=r"no attribute group 'colour' \(did you mean 'color'\?\); its groups are"):
        load_taxonomy(folder, ["colour"])
    with pytest.raises(DataError, match=r"no attribute group 'size'"):
        open_folder(folder, ["size"])


def test_all_of_imaterialist_keeps_the_challenges_order(tmp_path: Path) -> None:
    taxonomy = imaterialist()
    cells = {group: taxonomy.names(group) for group in taxonomy.groups}
    write_dataset([ProductRow("train", "1", jpeg(), cells)], tmp_path / "set", sorted(taxonomy.groups), "a test")
    assert load_taxonomy(tmp_path / "set") == taxonomy
    write_dataset(
        [ProductRow("train", "1", jpeg(), {**cells, "color": None})], tmp_path / "less", taxonomy.groups, "a test"
    )
    assert len(load_taxonomy(tmp_path / "less")) == 228 - len(taxonomy.names("color"))
    with pytest.raises(DataError, match=r"no training row of .* has a label in column 'color'"):
        load_taxonomy(tmp_path / "less", ["color"])


def test_foreign_shards_mirror_and_challenge(tmp_path: Path) -> None:
    photos = [{"bytes": jpeg(i), "path": None} for i in range(COUNT)]
    shards = tmp_path / "shards"
    shards.mkdir()
    pq.write_table(pa.table({"image": photos, "garment": ["Hat"] * COUNT}), shards / "part-0.parquet")
    assert load_taxonomy(open_folder(shards, cache=tmp_path / "cache")).labels == (Label("garment", "Hat"),)

    mirror = tmp_path / "mirror"
    mirror.mkdir()
    columns = {group: ["Black" if group == "color" else ""] * COUNT for group in imaterialist().groups}
    pq.write_table(pa.table({"image": photos, **columns, "item_ID": range(COUNT)}), mirror / "data-0.parquet")
    folder = open_folder(mirror, cache=tmp_path / "cache")
    assert load_taxonomy(folder).labels == (Label("color", "Black"),)
    assert pq.read_table(next(folder.glob("train-*")))["style"][0].as_py() == []

    challenge = tmp_path / "challenge"
    save_jpegs(challenge / "train", ["1.jpg"])
    content = {"images": [{"image_id": 1, "url": []}], "annotations": [{"image_id": 1, "label_id": [1]}]}
    (challenge / "train.json").write_text(json.dumps(content))
    assert load_taxonomy(open_folder(challenge, cache=tmp_path / "cache")).labels == (imaterialist().labels[0],)


def test_other_folders_are_one_error(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"is not a data set: looked for dataset.json .* train.json .* train.csv .* shards"
    ):
        open_folder(tmp_path)
    with pytest.raises(DataError, match=r"does not exist"):
        open_folder(tmp_path / "nowhere")
    (tmp_path / "a.md").write_text("hello")
    with pytest.raises(DataError, match=r"is not a table; expected one of: "):
        open_folder(tmp_path / "a.md")
    (tmp_path / "dataset.json").write_text("{}")
    (tmp_path / "train-0.parquet").write_text("")
    with pytest.raises(DataError, match=r"dataset.json is missing or broken"):
        open_folder(tmp_path)


def test_processes_that_open_at_once_get_one_import(tmp_path: Path, shop: Path) -> None:
    code = f"from training.sources import open_folder; print(open_folder({str(shop)!r}, cache={str(tmp_path / 'c')!r}))"
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: _python("-c", code), range(2)))
    assert [run.returncode for run in runs] == [0, 0], [run.stderr for run in runs]
    assert len({run.stdout for run in runs}) == 1
    assert os.listdir(tmp_path / "c") == [Path(runs[0].stdout.strip()).name]


def test_one_photograph_and_its_labels(tmp_path: Path, shop: Path) -> None:
    folder, out = open_folder(shop, cache=tmp_path / "cache"), tmp_path / "photos" / "one.jpg"
    main(["photo", str(folder), "--split", "val", "--row", "1", "--out", str(out)])
    assert out.read_bytes() == (shop / "images/21.jpg").read_bytes()
    truth = {"id": "21.jpg", "labels": {"color": ["Red"], "style": ["Vintage"]}}
    assert json.loads(out.with_suffix(".json").read_text()) == truth
    assert sorted(os.listdir(out.parent)) == ["one.jpg", "one.json"]
    with pytest.raises(DataError, match=r"has no row 10 in split 'val'; it has 10 there"):
        extract_photo(folder, out, "val", 10)


def test_sample_defaults_are_those_of_the_function(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sample", "--help"])
    said = capsys.readouterr().out
    assert all(f"images ({count})" in said for count in (1800, 240, 100))


def test_command_line(tmp_path: Path, shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["catalog", str(shop), "--out", str(tmp_path / "out"), "--groups", "[color, style]"])
    assert "20 train, 10 val; none left out" in capsys.readouterr().out
    assert load_taxonomy(tmp_path / "out").groups == ("color", "style")


def test_command_line_for_a_german_catalog(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_jpegs(tmp_path / "shop", [f"{i}.jpg" for i in range(4)])
    (tmp_path / "shop/all.csv").write_text(
        "Bild;Farbe;Nr\n0.jpg;Rot,rot;1\n1.jpg;Rot;1\n2.jpg;rot,Rot;2\n3.jpg;rot,Rot;3\n"
    )
    flags = ["--image-column", "Bild", "--id-column", "Nr", "--separator", ","]
    main(["catalog", str(tmp_path / "shop"), "--out", str(tmp_path / "out"), *flags])
    said = capsys.readouterr()
    assert "none left out" in said.out
    assert "note   2 labels differ from another only in letter case: Rot / rot" in said.err
    assert load_taxonomy(tmp_path / "out").names("Farbe") == ("Rot", "rot")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["catalog", "SHOP", "--out", "OUT", "--separator", ""], "--separator is empty"),
        (["catalog", "SHOP", "--out", "OUT", "--groups", "colr"], "no column 'colr' (did you mean 'color'?)"),
        (["catalog", "SHOP/images", "--out", "OUT"], "has no table"),
        (["catalog", "SHOP", "--out", "SHOP"], "exists already"),
        (["mirror", "--out", "OUT"], "give either a folder of shards, or --shards N"),
        (["mirror", "SHOP", "--out", "OUT"], "is not a shard of Marqo/iMaterialist"),
        (["imaterialist", "SHOP", "--out", "OUT"], "has none of train.json"),
        (
            ["catalog", "SHOP", "--out", "OUT", "--fetch", "--fetch-concurrency", "0"],
            "--fetch-concurrency 0 is out of range",
        ),
        (["catalog", "SHOP", "--out", "OUT", "--workers", "0"], "must be at least 1"),
    ],
)
def test_mistakes_are_one_line_errors_and_status_2(
    tmp_path: Path, shop: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    paths = [text.replace("SHOP", str(shop)).replace("OUT", str(tmp_path / "out")) for text in arguments]
    with pytest.raises(SystemExit) as caught:
        main(paths)
    assert caught.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert "error: " in last
    assert message in last
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("rows", [20, 400])  # the disk is full when the last row group is written, or long before
def test_full_disk_is_a_one_line_error(tmp_path: Path, shop: Path, rows: int) -> None:
    lines = "".join(f"{i},{i % 20}.jpg,Red\n" for i in range(rows))
    (shop / "train.csv").write_text("id,image,color\n" + lines)
    (shop / "val.csv").unlink()
    limited = f"ulimit -f 8; exec {sys.executable} -m training.sources catalog {shop} --out {tmp_path / 'out'}"
    run = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.strip().splitlines()[-1].startswith("error: no space left on the disk")
    assert "Traceback" not in run.stderr
    assert "ignored" not in run.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shop"]


@pytest.mark.parametrize(
    ("name", "groups", "rows"),
    [
        ("products", ["gender", "article"], 12730),
        ("products-more", ["season"], 24975),
        ("products224", ["usage"], 8121),
        ("clothing", None, 4785),
    ],
)
def test_real_photographs(tmp_path: Path, name: str, groups: list[str] | None, rows: int) -> None:
    if "FASHION_PHOTOS" not in os.environ:
        pytest.skip("FASHION_PHOTOS names no folder of real photographs")
    folder = open_folder(Path(os.environ["FASHION_PHOTOS"]) / name, groups, cache=tmp_path)
    splits = json.loads((folder / "dataset.json").read_text())["splits"]
    assert sum(splits.values()) == rows
    assert 0.08 < splits["val"] / rows < 0.13
    assert len(load_taxonomy(folder, groups)) > 1


def test_interrupt_is_a_one_line_error_and_leaves_nothing(tmp_path: Path, shop: Path) -> None:
    lines = "".join(f"{i},{i % 20}.jpg,Red\n" for i in range(200_000))
    (shop / "train.csv").write_text("id,image,color\n" + lines)
    command = [sys.executable, "-m", "training.sources", "catalog", str(shop / "train.csv"), "--out", f"{tmp_path}/out"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob(".out.*.tmp/train-*")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert errors.strip().splitlines()[-1] == "interrupted"
    assert "Traceback" not in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shop"]


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
