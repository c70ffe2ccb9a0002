"""What an answer should hold: the options of a request, each declared once for every server, command and page."""

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from fashion.errors import SettingError
from fashion.model_card import ModelCard
from fashion.taxonomy import Label

DEFAULT_PROFILE = "default"
EXPLAIN = ("none", "maps", "overlay", "covered")
LEAST_CAUTION, MOST_CAUTION = 0.001, 1000.0
MAX_OVERLAYS = 32  # pictures in one answer; each is some ten kilobytes

_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")
_SHOWN = 12  # choices that an error message names; a taxonomy may have hundreds
_TEXTS = {"anyOf": [{"type": "array", "items": {"type": "string"}, "minItems": 1}, {"type": "string"}]}


class InvalidOption(SettingError):
    """An option of a request that is unknown, or a value that it cannot take."""


def _text(name: str, value: Any) -> Any:
    """Forms come as bytes; everything else is left as it is."""
    if not isinstance(value, bytes | bytearray):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidOption(f"{name} is not text in UTF-8") from None


def _profile(value: Any, card: ModelCard) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = repr(value)
    if not isinstance(value, str):
        raise InvalidOption(f"profile {_quoted(value)} is neither a name nor a number; {_profiles(card)}")
    value = value.strip()
    if value == DEFAULT_PROFILE:
        return None
    try:
        card.threshold_row(value)
    except SettingError:
        raise InvalidOption(f"profile {_quoted(value)} is unknown; {_profiles(card)}") from None
    return value


def _profiles(card: ModelCard) -> str:
    return f"choose among: {', '.join((DEFAULT_PROFILE, *card.profiles))}, or a number from 0 to 1"


def _caution(value: Any, card: ModelCard) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not LEAST_CAUTION <= number <= MOST_CAUTION:
        expected = f"a number from {LEAST_CAUTION:g} to {MOST_CAUTION:g}; 1 leaves the thresholds as they are"
        raise InvalidOption(f"caution {_quoted(value)} must be {expected}")
    return number


def _top_k(value: Any, card: ModelCard) -> int:
    most = len(card.labels)
    # Text of a few digits only: int() takes underscores and blanks, and refuses 5,000 digits with a lecture.
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value.strip()) < 10:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise InvalidOption(f"top_k {_quoted(value)} must be a whole number from 1 to {most}")
    return value


def _flag(name: str) -> Callable[[Any, ModelCard], bool]:
    def read(value: Any, card: ModelCard) -> bool:
        text = value.strip().lower() if isinstance(value, str) else json.dumps(value, default=str)
        if text not in _TRUE + _FALSE:
            raise InvalidOption(f"{name} {_quoted(value)} must be true or false")
        return text in _TRUE

    return read


def _explain(value: Any, card: ModelCard) -> str:
    text = value.strip().lower() if isinstance(value, str) else json.dumps(value, default=str)
    text = "maps" if text in _TRUE else "none" if text in _FALSE else text
    if text not in EXPLAIN:
        raise InvalidOption(f"explain {_quoted(value)} is unknown; choose among: {', '.join(EXPLAIN)}")
    return text


def _groups(value: Any, card: ModelCard) -> tuple[str, ...]:
    known = card.taxonomy.groups
    wanted = _list("groups", value, ",")
    for group in wanted:
        if group not in known:
            raise InvalidOption(f"group {_quoted(group)} is unknown; the model has: {_some(known)}")
    return tuple(group for group in known if group in wanted)


def _labels(value: Any, card: ModelCard) -> tuple[Label, ...]:
    known = {f"{label.group}:{label.name}": label for label in card.labels}
    wanted = _list("labels", value, ";")
    for text in wanted:
        if text not in known:
            group = text.partition(":")[0]
            near = [name for name, label in known.items() if label.group == group] or list(known)
            raise InvalidOption(f"label {_quoted(text)} is unknown; choose among: {_some(near)}")
    return tuple(label for text, label in known.items() if text in wanted)


def _list(name: str, value: Any, separator: str) -> list[str]:
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise InvalidOption(f"{name} {_quoted(value)} is no JSON list") from None
    entries = [entry.strip() for entry in value.split(separator) if entry.strip()] if isinstance(value, str) else value
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, str) for entry in entries):
        raise InvalidOption(f"{name} {_quoted(value)} must be a list of names, or text with {separator!r} between them")
    return entries


def _quoted(value: Any) -> str:
    """A value as a message shows it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _some(names: Any) -> str:
    names = list(names)
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


@dataclass(frozen=True)
class RequestOption:
    """All that parser, headers, flags, OpenAPI and docs/api.md say of one option. A dataclass and not a pydantic model:
    the predictor's command would load pydantic for nothing else, which takes a third as long as onnxruntime does.

    Attributes:
        read: (value, card) -> the field's value; raises InvalidOption.
        schema: of its values in JSON.
        values: examples or choices, as the documentation lists them.
        meaning: in a line.
        metavar: of the value of its flag; empty for a switch.
    """

    read: Callable[[Any, ModelCard], Any]
    schema: Mapping[str, Any]
    values: str
    meaning: str
    metavar: str = ""


def _option(default: Any, *declared: Any) -> Any:
    return field(default=default, metadata={"option": RequestOption(*declared)})


@dataclass(frozen=True)
class AnswerOptions:
    """What an answer should hold. The default is every attribute that reaches its threshold of the default profile.

    Each field is an option of requests; what it means is declared with it. Of `profile` None is the card's default, and
    the profile `top-k` has no thresholds: it answers as many of each group as the card says. How
    photographs of one product are joined says `fashion.views`.
    """

    profile: str | None = _option(
        None,
        _profile,
        {"anyOf": [{"type": "string"}, {"type": "number", "minimum": 0, "maximum": 1}]},
        "`default`, a profile of the model card (`micro-f1`, `macro-f1`, `precision`, `top-k`, `0.5`), or a number "
        "from 0 to 1",
        "the thresholds; a number is one for all labels, and top-k takes as many of each group as the card says",
        "NAME",
    )
    caution: float = _option(
        1.0,
        _caution,
        {"type": "number", "minimum": LEAST_CAUTION, "maximum": MOST_CAUTION},
        "a number from 0.001 to 1000",
        "the odds of every threshold are multiplied by it: 4 makes 0.8 of 0.5; above 1 fewer, surer attributes",
        "C",
    )
    top_k: int | None = _option(
        None,
        _top_k,
        {"type": "integer", "minimum": 1},
        "1, 2, ...",
        "the K most probable of each group, whatever their thresholds",
        "K",
    )
    groups: tuple[str, ...] | None = _option(
        None, _groups, _TEXTS, "`color,sleeve` or a JSON list", "only these groups", "A,B"
    )
    all: bool = _option(False, _flag("all"), {"type": "boolean"}, "`true`", "every label with its probability")
    embedding: bool = _option(
        False, _flag("embedding"), {"type": "boolean"}, "`true`", "the embedding as well, a list of numbers"
    )
    applies: bool = _option(
        False,
        _flag("applies"),
        {"type": "boolean"},
        "`true`",
        "the probability of each group that it applies, given a product, as well",
    )
    explain: str = _option(
        "none",
        _explain,
        {"enum": list(EXPLAIN)},
        "`maps`, `overlay`, `covered`",
        "where the evidence lies: class activation maps, the same laid over the photograph, or better and slower maps",
        "HOW",
    )
    labels: tuple[Label, ...] | None = _option(
        None,
        _labels,
        _TEXTS,
        "`color:Black;sleeve:Sleeveless` or a JSON list",
        "exactly these, whatever their thresholds",
        "A:B;C:D",
    )
    product: bool = _option(
        False,
        _flag("product"),
        {"type": "boolean"},
        "`true`",
        "the photographs are of one product: one answer",
    )

    @property
    def wants_maps(self) -> bool:
        """Whether each attribute is wanted with a map of its evidence."""
        return self.explain != "none"

    @property
    def wants_features(self) -> bool:
        """Whether the answer needs the network's feature map."""
        return self.explain in ("maps", "overlay")

    @property
    def wants_overlays(self) -> bool:
        """Whether maps are wanted over the photograph too."""
        return self.explain in ("overlay", "covered")


OPTIONS: Mapping[str, RequestOption] = {each.name: each.metadata["option"] for each in fields(AnswerOptions)}
NAMES = tuple(OPTIONS)


def add_flags(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Give a command the options as flags: top_k becomes `--top-k K`, a switch takes no value."""
    for name in names:
        option, flag = OPTIONS[name], f"--{name.replace('_', '-')}"
        if option.metavar:
            parser.add_argument(flag, metavar=option.metavar, help=option.meaning)
        else:
            parser.add_argument(flag, action="store_true", help=option.meaning)


def flag_values(given: argparse.Namespace, names: Sequence[str]) -> dict[str, str]:
    """The options that a command line gives, as text for `parse_options` or a request; a switch is `true`."""
    values = {name: getattr(given, name) for name in names}
    return {name: "true" if value is True else value for name, value in values.items() if value not in (None, False)}


def cautious(thresholds: np.ndarray, caution: float) -> np.ndarray:
    """Thresholds t with their odds t / (1 - t) multiplied: c * t / (1 - t + c * t).

    They stay between 0 and 1 and in their order; 0 and 1, which say never and always, stay as they are.

    Args:
        thresholds: float32, of any shape.
        caution: c, above 0.
    """
    return thresholds if caution == 1 else caution * thresholds / (1 - thresholds + caution * thresholds)


def parse_options(values: Mapping[str, Any], card: ModelCard) -> AnswerOptions:
    """Read options as a command line, a form, headers or JSON give them.

    Args:
        values: option -> text, or what JSON holds for it. Lists are JSON lists or text: groups separated by commas,
            labels as `group:name` separated by semicolons, because names hold commas.
        card: whose profiles, groups and labels can be asked for.

    Raises:
        InvalidOption: an unknown option, a value that it cannot take, or two that contradict each other; the message
            names the choices.
    """
    unknown = [name for name in values if name not in NAMES]
    if unknown:
        raise InvalidOption(f"option {_quoted(unknown[0])} is unknown; choose among: {', '.join(NAMES)}")
    parsed = {name: OPTIONS[name].read(_text(name, value), card) for name, value in values.items()}
    options = AnswerOptions(**parsed)
    chosen = [name for name in ("all", "top_k", "labels") if parsed.get(name)]
    if len(chosen) > 1:
        raise InvalidOption(f"{chosen[0]} and {chosen[1]} contradict each other; give one of them")
    if options.applies and not card.gates.applies:
        raise InvalidOption("applies cannot be asked of this model: it does not say which groups apply; leave it out")
    if options.groups and options.labels:
        raise InvalidOption("groups and labels contradict each other; give one of them")
    return options
