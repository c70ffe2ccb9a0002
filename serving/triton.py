"""Write a bundle as a model in a Triton model repository: the ONNX file and a config.pbtxt.

Triton runs only the network. Clients must preprocess images as `fashion.preprocess` does and convert logits to answers
with the model card, which is copied next to the config; docs/deployment.md shows how.
The layout is that of https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_repository.md
"""

import shutil
from pathlib import Path

from fashion.engines import OnnxEngine
from fashion.errors import SettingError
from fashion.folders import atomic_folder, check_replaceable
from fashion.model_card import CARD_FILE, INT8_FILE, ONNX_FILE, ModelCard, checked_file
from serving.batcher import BATCH_SIZE, QUEUE_SIZE

CONFIG_FILE, MODEL_FILE, LABELS_FILE = "config.pbtxt", "model.onnx", "labels.txt"
VERSION = "1"  # Triton accepts only numbers; the model's own version is in the card
DELAY = 1000  # microseconds that a batch waits for more requests, as in model-config.yaml


def write_repository(bundle: Path, repository: Path, name: str = "fashion", engine: str = "auto") -> Path:
    """Write the model `name` into a repository atomically; other models in it are unchanged.

    Args:
        bundle: the folder written by `python -m training.export`.
        repository: the folder for `tritonserver --model-repository`.
        name: of the model in Triton.
        engine: the engine whose file to use, `int8` or `onnx`; `auto` uses int8 if there is one.

    Returns:
        The model's folder.

    Raises:
        BundleError: the bundle is missing, incomplete or modified.
        SettingError: an engine that Triton does not run, or a folder with other contents.
    """
    bundle, out = Path(bundle), Path(repository) / name
    card = ModelCard.load(bundle)
    files = {"int8": INT8_FILE, "onnx": ONNX_FILE}
    if engine == "auto":
        engine = "int8" if (bundle / INT8_FILE).is_file() else "onnx"
    if engine not in files:
        raise SettingError(f"engine {engine!r} has no file for Triton; choose one of: auto, {', '.join(files)}")
    weights = checked_file(bundle, card, files[engine])
    check_replaceable(out, lambda folder: (folder / CONFIG_FILE).is_file(), "model of Triton", "--out", SettingError)
    with atomic_folder(out) as folder:
        (folder / VERSION).mkdir()
        shutil.copyfile(weights, folder / VERSION / MODEL_FILE)
        shutil.copyfile(bundle / CARD_FILE, folder / CARD_FILE)
        (folder / CONFIG_FILE).write_text(config_text(name, card, OnnxEngine(weights, card.input)), encoding="utf-8")
        labels = [f"{label.group}:{label.name}" for label in card.labels]
        labels += [f"applies:{group}" for group in card.gates.applies] + ["product"] * card.gates.product
        (folder / LABELS_FILE).write_text("\n".join(labels) + "\n", encoding="utf-8")
    return out


def config_text(name: str, card: ModelCard, engine: OnnxEngine) -> str:
    """The model's config.pbtxt, a ModelConfig of Triton's model_config.proto as protobuf text."""
    outputs = "\n".join(
        _tensor("output", port, shape, label_file=port == "logits") for port, shape in engine.output_shapes.items()
    )
    size = card.input.size
    return f"""# {card.name} {card.version}, {card.weights_id}
# Written by python -m serving.archive --format triton. What clients send is normalized as model_card.json says.
name: "{name}"
backend: "onnxruntime"
max_batch_size: {BATCH_SIZE}
{_tensor("input", "image", [3, size, size])}
{outputs}
instance_group {{ count: 1 kind: KIND_CPU }}
dynamic_batching {{
  max_queue_delay_microseconds: {DELAY}
  default_queue_policy {{ max_queue_size: {QUEUE_SIZE} }}
}}
"""


def _tensor(side: str, name: str, shape: list[int], label_file: bool = False) -> str:
    labels = f' label_filename: "{LABELS_FILE}"' if label_file else ""
    return f'{side} {{ name: "{name}" data_type: TYPE_FP32 dims: {shape}{labels} }}'
