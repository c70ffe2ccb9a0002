"""How good the model that comes with the bundle is: the figures of its model card page.

    python -m benchmarks.starter --data 'FOLDER,FOLDER' --sources 'NAME;NAME'

It answers the validation photographs of each catalog, as they are and changed in ways that leave their labels true, and
writes the sections `starter` and `starter changes` of docs/starter.md.
"""

import argparse
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from tqdm import tqdm

from benchmarks.document import table, write_section
from benchmarks.machine import describe
from fashion.answers import answered
from fashion.errors import SettingError, one_line_errors
from fashion.predictor import Predictor
from fashion.preprocess import decode
from fashion.taxonomy import Taxonomy
from training.bootstrap import f1_intervals
from training.images import Photographs, open_split
from training.predictions import predict
from training.profiles import answer_out_of_fold
from training.scores import score_answers
from training.thresholds import MICRO_F1

PAGE = Path("docs/starter.md")
BUNDLE = Path("model_store/starter")
LARGE = 1024  # px; photographs are decoded at their own size

Change = Callable[[Image.Image], Image.Image]


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """The image after it was saved as JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def cropped(image: Image.Image, part: float) -> Image.Image:
    """The image without that part of its sides, half of it on each."""
    across, down = image.width * part / 2, image.height * part / 2
    return image.crop((round(across), round(down), round(image.width - across), round(image.height - down)))


def padded(image: Image.Image, part: float) -> Image.Image:
    """The image with a border that continues the color of its corner, that part of its sides in all."""
    corner: Any = image.getpixel((0, 0))
    across, down = round(image.width * part / 2), round(image.height * part / 2)
    return ImageOps.expand(image, (across, down, across, down), corner)


# Changes after which a person would say the same of the product.
CHANGES: Mapping[str, Change] = {
    "mirrored": ImageOps.mirror,
    "10 % cropped away": lambda image: cropped(image, 0.1),
    "a border of 10 %": lambda image: padded(image, 0.1),
    "15 % brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.15),
    "15 % darker": lambda image: ImageEnhance.Brightness(image).enhance(0.85),
    "JPEG of quality 50": lambda image: jpeg(image, 50),
    "twice as large": lambda image: image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC),
}


def kept(before: np.ndarray, after: np.ndarray) -> float:
    """The part of the answers, before and after a change, that are given both times; bool (N, A) each."""
    either = (before | after).sum()
    return float((before & after).sum() / either) if either else 1.0


def changed_answers(predictor: Predictor, images: Sequence[Image.Image], profile: str) -> dict[str, float]:
    """For each change the part of the answers that it leaves as they were."""

    def answers(change: Change) -> np.ndarray:
        found = predictor.predict([change(image) for image in images])
        probabilities, gates = (np.stack([getattr(p, name) for p in found]) for name in ("probabilities", "gates"))
        return answered(predictor.card, probabilities, profile, gates)

    before = answers(lambda image: image)
    return {name: kept(before, answers(change)) for name, change in tqdm(CHANGES.items(), "changes", unit="change")}


def photographs(images: Photographs, count: int) -> list[Image.Image]:
    """The first photographs of a split, decoded at their own size."""
    return [decode(images.encoded(i), LARGE) for i in range(min(count, len(images)))]


def recolored(image: Image.Image) -> Image.Image:
    """The image with every hue turned by nearly half of the circle: the same product in another color."""
    hue, saturation, value = image.convert("HSV").split()
    return Image.merge("HSV", (hue.point(lambda h: (h + 120) % 256), saturation, value)).convert("RGB")


def likeliest(predictor: Predictor, images: Sequence[Image.Image], group: str) -> list[str]:
    """The most probable label of a group for each image."""
    indices = predictor.taxonomy.indices(group)
    found = predictor.predict(list(images))
    return [predictor.taxonomy.labels[indices[p.probabilities[indices].argmax()]].name for p in found]


def stays_when_recolored(predictor: Predictor, images: Sequence[Image.Image], group: str) -> float:
    """The part of recolored images whose most probable label of a group is what it was."""
    before = likeliest(predictor, images, group)
    after = likeliest(predictor, [recolored(image) for image in images], group)
    return float(np.mean([one == other for one, other in zip(before, after, strict=True)]))


def section(
    predictor: Predictor, catalogs: Mapping[str, Photographs], profile: str, together: Sequence[str] = ()
) -> list[list[str]]:
    """Rows of the table of scores: for each catalog all groups, some of them together, and each one.

    Out of fold, as the scores in the model card: calibration and thresholds are fitted anew, on other photographs than
    those they are scored on.
    """
    taxonomy = predictor.taxonomy
    each = {source: predict(predictor, images, source) for source, images in catalogs.items()}
    first, *others = each.values()
    everything = sum(others, first)
    fit_on = (everything.logits, everything.targets, taxonomy, everything.ids, everything.gates)
    unseen = answer_out_of_fold(*fit_on).answered[profile]
    thresholds, rows, end = predictor.card.threshold_row(profile), [], 0
    parts = {", ".join(together): together} if together else {}
    parts |= {group: [group] for group in taxonomy.groups}
    for source, images in catalogs.items():
        seen = each[source]
        answers, end = unseen[end : end + len(seen.targets)], end + len(seen.targets)
        for name, groups in {f"{source}, {len(images):,}": taxonomy.groups, **parts}.items():
            labels = np.concatenate([taxonomy.indices(group) for group in groups])
            own = Taxonomy(tuple(taxonomy.labels[i] for i in labels))
            found = score_answers(answers[:, labels], seen.targets[:, labels], thresholds[labels], own)
            if found["support"]:
                low, high = f1_intervals(answers[:, labels], seen.targets[:, labels], own)["micro_f1"]
                values = [found[key] for key in ("micro_f1", "macro_f1", "precision", "recall")]
                cells = ["-" if value is None else f"{value:.3f}" for value in values]
                rows.append(
                    [
                        f"— {name}" if name in parts else name,
                        f"{cells[0]} ({low:.3f} to {high:.3f})",
                        *cells[1:],
                        f"{found['support']:,}",
                    ]
                )
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write both sections."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.starter", description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", type=Path, default=BUNDLE, help="(default: %(default)s)")
    parser.add_argument("--data", required=True, help="folders of the catalogs, separated by commas")
    parser.add_argument("--sources", required=True, help="their public names, separated by semicolons")
    parser.add_argument("--together", default="", metavar="GROUPS", help="groups that shall have a row together")
    parser.add_argument("--recolored", metavar="GROUP", help="whether recolored products keep their label of this")
    parser.add_argument("--profile", default=MICRO_F1, help="(default: %(default)s)")
    parser.add_argument("--changed", type=int, default=200, help="photographs of each to change (default: %(default)s)")
    options = parser.parse_args(arguments)
    with one_line_errors():
        folders, names = options.data.split(","), [name.strip() for name in options.sources.split(";")]
        if len(folders) != len(names):
            raise SettingError("give as many names with --sources as folders with --data")
        predictor = Predictor.from_bundle(options.bundle)
        card = predictor.card
        catalogs = {
            name: open_split(folder, "val", card.taxonomy, card.input, card.taxonomy.groups, partly=True)
            for name, folder in zip(names, folders, strict=True)
        }
        together = [group for group in options.together.split(",") if group]
        command = f"    python -m benchmarks.starter --data FOLDER,... --sources '{options.sources}'"
        command += f" --together {options.together}" if together else ""
        command += f" --recolored {options.recolored}\n" if options.recolored else "\n"
        header = ["validation photographs of", "micro-F1, 95 % interval", "macro-F1", "precision", "recall", "labels"]
        about = f"Out of fold. Profile `{options.profile}`, {predictor.engine.name}. Machine: {describe()}. "
        about += f"Measured by\n\n{command}"
        rows = section(predictor, catalogs, options.profile, together)
        write_section("starter", f"{table(header, rows)}\n\n{about}", PAGE)
        shown = [photographs(images, options.changed) for images in catalogs.values()]
        changes = [changed_answers(predictor, images, options.profile) for images in shown]
        lines = [[change, *(f"{found[change]:.1%}" for found in changes)] for change in CHANGES]
        if options.recolored:
            stay = [stays_when_recolored(predictor, images, options.recolored) for images in shown]
            lines.append([f"recolored: the likeliest {options.recolored}", *(f"{part:.1%}" for part in stay)])
        write_section(
            "starter changes",
            f"{table(['answers that stay when the photograph is', *names], lines)}\n\n"
            f"Of the first {options.changed} validation photographs of each, by the same command.",
            PAGE,
        )
        print(f"wrote  {PAGE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
