"""Inference engines: onnxruntime and torch behind one interface."""

import importlib.util
import os
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from fashion.errors import BundleError, SettingError, one_line
from fashion.model_card import INT8_FILE, ONNX_FILE, STATE_DICT_FILE, ModelCard, checked_file
from fashion.onnx_head import read_head
from fashion.preprocess import InputSpec, normalize

if TYPE_CHECKING:  # importing torch takes seconds and 300 MB; a server that runs ONNX never needs it
    import onnxruntime
    import torch

    from fashion.backbones.contract import Backbone

CGROUP_LIMIT = Path("/sys/fs/cgroup/cpu.max")  # CPU quota per period, and the period, in microseconds

ENGINES = ("auto", "int8", "onnx", "torch")


class Outputs(NamedTuple):
    """An engine's output for a batch of B images; see `fashion.backbones.contract.Output` for the meaning.

    Attributes:
        logits: float32 (B, A + K), of labels and gates.
        embedding: float32 (B, E).
        features: float32 (B, E, h, w), or None if not requested.
    """

    logits: np.ndarray
    embedding: np.ndarray
    features: np.ndarray | None = None


class Engine(Protocol):
    """Interface of an engine: pixels in, outputs out.

    Attributes:
        name: description for logs and reports.
        in_batches: whether one batched run is faster than concurrent runs of single images.
        lanes: how many runs may be concurrent, each on its share of the cores.
    """

    name: str
    in_batches: bool
    lanes: int

    def run(self, pixels: np.ndarray, features: bool = False, concurrency: int = 1) -> Outputs:
        """Run the network.

        Args:
            pixels: uint8 of shape (B, S, S, 3) from `fashion.preprocess.load_pixels`, stacked.
            features: whether to return the feature map too.
            concurrency: number of concurrent runs that share the cores, this one included.
        """
        ...

    @property
    def head(self) -> np.ndarray:
        """The weights of the last layer, float32 (A + K, E): logits = embedding @ head.T + bias."""
        ...


class OnnxEngine:
    """The exported network on onnxruntime, fp32 or int8, on the CPU.

    Args:
        path: a `.onnx` file with input `image` and outputs `logits`, `embedding`, `features`.
        spec: size and normalization of the input.
        threads: threads of one inference; default is the number of cores this process may use.

    Attributes:
        num_outputs: number of logits.
        output_shapes: output name -> its shape for one image; -1 for a dynamic length.

    Raises:
        BundleError: onnxruntime cannot load the file, or its input and outputs are not the expected ones.
    """

    in_batches = False

    def __init__(self, path: Path, spec: InputSpec, threads: int | None = None) -> None:
        import onnxruntime

        self._path = path
        self._sessions: dict[int, onnxruntime.InferenceSession] = {}
        self._lock = threading.Lock()
        self.lanes = threads or available_cores()
        session = self._session(self.lanes)
        shapes = {port.name: port.shape for port in session.get_inputs() + session.get_outputs()}
        if not shapes.keys() >= {"image", "logits", "embedding", "features"}:
            raise BundleError(
                f"{path} has {', '.join(shapes)}; expected image, logits, embedding, features: export again"
            )
        if shapes["image"][1:] != [3, spec.size, spec.size]:
            raise BundleError(
                f"{path} takes images of {shapes['image'][1:]}, the model card says {spec.size} px: export again"
            )
        self.num_outputs: int = shapes["logits"][1]
        lengths = {port.name: port.shape[1:] for port in session.get_outputs()}
        self.output_shapes = {name: [n if isinstance(n, int) else -1 for n in shape] for name, shape in lengths.items()}
        self._spec = spec
        self.name = f"onnxruntime {Path(path).name}"

    def run(self, pixels: np.ndarray, features: bool = False, concurrency: int = 1) -> Outputs:
        """See `Engine.run`."""
        names = ["logits", "embedding", "features"] if features else ["logits", "embedding"]
        session = self._session(max(1, self.lanes // concurrency))
        return Outputs(*session.run(names, {"image": normalize(pixels, self._spec)}))

    @cached_property
    def head(self) -> np.ndarray:
        """See `Engine.head`."""
        return read_head(self._path)

    def _session(self, threads: int) -> "onnxruntime.InferenceSession":
        """A cached session with that many threads, rounded down to a power of two if the cores are shared.

        A session's number of threads is fixed, so each number needs its own session, with its own copy of the weights.
        """
        import onnxruntime

        if threads < self.lanes:
            threads = 1 << (threads.bit_length() - 1)
        with self._lock:
            if threads not in self._sessions:
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = threads
                options.inter_op_num_threads = 1
                # Else a session's threads spin for a while after a run, on cores that the next requests need.
                options.add_session_config_entry("session.force_spinning_stop", "1")
                options.log_severity_level = 3  # errors only; the warnings are about unfused nodes
                try:
                    session = onnxruntime.InferenceSession(self._path, options, providers=["CPUExecutionProvider"])
                except Exception as error:  # onnxruntime's exceptions share no base class
                    raise BundleError(f"{self._path} cannot be loaded by onnxruntime: {one_line(error)}") from None
                self._sessions[threads] = session
            return self._sessions[threads]


class TorchEngine:
    """The network itself on torch, on the CPU or a GPU, in channels_last.

    Args:
        network: a `Backbone`; it is set to evaluation mode and moved to the device.
        spec: size and normalization of the input.
        device: such as "cpu" or "cuda:0".
        dtype: autocast type; default is bfloat16 on a GPU and none (float32) on the CPU.
    """

    in_batches = True
    lanes = 1  # torch parallelizes by itself, on its threads or the GPU

    def __init__(
        self,
        network: "Backbone",
        spec: InputSpec,
        device: str = "cpu",
        dtype: "torch.dtype | None" = None,
    ) -> None:
        import torch

        from fashion.backbones.normalize import Normalize

        self._device = torch.device(device)
        self._dtype = dtype or (torch.bfloat16 if self._device.type == "cuda" else None)
        self._network = network.eval().to(self._device).to(memory_format=torch.channels_last)
        self._normalize = Normalize(spec).to(self._device)
        self.name = f"torch {self._device} {str(self._dtype or torch.float32).removeprefix('torch.')}"

    @cached_property
    def head(self) -> np.ndarray:
        """See `Engine.head`."""
        return self._network.get_head().weight.detach().float().cpu().numpy()

    def run(self, pixels: np.ndarray, features: bool = False, concurrency: int = 1) -> Outputs:
        """See `Engine.run`."""
        import torch

        pixels = np.require(pixels, requirements=["C", "W"])  # torch accepts no read-only or reversed arrays
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, dtype=self._dtype, enabled=self._dtype is not None),
        ):
            images = self._normalize(torch.from_numpy(pixels).to(self._device, non_blocking=True))
            output = self._network(images)
        wanted = output if features else output[:2]
        return Outputs(*(tensor.float().cpu().numpy() for tensor in wanted))


def open_engine(
    folder: Path, card: ModelCard, engine: str = "auto", threads: int | None = None, device: str | None = None
) -> Engine:
    """Open the engine for a bundle; its weights file is checked against the card's sha256.

    Args:
        folder: the bundle.
        card: its model card.
        engine: `int8` and `onnx` run the exported files on onnxruntime, `torch` runs `model.pth`; `auto` takes torch
            if it is installed and there is a GPU, else int8, else whichever file the bundle has.
        threads: threads of one inference on the CPU, at least 1; default is the number of cores this process may use.
        device: for torch; default is the first GPU, or the CPU if there is none.

    Raises:
        BundleError: a file is missing, modified or unreadable, or its number of outputs differs from the card's.
        SettingError: an unknown engine or device, fewer than 1 thread, or torch is not installed.
    """
    if threads is not None and threads < 1:
        raise SettingError(f"the number of threads is {threads}; it must be at least 1")
    if engine not in ENGINES:
        raise SettingError(f"engine {engine!r} is unknown; choose one of: {', '.join(ENGINES)}")
    if engine == "auto":
        engine = _best_engine(folder, card, device)
    if engine == "torch":
        return _torch_engine(folder, card, threads, device)
    path = checked_file(folder, card, INT8_FILE if engine == "int8" else ONNX_FILE)
    opened = OnnxEngine(path, card.input, threads)
    _check_outputs(path, opened.num_outputs, card)
    return opened


def available_cores() -> int:
    """The number of cores this process may use: its CPU affinity, limited by its container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = CGROUP_LIMIT.read_text().split()
        return max(1, min(cores, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max": no limit
        return cores


def _check_outputs(path: Path, outputs: int, card: ModelCard) -> None:
    if outputs != card.num_outputs:
        gates = f" and {len(card.gates)} gates" if len(card.gates) else ""
        raise BundleError(
            f"{path} has {outputs} outputs, but its model card has {len(card.labels)} labels{gates}; export again"
        )


def _best_engine(folder: Path, card: ModelCard, device: str | None) -> str:
    files = (INT8_FILE, ONNX_FILE, STATE_DICT_FILE)
    has = {name: name in card.files and (Path(folder) / name).is_file() for name in files}
    if has[STATE_DICT_FILE] and (_gpu_is_there() if device is None else device != "cpu"):
        return "torch"
    if has[INT8_FILE]:
        return "int8"
    return "onnx" if has[ONNX_FILE] else "torch"


def _gpu_is_there() -> bool:
    # Looking for the driver's device file is a thousand times faster than importing torch, which may not be installed.
    if not Path("/dev/nvidiactl").exists() or importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def _torch_engine(folder: Path, card: ModelCard, threads: int | None, device: str | None) -> TorchEngine:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise SettingError(
            f"the engine torch needs the extra torchserve or train, which is not installed ({one_line(error)}): "
            "pip install '.[torchserve]' in the project's folder, or take the engine int8 or onnx"
        ) from None

    from fashion.backbones.families import build

    path = checked_file(folder, card, STATE_DICT_FILE)
    network = build(card.arch, card.num_outputs)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        _check_outputs(path, len(state[network.head_weights[1]]), card)
        network.load_state_dict(state)
    except BundleError:
        raise
    except Exception as error:  # a damaged file fails in pickle, zipfile or torch, with various exceptions
        raise BundleError(f"{path} does not fit the model card: {one_line(error)[:300]}") from None
    if threads:
        torch.set_num_threads(threads)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # AssertionError: torch was built without CUDA
        raise SettingError(f"device {device!r} cannot be used: {one_line(error)[:200]}; choose 'cpu'") from None
    return TorchEngine(network, card.input, device)
