"""Search an index by photograph, product, text, color or filter.

From the command line:

    python -m catalog.search INDEX --image photo.jpg --bundle BUNDLE
    python -m catalog.search INDEX --text 'red dress with long sleeves, no print, under 50'
    python -m catalog.search INDEX --id 1042 --where 'color=Black and price<50'
    python -m catalog.search INDEX --color '#7a1f2b' --where 'article=Tops'
    python -m catalog.search INDEX --id 1042 --space attributes --weight neckline=2 --weight color=0
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from catalog import open_index
from catalog.coloring.color_search import DISTANCE, ColorSearch, index_colors
from catalog.engines.location import add_index, index_place, parse_index
from catalog.similar.matches import Product
from catalog.similar.matching import Index
from catalog.similar.output import add_output, add_search, print_matches, search_options
from catalog.similar.spaces import DEFAULT_SPACE, SHARE
from catalog.words.searching import search_words
from fashion.errors import SettingError, one_line_errors
from fashion.model_card import ModelCard


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the products that were found; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m catalog.search",
        description="Find the products that are most like a photograph, a product or a text.",
    )
    add_index(parser)
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("--image", type=Path, metavar="PHOTO", help="a photograph; needs --bundle")
    asked.add_argument("--id", help="a product of the index")
    asked.add_argument("--text", metavar="WORDS", help="such as 'red dress with long sleeves, no print, under 50'")
    parser.add_argument("--bundle", type=Path, help="the bundle that the catalog was scored with")
    parser.add_argument("--color", metavar="HEX", help="such as '#7a1f2b'; needs a run of python -m catalog.colors")
    parser.add_argument(
        "--color-distance",
        type=float,
        default=DISTANCE,
        help="maximum color difference, CIEDE2000 (default: %(default)s)",
    )
    add_search(parser)
    add_output(parser)
    options = parse_index(parser, arguments)
    with one_line_errors():
        if options.image and not options.bundle:
            raise SettingError("--image needs --bundle, the bundle that the catalog was scored with")
        if (
            not options.image
            and options.id is None
            and options.text is None
            and (options.where or options.color) is None
        ):
            raise SettingError("no query; give --image, --id, --text, --color or --where")
        _check_flags(options)
        with open_index(index_place(options)) as index:
            if options.color is not None:
                near = ColorSearch(index_colors(index), options.color, options.color_distance)
                where = index.condition(options.where)
                if options.text is None and not options.image and options.id is None:
                    found = near.matches(index, where, options.limit, options.duplicates)
                    print_matches(found, options, index.columns.source)
                    return 0
                options.where = near.condition(index.manifest, where)
            if options.text is not None:
                answer = search_words(
                    index, options.text, options.where, options.limit, options.exact, options.duplicates
                )
                for note in answer.notes:
                    print(f"note   {note}", file=sys.stderr)
                print_matches(answer.matches, options, index.columns.source)
                return 0
            query = _query(index, options)
            found = index.search(query, **search_options(options))
            print_matches(found, options, index.columns.source, *([query] if query else []))
    return 0


def _check_flags(options: argparse.Namespace) -> None:
    """Raise SettingError for a flag that would have no effect on this search."""
    if options.color is None and options.color_distance != DISTANCE:
        raise SettingError("--color-distance needs --color")
    if options.bundle and not options.image:
        raise SettingError("--bundle needs --image")
    if options.exact and not options.image and options.id is None and options.text is None:
        raise SettingError(
            "--exact needs --image, --id or --text: a filter or a color alone always compares every product"
        )
    if options.image or options.id is not None:
        return
    defaults: dict[str, object] = {"space": DEFAULT_SPACE, "weight": [], "share": SHARE, "diverse": 0.0}
    for name, default in defaults.items():
        if getattr(options, name) != default:
            raise SettingError(f"--{name} needs --image or --id: it says how products are compared with one product")


def _query(index: Index, options: argparse.Namespace) -> Product | None:
    if options.image:
        from fashion.answers import identity
        from fashion.predictor import Predictor

        index.check_model(identity(ModelCard.load(options.bundle)))  # before loading the model
        return index.photograph(options.image, Predictor.from_bundle(options.bundle))
    return None if options.id is None else index.product(options.id)


if __name__ == "__main__":
    raise SystemExit(main())
