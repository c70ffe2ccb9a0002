"""Export corrected products as a training folder.

OUT/train.csv        image, id, and a column per group: its labels, separated by `|`; empty is not annotated
OUT/images/          copies of the photographs
OUT/no_product/      copies of photographs marked as showing no product, for --data.negatives
OUT/left_out.csv     products that were left out, with reasons
OUT/corrections.json the catalog and the last correction that were exported
"""

import csv
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from catalog.corrections.source_labels import SEPARATOR
from catalog.scored.columns import ID, IMAGE
from catalog.scored.table import Scored
from catalog.scored.verdicts import ProductVerdict
from fashion.errors import DataError
from fashion.files import utc_now, write_csv, write_json
from fashion.folders import atomic_folder, check_replaceable
from fashion.tables.image_paths import ImagePaths
from fashion.tables.stored import read_stored
from fashion.taxonomy import YES, Taxonomy

TRAIN_FILE, LEFT_OUT_FILE, MARK_FILE = "train.csv", "left_out.csv", "corrections.json"
IMAGES, NO_PRODUCT = "images", "no_product"
GONE, NO_LABEL, NO_PHOTOGRAPH = "not in the catalog", "no confirmed label", "no photograph"


@dataclass
class TrainingFolder:
    """Summary of a written training folder.

    Attributes:
        folder: its path.
        products: number of rows of train.csv.
        annotated: number of annotated rows per group.
        no_product: number of photographs that show no product.
        left_out: id and reason of products left out.
    """

    folder: Path
    products: int = 0
    annotated: Counter[str] = field(default_factory=Counter)
    no_product: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        groups = ", ".join(f"{group} {count:,}" for group, count in self.annotated.most_common())
        reasons = Counter(reason for _, reason in self.left_out).most_common()
        text = ", ".join(f"{count:,} {reason}" for reason, count in reasons)
        left = f"; {len(self.left_out):,} left out ({text}), listed in {LEFT_OUT_FILE}" if text else "; none left out"
        return f"{self.folder}: {self.products:,} products ({groups}), {self.no_product:,} without a product{left}"


def write_training_folder(scored: Scored, out: Path, photographs: Path | None = None) -> TrainingFolder:
    """Write the corrections as training data; the folder appears atomically.

    A group is annotated if one of its labels was confirmed; its other labels then count as wrong, as the training
    format requires. A group with only "is not" corrections stays empty.

    Args:
        scored: the catalog.
        out: the folder; a previous training folder is replaced.
        photographs: folder of photographs that are no longer where they were scored.

    Raises:
        DataError: there are no usable corrections, or `out` holds something else.
    """
    check_replaceable(out, lambda folder: (folder / MARK_FILE).is_file(), "training folder", "--out", DataError)
    overlay, taxonomy = scored.overlay(), scored.manifest.taxonomy
    known = overlay.known if overlay else {}
    made = TrainingFolder(out)
    with atomic_folder(out) as folder:
        (folder / IMAGES).mkdir()
        with (folder / TRAIN_FILE).open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file)
            table.writerow([IMAGE, ID, *taxonomy.groups])
            for row in _rows(scored, known, photographs, folder, made):
                table.writerow(row)
        if not made.products and not made.no_product:
            raise DataError(f"no correction in {scored.folder} confirms a label, so there is nothing to learn")
        write_csv(folder / LEFT_OUT_FILE, ("id", "reason"), made.left_out)
        mark = {"catalog": str(scored.folder.absolute()), "entries": overlay.last if overlay else 0}
        mark |= {"created": utc_now(), "products": made.products}
        write_json(folder / MARK_FILE, mark)
    return made


def _rows(
    scored: Scored, known: dict[str, ProductVerdict], photographs: Path | None, folder: Path, made: TrainingFolder
) -> Iterator[list[str]]:
    taxonomy = scored.manifest.taxonomy
    found = scored.rows_of(known, [ID, IMAGE]).to_pylist() if known else []
    for number, row in enumerate(found):
        verdict = known[row[ID]]
        cells = _cells(verdict, taxonomy)
        image = _photograph(row, photographs)
        if not verdict.not_product and not any(cells):
            made.left_out.append((row[ID], NO_LABEL))
        elif image is None:
            made.left_out.append((row[ID], NO_PHOTOGRAPH))
        elif verdict.not_product:
            made.no_product += 1
            _copy(image, folder / NO_PRODUCT, number)
        else:
            made.products += 1
            made.annotated.update(group for group, cell in zip(taxonomy.groups, cells, strict=True) if cell)
            yield [_copy(image, folder / IMAGES, number), row[ID], *cells]
    there = {row[ID] for row in found}
    made.left_out += [(id, GONE) for id in known if id not in there]


def _cells(verdict: ProductVerdict, taxonomy: Taxonomy) -> list[str]:
    targets = verdict.targets
    return [
        SEPARATOR.join(taxonomy.labels[i].name for i in taxonomy.indices(group) if targets[i] == YES)
        for group in taxonomy.groups
    ]


def _photograph(row: dict[str, str], folder: Path | None) -> bytes | Path | None:
    """Find a product's photograph: where it was scored, or in `folder` by its name or the product's id."""
    if stored := read_stored(row[IMAGE] or ""):
        return stored
    names: Sequence[str] = [name for name in (row[IMAGE], row[ID]) if name]
    places = [Path(row[IMAGE])] if row[IMAGE] else []
    if folder is not None:
        places += [place for name in names for place in ImagePaths(folder, name)]
    return next((place for place in places if place.is_file()), None)


def _copy(image: bytes | Path, folder: Path, number: int) -> str:
    """Copy a photograph under a unique name; return the name."""
    folder.mkdir(exist_ok=True)
    name = image.name if isinstance(image, Path) else f"{number}.jpg"  # readers look at the bytes, not at the ending
    while (folder / name).exists():
        name = f"{number}-{name}"
    if isinstance(image, Path):
        shutil.copyfile(image, folder / name)
    else:
        (folder / name).write_bytes(image)
    return name
