"""The model card: every value needed to use a model, in one JSON file beside its weights."""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fashion.calibration import Calibrator
from fashion.calibration import check as check_calibration
from fashion.errors import BundleError, FashionError, SettingError
from fashion.files import write_json
from fashion.gates import NO_GATES, Gates
from fashion.preprocess import InputSpec
from fashion.share_correction import read_corrections
from fashion.taxonomy import Label, Taxonomy

CARD_FILE = "model_card.json"
SCHEMA = 6
# Schema 1 has neither `calibration` nor `top_k`, 2 no `mirrored`, 3 no rivals, 4 no gates, 5 no share corrections.
READABLE_SCHEMAS = (1, 2, 3, 4, 5, 6)

CHECKPOINT_FILE = "model.ckpt"
STATE_DICT_FILE = "model.pth"
ONNX_FILE = "model.onnx"
INT8_FILE = "model.int8.onnx"

TOP_K = "top-k"  # the only profile that uses counts instead of thresholds


@dataclass(frozen=True)
class ModelCard:
    """The model card of a bundle.

    Attributes:
        name, version: of the model, as included in answers.
        created: date and time of the export, ISO 8601, UTC.
        arch: architecture of the network, see `fashion.backbones.families`.
        input: size, normalization and resize rule of the input.
        labels: group and name of each of the first A outputs, in output order.
        thresholds: for each profile one threshold per label, compared with the calibrated `probabilities`; a label is
            answered if its probability is at least the threshold.
        default_profile: the profile used if a request names none.
        files: sha256 of each weights file, by file name, as hexadecimal digits.
        metrics: measured metrics and the data they were measured on.
        training: command, data and duration of the training.
        versions: of the packages that trained and exported the model.
        calibration: by group, `{"method": "temperature", "platt" or "rivals", "scale": a, "offset": b}`, for `rivals`
            also `"rivals": c`: the probability of its labels is sigmoid(a * logit + b - c * rivalry), see
            `fashion.calibration`. A missing group has a = 1 and b = c = 0.
        top_k: by group, the number of labels that the profile `top-k` answers: the most probable ones, whatever their
            probability. It has all groups or, if the model lacks that profile, none.
        mirrored: whether outputs are averaged with those of the mirror image, see `fashion.mirrored`. Thresholds,
            calibration and metrics then refer to the averages.
        gates: the outputs that follow those of the labels, see `fashion.gates`.
        gate_thresholds: `{"applies": {group: threshold}, "product": threshold}`. A group whose `applies` probability
            is below its threshold is not answered; below the product threshold, nothing is. The default is 0.5.
        share_corrections: by group, how the shares of its labels in a catalog are corrected for the model's errors,
            see `fashion.share_correction`. A missing group is not corrected.
        schema: version of this layout.
    """

    name: str
    version: str
    created: str
    arch: str
    input: InputSpec
    labels: tuple[Label, ...]
    thresholds: dict[str, list[float]]
    default_profile: str
    files: dict[str, str]
    metrics: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    calibration: dict[str, dict[str, Any]] = field(default_factory=dict)
    top_k: dict[str, int] = field(default_factory=dict)
    mirrored: bool = False
    gates: Gates = NO_GATES
    gate_thresholds: dict[str, Any] = field(default_factory=dict)
    share_corrections: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if self.default_profile not in self.profiles:
            raise BundleError(f"the default profile {self.default_profile!r} is not among {list(self.profiles)}")
        self._check_thresholds()
        check_calibration(self.calibration, self.taxonomy)
        self._check_top_k()
        Gates.from_json(self.gates.to_json(), self.taxonomy.groups)
        self.gates.check(self.gate_thresholds)
        read_corrections(self.share_corrections, self.taxonomy, CARD_FILE)

    def _check_thresholds(self) -> None:
        if TOP_K in self.thresholds:
            raise BundleError(f"profile {TOP_K!r} has no thresholds; its number of labels per group is in 'top_k'")
        for profile, values in self.thresholds.items():
            if len(values) != len(self.labels):
                raise BundleError(f"profile {profile!r} has {len(values)} thresholds for {len(self.labels)} labels")
            if not all(0 <= value <= 1 for value in values):
                raise BundleError(f"profile {profile!r} has a threshold that is not between 0 and 1")

    def _check_top_k(self) -> None:
        groups = ", ".join(self.taxonomy.groups)
        if self.top_k and set(self.top_k) != set(self.taxonomy.groups):
            raise BundleError(f"'top_k' names the groups {', '.join(self.top_k)}; the model has: {groups}")
        for group, k in self.top_k.items():
            most = len(self.taxonomy.indices(group))
            if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= most:
                raise BundleError(f"'top_k' of group {group!r} is {k!r}; expected a whole number from 1 to {most}")

    @property
    def profiles(self) -> tuple[str, ...]:
        """The names of all profiles."""
        return (*self.thresholds, TOP_K) if self.top_k else tuple(self.thresholds)

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """The labels as a taxonomy."""
        return Taxonomy(self.labels)

    @property
    def num_outputs(self) -> int:
        """A + K, the number of logits of the network: labels and gates."""
        return len(self.labels) + len(self.gates)

    @cached_property
    def weights_id(self) -> str:
        """One sha256 for the model, whichever file is in use: the hash of the sorted hashes of all its files."""
        digest = hashlib.sha256("\n".join(sorted(self.files.values())).encode())
        return f"sha256:{digest.hexdigest()}"

    def threshold_row(self, profile: str | None = None) -> np.ndarray:
        """The thresholds of a profile (default: `default_profile`) as float32 of shape (A,).

        A number from 0 to 1, as text, is a profile with that threshold for every label. The profile `top-k` has
        thresholds of 0; `fashion.answers` applies its counts.

        Raises:
            SettingError: an unknown profile.
        """
        profile = profile or self.default_profile
        if profile in self.thresholds:
            return np.asarray(self.thresholds[profile], dtype=np.float32)
        if profile in self.profiles:
            return np.zeros(len(self.labels), dtype=np.float32)
        try:
            threshold = float(profile)
        except ValueError:
            threshold = math.nan
        if not 0 <= threshold <= 1:  # nor is NaN
            raise SettingError(
                f"threshold profile {profile!r} is unknown; the model has: {', '.join(self.profiles)}, "
                "and takes a number from 0 to 1"
            )
        return np.full(len(self.labels), threshold, dtype=np.float32)

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Network outputs -> label probabilities, float32 (..., A), as used for answers and metrics.

        Each is the label's calibrated probability * P(its group applies) * P(product).

        Args:
            outputs: (..., A + K), the logits of labels and gates.

        Raises:
            ValueError: another number of outputs, such as only the labels' for a model with gates.
        """
        if outputs.shape[-1] != self.num_outputs:
            raise ValueError(
                f"{outputs.shape[-1]} outputs; expected {self.num_outputs}, of labels and gates. The probabilities of "
                "the labels alone are those of fashion.calibration.calibrated"
            )
        logits, gates = self.gates.split(outputs)
        return self.joint_probabilities(logits, self.gates.probabilities(gates))

    def joint_probabilities(self, logits: np.ndarray, gates: np.ndarray) -> np.ndarray:
        """`probabilities` from the labels' logits (..., A) and the gates' probabilities (..., K)."""
        probabilities = self._calibrator(logits)
        return probabilities * self.gates.factors(gates, self.taxonomy) if len(self.gates) else probabilities

    @cached_property
    def _calibrator(self) -> Calibrator:
        return Calibrator(self.taxonomy, self.calibration)

    @cached_property
    def gate_row(self) -> np.ndarray:
        """The thresholds of the gates, float32 (K,)."""
        return self.gates.threshold_row(self.gate_thresholds)

    def answerable(self, gates: np.ndarray) -> np.ndarray:
        """Mask of the labels that may be answered, from gate probabilities (..., K): bool (..., A).

        Raises:
            ValueError: another number of gates.
        """
        if gates.shape[-1] != len(self.gates):
            raise ValueError(f"probabilities of {gates.shape[-1]} gates; the model has {len(self.gates)}")
        return self.gates.answerable(gates, self.gate_row, self.taxonomy)

    def to_json(self) -> dict[str, Any]:
        """The content of `model_card.json`."""
        return asdict(self) | {"labels": self.taxonomy.to_json(), "gates": self.gates.to_json()}

    def save(self, folder: Path) -> Path:
        """Write `model_card.json` into `folder` atomically."""
        return write_json(Path(folder) / CARD_FILE, self.to_json())

    @classmethod
    def load(cls, folder: Path) -> "ModelCard":
        """Read and validate `folder/model_card.json`.

        Raises:
            BundleError: the file is missing or invalid, or has an unsupported schema.
        """
        path = Path(folder) / CARD_FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise BundleError(
                f"no {CARD_FILE} in {str(folder)!r}; a bundle is made by python -m training.export"
            ) from None
        except (OSError, ValueError) as error:
            raise BundleError(f"{path} cannot be read as JSON: {error}") from None
        if not isinstance(content, dict):
            raise BundleError(f"{path} is not a model card: it holds a {type(content).__name__}, not an object")
        if content.get("schema") not in READABLE_SCHEMAS:  # checked first: another schema may have other fields
            raise BundleError(
                f"{path} has schema {content.get('schema')}; this version of the project reads schemas "
                f"{READABLE_SCHEMAS[0]} to {READABLE_SCHEMAS[-1]}"
            )
        content["schema"] = SCHEMA  # fields that an older schema lacks get their defaults
        try:
            content["labels"] = Taxonomy.from_json(content["labels"]).labels
            content["gates"] = Gates.from_json(content.get("gates"), Taxonomy(content["labels"]).groups)
            spec = content["input"]
            content["input"] = InputSpec(**spec | {"mean": tuple(spec["mean"]), "std": tuple(spec["std"])})
            return cls(**content)
        except KeyError as error:
            raise BundleError(f"{path} is not a valid model card: {error} is missing") from None
        except (TypeError, AttributeError, FashionError) as error:
            raise BundleError(f"{path} is not a valid model card: {error}") from None


def sha256(path: Path) -> str:
    """The sha256 of a file as hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked_file(folder: Path, card: ModelCard, name: str) -> Path:
    """The path of a bundle's file, its sha256 verified against the card.

    Raises:
        BundleError: the file is missing, is not listed in the card, or has another sha256.
    """
    path = Path(folder) / name
    if path.is_file() and name not in card.files:
        raise BundleError(f"{path} is not in the model card, which lists: {', '.join(card.files)}; export again")
    if not path.is_file():
        raise BundleError(f"the bundle {str(folder)!r} has no {name}; it has: {', '.join(_present(folder, card))}")
    found, written = sha256(path), card.files[name]
    if found != written:
        raise BundleError(
            f"{path} was changed: its sha256 starts with {found[:12]}, the card says {written[:12]}; export again"
        )
    return path


def _present(folder: Path, card: ModelCard) -> list[str]:
    return [name for name in card.files if (Path(folder) / name).is_file()] or ["no weights"]
