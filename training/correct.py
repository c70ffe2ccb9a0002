"""Fits share corrections (of label shares in catalogs, for a model's errors) and adds them to a bundle's card.

From the command line:  python -m training.correct BUNDLE --data FOLDER FOLDER

`training.export` does this too; use this command for older bundles or for other photographs. The weights and their id
do not change, so catalogs that the bundle scored stay valid: `catalog.score` copies the corrections there.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fashion.errors import SettingError, one_line_errors
from fashion.model_card import CARD_FILE, ModelCard
from fashion.predictor import Predictor
from training.data.catalogs import Paths
from training.data.images import open_split
from training.data.yaml_files import file_of_training
from training.profiles.predictions import add_label_flags, add_prediction_flags, predict
from training.profiles.share_corrections import correct_shares, describe_corrections
from training.sources.opening import DEFAULT_CACHE

PHOTOGRAPHS = 10_000  # at most this many are drawn from the split


def correct(
    bundle: Path,
    data: Paths,
    split: str = "val",
    *,
    names: Path | None = None,
    rules: Path | None = None,
    negatives: Sequence[Path] = (),
    cache: Path = DEFAULT_CACHE,
    engine: str = "auto",
) -> tuple[ModelCard, list[str]]:
    """Fit corrections on labeled photographs that the model was not trained on, and write them into the card.

    Groups that the photographs say too little of keep the corrections that they have.

    Args:
        bundle: its folder.
        data: the folder or folders of the photographs, see `training.data.images.open_split`.
        split: the split to use.
        names, rules: YAML files, see `training.data.names` and `training.data.rules`.
        negatives: folders of photographs that show no product.
        cache: folder for imported data.
        engine: runs the network; the corrections fit the outputs of this engine.

    Returns:
        The new card, and the groups that were fitted.

    Raises:
        BundleError, DataError: the bundle or the data cannot be used.
        SettingError: the photographs say too little of every group.
    """
    predictor = Predictor.from_bundle(bundle, engine)
    card = predictor.card
    images = open_split(
        data,
        split,
        card.taxonomy,
        card.input,
        card.taxonomy.groups,
        cache,
        names,
        partly=True,
        gates=card.gates,
        rules=rules,
        negatives=negatives if card.gates.product else (),
    ).sample(PHOTOGRAPHS)
    corrections = correct_shares(predict(predictor, images, f"predict {split}"), card)
    if not corrections:
        raise SettingError(f"{len(images):,} photographs of {split} are too few to correct any group; give more --data")
    card = replace(card, share_corrections=card.share_corrections | corrections)
    card.save(bundle)
    return card, list(corrections)


def main(arguments: Sequence[str] | None = None) -> int:
    """Add the corrections and print the corrected groups."""
    parser = argparse.ArgumentParser(
        prog="python -m training.correct",
        description="Add corrections of catalog shares for the model's errors to a bundle; groups that the photographs "
        "say too little of keep theirs.",
    )
    parser.add_argument("bundle", type=Path, help="folder written by python -m training.export")
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="labeled photographs: any folders that training can read"
    )
    parser.add_argument(
        "--split", default="val", choices=("val", "test"), help="split to learn from (default: %(default)s)"
    )
    add_label_flags(parser)
    add_prediction_flags(parser)
    options = parser.parse_args(arguments)
    with one_line_errors():
        before = ModelCard.load(options.bundle)
        card, fitted = correct(
            options.bundle,
            options.data,
            options.split,
            names=options.names or file_of_training(before, "names"),
            rules=options.rules or file_of_training(before, "rules"),
            negatives=options.negatives,
            cache=options.cache,
            engine=options.engine,
        )
        kept = [group for group in card.share_corrections if group not in fitted]
        print(f"fitted {', '.join(fitted)}{'; kept as before: ' if kept else ''}{', '.join(kept)}")
        print(describe_corrections(card))
        print(f"wrote  {options.bundle / CARD_FILE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
