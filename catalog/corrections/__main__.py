"""Work with corrections of a scored catalog: list them, queue products for review, export training data, refit.

From the command line:

    python -m catalog.corrections SCORED                                          list the corrections
    python -m catalog.corrections SCORED --queue uncertain --group colour --top 20
    python -m catalog.corrections SCORED --queue batches --label pattern=Striped
    python -m catalog.corrections SCORED --out FOLDER                             write a training folder
    python -m catalog.corrections SCORED --refit --bundle BUNDLE [--apply]
    python -m catalog.corrections SCORED --undo [NUMBER]                          undo an entry, or the refit
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from catalog.corrections.label_batches import label_batches
from catalog.corrections.listing import entries_json, entries_text
from catalog.corrections.queues import BATCHES, CONTRADICTIONS, KINDS, TOP, UNCERTAIN, queue, wanted_groups
from catalog.corrections.refitting import apply, propose, undo_refit
from catalog.corrections.source_labels import SourceLabels
from catalog.corrections.training_folder import write_training_folder
from catalog.scored.correction_store import CorrectionStore
from catalog.scored.table import Scored
from fashion.errors import DataError, SettingError, one_line_errors
from fashion.model_card import ModelCard
from fashion.taxonomy import Label
from fashion.text_tables import text_table

REFIT = "refit"
NOTHING = "nothing to review"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the requested action; returns the exit status."""
    options = _parser().parse_args(arguments)
    with one_line_errors():
        _check(options)
        scored = Scored.open(options.catalog)
        if options.queue:
            _show_queue(scored, options)
        elif options.out:
            print(write_training_folder(scored, options.out, options.photographs))
        elif options.undo:
            _undo(scored, options)
        elif options.refit:
            _refit(scored, options)
        else:
            entries = CorrectionStore(scored.folder).entries()
            if options.json:
                for entry in entries_json(entries):
                    print(json.dumps(entry, ensure_ascii=False))
            else:
                print(entries_text(scored, entries))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m catalog.corrections",
        description="List or export the corrections of a scored catalog, refit on them, or queue products for review.",
    )
    parser.add_argument("catalog", type=Path, help="folder of the scored catalog")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--queue", choices=(*KINDS, BATCHES), help="print what to review first, and why")
    what.add_argument("--out", type=Path, metavar="FOLDER", help="write the corrected products as a training folder")
    what.add_argument("--refit", action="store_true", help="refit calibration and thresholds, and print what changes")
    parser.add_argument(
        "--undo", nargs="?", const=REFIT, metavar="NUMBER", help="undo an entry; without a number, the refit"
    )
    parser.add_argument(
        "--group", action="append", default=[], help="attribute group of a queue; may be repeated (default: all)"
    )
    parser.add_argument("--label", metavar="GROUP=LABEL", help="only this label of a queue")
    parser.add_argument("--where", metavar="FILTER", help="only these products of a queue, such as 'article=Dresses'")
    parser.add_argument("--top", type=int, default=TOP, help="length of a queue (default: %(default)s)")
    parser.add_argument(
        "--photographs", type=Path, metavar="FOLDER", help="with --out, folder of the photographs, if they were moved"
    )
    parser.add_argument("--bundle", type=Path, help="with --refit, the model that scored the catalog")
    parser.add_argument("--apply", action="store_true", help="with --refit, apply it to this catalog")
    parser.add_argument("--who", help="who applies or undoes it (default: the login name)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


def _check(options: argparse.Namespace) -> None:
    if options.refit and not options.undo and not options.bundle:
        raise SettingError("--refit needs --bundle, the bundle that the catalog was scored with")
    if options.apply and (options.undo or not options.refit):
        raise SettingError("--apply needs --refit and cannot be combined with --undo")
    if options.undo and (options.queue or options.out):
        raise SettingError("--undo cannot be combined with --queue or --out")
    if options.photographs and not options.out:
        raise SettingError("--photographs needs --out")
    if options.who is not None and not (options.undo or options.apply):
        raise SettingError("--who needs --apply or --undo; corrections are made on the page or from Python")
    if options.bundle and not options.refit:
        raise SettingError("--bundle needs --refit")
    queued: dict[str, object] = {"group": [], "label": None, "where": None, "top": TOP}
    for name, default in queued.items():
        if not options.queue and getattr(options, name) != default:
            raise SettingError(f"--{name} needs --queue")
    if options.json and (options.out or options.undo):
        raise SettingError("--json cannot be combined with --out or --undo")


def _show_queue(scored: Scored, options: argparse.Namespace) -> None:
    label = _label(options.label)
    if options.queue == BATCHES:
        batches = label_batches(scored, options.group, label, options.where, options.top)
        for batch in batches:
            shown = {**vars(batch), "label": batch.label._asdict(), "reason": batch.reason}
            text = f"{batch.reason}\n    {', '.join(batch.products)}"
            print(json.dumps(shown, ensure_ascii=False) if options.json else text)
        if not batches and not options.json:
            print(NOTHING)
        return
    found = queue(scored, options.queue or UNCERTAIN, options.group, label, options.where, options.top)
    if options.queue == CONTRADICTIONS:
        columns = SourceLabels.from_groups(
            scored, wanted_groups(scored.manifest.taxonomy, options.group, label)
        ).columns
        named = ", ".join(f"{group} with the column {column!r}" for group, column in columns.items())
        print(f"note   compared: {named}", file=sys.stderr)
    if options.json:
        for item in found:
            print(json.dumps(item._asdict(), ensure_ascii=False))
    elif found:
        print(text_table([], [[item.product, f"{item.reward:7.3f}", item.reason] for item in found]))
    else:
        print(NOTHING)


def _label(text: str | None) -> Label | None:
    if text is None:
        return None
    group, equals, name = text.partition("=")
    if not equals:
        raise SettingError(f"--label {text!r} is not GROUP=LABEL, such as pattern=Striped")
    return Label(group.strip(), name.strip())


def _refit(scored: Scored, options: argparse.Namespace) -> None:
    proposal = propose(scored, ModelCard.load(options.bundle))
    print(json.dumps(proposal.to_json(), ensure_ascii=False) if options.json else proposal)
    if options.apply:
        entry = apply(scored, proposal, options.who)
        print(f"applied, as entry {entry.number}; --undo reverts it", file=sys.stderr if options.json else None)
    elif not options.json:
        print("nothing was changed; --apply applies it to this catalog")


def _undo(scored: Scored, options: argparse.Namespace) -> None:
    if options.undo == REFIT:
        print(f"undone, by entry {undo_refit(scored, options.who).number}")
        return
    if not options.undo.isdigit():
        raise SettingError(f"--undo takes the number of an entry, not {options.undo!r}")
    store, number = CorrectionStore(scored.folder), int(options.undo)
    entry = next((entry for entry in store.entries() if entry.number == number), None)
    if entry is None:
        raise DataError(f"{store.path} has no entry {number}; python -m catalog.corrections lists them")
    undone = store.undo([number], store.states([entry.product]), options.who)[0]
    print(f"undone, by entry {undone.number}")


if __name__ == "__main__":
    raise SystemExit(main())
