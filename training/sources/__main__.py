"""python -m training.sources: import photographs and labels into a folder in the training format."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fashion.errors import SettingError, one_line_errors
from fashion.fetching.fetch_settings import FetchSettings, add_fetch_flags
from fashion.flags import at_least_1
from training.sources import catalog, debian_pictures, imaterialist, mirror, negatives, sample
from training.sources.columns import SEPARATOR
from training.sources.extract import extract_photo
from training.sources.join import join
from training.sources.negatives.making import DEFAULT_COUNT
from training.sources.opening import read_description
from training.sources.spelling import case_note
from training.sources.writer import SPLITS


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one importer; a user error prints one line on stderr and exits with status 2."""
    with one_line_errors():
        options = _parser().parse_args(arguments)
        options.run(options)


def _sample(options: argparse.Namespace) -> None:
    sample.make_sample(
        options.out,
        train=options.train,
        val=options.val,
        test=options.test,
        size=options.size,
        seed=options.seed,
        shop_words=options.words == "shop",
        workers=options.workers,
    )


def _negatives(options: argparse.Namespace) -> None:
    print(negatives.make_negatives(options.out, options.count, options.crops, options.seed))


def _debian_pictures(options: argparse.Namespace) -> None:
    print(debian_pictures.collect_pictures(options.out, options.packages))


def _catalog(options: argparse.Namespace) -> None:
    summary = catalog.import_catalog(
        options.source,
        options.out,
        options.groups,
        options.image_column,
        options.id_column,
        options.workers,
        options.separators,
        FetchSettings.from_flags(options),
    )
    print(summary)
    note = case_note(read_description(summary.folder)["groups"])
    if note:
        print(f"note   {note}", file=sys.stderr)


def _imaterialist(options: argparse.Namespace) -> None:
    print(imaterialist.import_imaterialist(options.source, options.out, options.groups, options.workers))


def _mirror(options: argparse.Namespace) -> None:
    if (options.source is None) == (options.shards is None):
        raise SettingError("give either a folder of shards, or --shards N to download N of them from the hub")
    if options.source is not None:
        summary = mirror.import_mirror([options.source], options.out, options.groups, options.workers)
    else:
        shards = mirror.fetch_shards(options.shards)
        name = f"{mirror.REPOSITORY}, the first {options.shards} shards"
        summary = mirror.import_mirror(shards, options.out, options.groups, options.workers, name)
    print(summary)


def _photo(options: argparse.Namespace) -> None:
    truth = extract_photo(options.source, options.out, options.split, options.row)
    print(f"{options.out}: {options.split} photograph {truth['id']} of {options.source}")


def _join(options: argparse.Namespace) -> None:
    print(join(options.source, options.other, options.on, options.out, options.columns))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.sources", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    _add_sample(commands.add_parser("sample", help="draw the sample data set"))
    _add_negatives(commands.add_parser("negatives", help="draw pictures that show no product"))
    _add_debian_pictures(
        commands.add_parser("debian-pictures", help="collect pictures that show no product from packages of Debian")
    )

    add = commands.add_parser(
        "catalog",
        help="import a shop's catalog: a table (CSV, JSON, Excel, Parquet) and photographs",
        description="Import a catalog: a table whose columns are attribute groups, and a column with each photograph's "
        "file name, path or bytes. Cells with several labels separate them by |; an empty cell is not annotated. Rows "
        "of one id are photographs of one product.",
    )
    add.add_argument(
        "source",
        type=Path,
        help="a table (CSV, JSON, Excel, Parquet), or a folder of train.csv, val.csv and images/, or of such tables",
    )
    _add_out(add)
    _add_groups(add, "all columns but the image's, the id's, text and the like")
    add.add_argument("--image-column", metavar="NAME", help="column of the photographs (default: a usual name)")
    add.add_argument("--id-column", metavar="NAME", help="column of the product ids (default: a usual name)")
    add.add_argument(
        "--separator",
        dest="separators",
        action="append",
        default=[],
        metavar="TEXT",
        help=f"separator of the labels in a cell, besides {SEPARATOR}, such as ','; may be repeated",
    )
    add_fetch_flags(add)
    add.set_defaults(run=_catalog)

    add = commands.add_parser(
        "imaterialist", help="import the iMaterialist challenge's JSON files and downloaded images"
    )
    add.add_argument("source", type=Path, help="folder of train.json, validation.json, test.json and the images")
    _add_out(add)
    _add_groups(add, "all eight")
    add.set_defaults(run=_imaterialist)

    add = commands.add_parser("mirror", help=f"import Parquet shards of {mirror.REPOSITORY}, from disk or from the hub")
    add.add_argument("source", type=Path, nargs="?", help="a shard, or a folder of shards, on this disk")
    _add_out(add)
    _add_groups(add, "all eight")
    add.add_argument("--shards", type=int, metavar="N", help="download the first N of the 153 shards, 0.5 GB each")
    add.set_defaults(run=_mirror)

    add = commands.add_parser(
        "join",
        help="add columns of another table to a catalog",
        description="Write a catalog with additional columns from another table of the same products. Photographs in "
        "files are linked to, not copied.",
    )
    add.add_argument("source", type=Path, help="the catalog: a table (CSV, JSON, Excel, Parquet), or a folder of them")
    add.add_argument("--with", dest="other", type=Path, required=True, metavar="TABLE", help="the other table")
    add.add_argument(
        "--on",
        required=True,
        metavar="COLUMN",
        help="key column of both tables, or COLUMN=COLUMN of the other; image file extensions are ignored",
    )
    add.add_argument("--columns", type=_names, metavar="A,B,...", help="columns to add (default: all new ones)")
    add.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder to make")
    add.set_defaults(run=_join)

    add = commands.add_parser("photo", help="take one photograph and its labels out of an imported folder")
    add.add_argument("source", type=Path, help="folder in the training format")
    add.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="image file to write; its labels are written next to it as .json",
    )
    add.add_argument("--split", default="test", choices=SPLITS, help="split to take it from (default: %(default)s)")
    add.add_argument("--row", type=int, default=0, help="position in the split, from 0 (default: %(default)s)")
    add.set_defaults(run=_photo)
    return parser


def _add_sample(add: argparse.ArgumentParser) -> None:
    _add_out(add)
    for name, default, what in (
        ("train", sample.DEFAULT_TRAIN, "training images"),
        ("val", sample.DEFAULT_VAL, "validation images"),
        ("test", sample.DEFAULT_TEST, "test images"),
        ("size", sample.DEFAULT_SIZE, "height and width of an image, pixels"),
        ("seed", 0, "another number draws other images"),
    ):
        add.add_argument(f"--{name}", type=int, default=default, help=f"{what} (%(default)s)")
    add.add_argument(
        "--words",
        choices=("taxonomy", "shop"),
        default="taxonomy",
        help="labels of the iMaterialist taxonomy, or those of the included model (%(default)s)",
    )
    add.set_defaults(run=_sample)


def _add_negatives(add: argparse.ArgumentParser) -> None:
    add.description = (
        "Draw pictures that show no product: walls, landscapes, rooms, screenshots, animals and the like. "
        "Writes images/, train.csv and val.csv with the columns image and kind."
    )
    add.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder to make")
    add.add_argument("--count", type=int, default=DEFAULT_COUNT, help="pictures, a sixth for validation (%(default)s)")
    add.add_argument(
        "--crops",
        type=Path,
        metavar="FOLDER",
        help="train.csv, val.csv and images/ of amateur photographs of single garments, to take backgrounds from",
    )
    add.add_argument("--seed", type=int, default=1, help="another number draws other pictures (%(default)s)")
    add.set_defaults(run=_negatives)


def _add_debian_pictures(add: argparse.ArgumentParser) -> None:
    add.description = (
        "Collect pictures that show no product (animals, tools, landscapes, food, buildings) from packages of Debian, "
        "which apt-get downloads (about 0.6 GB). Writes images/, train.csv and val.csv with the columns image and kind."
    )
    add.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder to make")
    add.add_argument(
        "--packages", type=Path, metavar="FOLDER", help="folder of the .deb files; nothing is downloaded then"
    )
    add.set_defaults(run=_debian_pictures)


def _add_out(add: argparse.ArgumentParser) -> None:
    add.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder to make")
    add.add_argument(
        "--workers", type=at_least_1, metavar="N", help="images processed in parallel (default: one per core)"
    )


def _add_groups(add: argparse.ArgumentParser, default: str) -> None:
    add.add_argument(
        "--groups", type=_names, metavar="A,B,...", help=f"attribute groups, separated by commas (default: {default})"
    )


def _names(text: str) -> list[str]:
    """Parse `a,b` or `[a, b]`."""
    return [name.strip() for name in text.strip("[] ").split(",") if name.strip()]


if __name__ == "__main__":
    main()
