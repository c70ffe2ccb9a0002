"""The options of a request, each declared once for every server, command and page."""

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from fashion.errors import SettingError
from fashion.model_card import TOP_K, ModelCard
from fashion.taxonomy import Label

DEFAULT_PROFILE = "default"
EXPLAIN = ("none", "maps", "overlay", "covered")
LEAST_CAUTION, MOST_CAUTION = 0.001, 1000.0
MAX_OVERLAYS = 32  # pictures in one answer; each is about ten kilobytes

_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")
_SHOWN = 12  # most choices listed in an error message; a taxonomy may have hundreds
_TEXTS = {"anyOf": [{"type": "array", "items": {"type": "string"}, "minItems": 1}, {"type": "string"}]}


class InvalidOption(SettingError):
    """An unknown option of a request, or an invalid value."""


def _text(name: str, value: Any) -> Any:
    """Decode bytes, as in forms, to text; leave any other value unchanged."""
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
    # Only short texts of digits: int() accepts underscores and spaces, and fails on 5,000 digits with a long message.
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
            raise InvalidOption(f"{name} {_quoted(value)} is not a JSON list") from None
    entries = [entry.strip() for entry in value.split(separator) if entry.strip()] if isinstance(value, str) else value
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, str) for entry in entries):
        raise InvalidOption(f"{name} {_quoted(value)} must be a list of names, or text with {separator!r} between them")
    return entries


def _quoted(value: Any) -> str:
    """The repr of a value for a message, truncated if long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _some(names: Any) -> str:
    names = list(names)
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


@dataclass(frozen=True)
class RequestOption:
    """Declaration of one option, used by the parser, headers, flags, OpenAPI and docs/api.md.

    A dataclass, not a pydantic model: only this would make the predictor's command import pydantic, which takes a third
    as long as importing onnxruntime.

    Attributes:
        read: (value, card) -> the field's value; raises InvalidOption.
        schema: JSON schema of its values.
        values: examples or choices for the documentation.
        meaning: a one-line description.
        metavar: placeholder for the flag's value; empty for a switch.
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
    """Options for the content of an answer. The default is all attributes above the default profile's thresholds.

    Each field is an option of requests, declared with its meaning. A `profile` of None means the card's default. The
    profile `top-k` has no thresholds: it answers the card's number of labels per group. `fashion.views` combines
    several photographs of one product.
    """

    profile: str | None = _option(
        None,
        _profile,
        {"anyOf": [{"type": "string"}, {"type": "number", "minimum": 0, "maximum": 1}]},
        "`default`, a profile of the model card (`micro-f1`, `macro-f1`, `precision`, `top-k`, `0.5`), or a number "
        "from 0 to 1",
        "the threshold profile; a number is a threshold for all labels; top-k answers the card's number of labels per "
        "group",
        "NAME",
    )
    caution: float = _option(
        1.0,
        _caution,
        {"type": "number", "minimum": LEAST_CAUTION, "maximum": MOST_CAUTION},
        "a number from 0.001 to 1000",
        "multiplies the odds of every threshold: 4 turns 0.5 into 0.8; above 1 gives fewer, surer attributes; "
        "not with top-k",
        "C",
    )
    top_k: int | None = _option(
        None,
        _top_k,
        {"type": "integer", "minimum": 1},
        "1, 2, ...",
        "the K most probable labels of each group, whatever their thresholds",
        "K",
    )
    groups: tuple[str, ...] | None = _option(
        None, _groups, _TEXTS, "`color,sleeve` or a JSON list", "only these groups", "A,B"
    )
    all: bool = _option(False, _flag("all"), {"type": "boolean"}, "`true`", "every label with its probability")
    embedding: bool = _option(
        False, _flag("embedding"), {"type": "boolean"}, "`true`", "adds the embedding, a list of numbers"
    )
    applies: bool = _option(
        False,
        _flag("applies"),
        {"type": "boolean"},
        "`true`",
        "adds the probability that each group applies, given a product",
    )
    explain: str = _option(
        "none",
        _explain,
        {"enum": list(EXPLAIN)},
        "`maps`, `overlay`, `covered`",
        "adds maps of the evidence: class activation maps, the same as overlays, or occlusion maps (better, slower)",
        "HOW",
    )
    labels: tuple[Label, ...] | None = _option(
        None,
        _labels,
        _TEXTS,
        "`color:Black;sleeve:Sleeveless` or a JSON list",
        "exactly these labels, whatever their thresholds",
        "A:B;C:D",
    )
    product: bool = _option(
        False,
        _flag("product"),
        {"type": "boolean"},
        "`true`",
        "the photographs show one product and get one answer",
    )

    @property
    def wants_maps(self) -> bool:
        """Whether each attribute is returned with a map of its evidence."""
        return self.explain != "none"

    @property
    def wants_features(self) -> bool:
        """Whether the answer requires the network's feature map."""
        return self.explain in ("maps", "overlay")

    @property
    def wants_overlays(self) -> bool:
        """Whether maps are also returned as overlays on the photograph."""
        return self.explain in ("overlay", "covered")


OPTIONS: Mapping[str, RequestOption] = {each.name: each.metadata["option"] for each in fields(AnswerOptions)}
NAMES = tuple(OPTIONS)


def add_flags(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    """Add options to a command as flags: top_k becomes `--top-k K`, a switch takes no value."""
    for name in names:
        option, flag = OPTIONS[name], f"--{name.replace('_', '-')}"
        if option.metavar:
            parser.add_argument(flag, metavar=option.metavar, help=option.meaning)
        else:
            parser.add_argument(flag, action="store_true", help=option.meaning)


def flag_values(given: argparse.Namespace, names: Sequence[str]) -> dict[str, str]:
    """The options given on a command line, as text for `parse_options` or a request; a switch is `true`."""
    values = {name: getattr(given, name) for name in names}
    return {name: "true" if value is True else value for name, value in values.items() if value not in (None, False)}


def cautious(thresholds: np.ndarray, caution: float) -> np.ndarray:
    """Multiply the odds t / (1 - t) of thresholds t by c: c * t / (1 - t + c * t).

    Thresholds stay between 0 and 1 and keep their order; 0 (always) and 1 (never) are unchanged.

    Args:
        thresholds: float32, of any shape.
        caution: c, above 0.
    """
    return thresholds if caution == 1 else caution * thresholds / (1 - thresholds + caution * thresholds)


def parse_options(values: Mapping[str, Any], card: ModelCard) -> AnswerOptions:
    """Parse options given by a command line, a form, headers or JSON.

    Args:
        values: option -> text or JSON value. Lists are JSON lists or text: groups separated by commas, labels as
            `group:name` separated by semicolons, because names may contain commas.
        card: its profiles, groups and labels are the valid choices.

    Raises:
        InvalidOption: an unknown option, an invalid value, or contradictory options; the message names the choices.
    """
    unknown = [name for name in values if name not in NAMES]
    if unknown:
        raise InvalidOption(f"option {_quoted(unknown[0])} is unknown; choose among: {', '.join(NAMES)}")
    parsed = {name: OPTIONS[name].read(_text(name, value), card) for name, value in values.items()}
    options = AnswerOptions(**parsed)
    chosen = [name for name in ("all", "top_k", "labels") if parsed.get(name)]
    if len(chosen) > 1:
        raise InvalidOption(f"{chosen[0]} and {chosen[1]} contradict each other; give one of them")
    if options.caution != 1 and (options.profile or card.default_profile) == TOP_K:
        raise InvalidOption(
            f"caution {options.caution:g} has no effect with the profile {TOP_K}, which has no thresholds; "
            "leave it out or choose another profile"
        )
    if options.applies and not card.gates.applies:
        raise InvalidOption("applies is not available: this model does not predict which groups apply; leave it out")
    if options.groups and options.labels:
        raise InvalidOption("groups and labels contradict each other; give one of them")
    return options
