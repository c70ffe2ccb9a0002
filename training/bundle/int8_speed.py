"""Speed of an int8 file on this machine: latency, and how many convolutions onnxruntime runs in integers."""

import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from fashion.errors import BundleError, one_line
from fashion.preprocess import InputSpec, normalize
from fashion.processor import has_int8_products

RUNS = 15  # per file, alternating
EXPECTED = 1.5  # expected speedup over fp32 on a processor with int8 products
INTEGER_CONVOLUTIONS = {"QLinearConv", "ConvInteger"}
FLOAT_CONVOLUTIONS = {"Conv", "FusedConv", "NhwcFusedConv"}  # in any of onnxruntime's domains


@dataclass(frozen=True)
class Int8Speed:
    """Speed at batch size 1 on one thread of this machine.

    Attributes:
        fp32_ms, int8_ms: median time per image.
        convolutions: number in the network.
        float_convolutions: how many of them onnxruntime runs in fp32 in spite of the quantization.
        int8_products: whether the processor multiplies 8-bit integers, see `fashion.processor`.
    """

    fp32_ms: float
    int8_ms: float
    convolutions: int
    float_convolutions: int
    int8_products: bool

    @property
    def gain(self) -> float:
        """Speedup of int8 over fp32."""
        return self.fp32_ms / self.int8_ms

    def describe(self) -> str:
        """The figures in one line."""
        return (
            f"{self.int8_ms:.1f} ms an image on one thread, fp32 {self.fp32_ms:.1f}: {self.gain:.2f} times as fast; "
            f"{self.float_convolutions} of {self.convolutions} convolutions stay in fp32"
        )

    def warning(self) -> str:
        """A one-line warning if int8 is too slow; else empty."""
        why = f"{self.float_convolutions} of {self.convolutions} convolutions stay in fp32"
        if self.int8_products and self.gain < EXPECTED:
            return f"int8 is {self.gain:.2f} times as fast as fp32, expected at least {EXPECTED} with VNNI; {why}"
        if self.gain < 1:
            return f"int8 is slower than fp32 on this processor, which has no VNNI; {why}; serve with --engine onnx"
        return ""


def measure(fp32: Path, int8: Path, spec: InputSpec, pixels: np.ndarray) -> Int8Speed:
    """Run one image through both files alternately.

    Args:
        fp32, int8: files written by `training.bundle.onnx_files`. They must hold trained weights: with equal biases
            (all zero before training) convolutions share one bias, and onnxruntime runs all but the first in fp32.
        spec: of their input.
        pixels: a photograph, uint8 (S, S, 3).

    Raises:
        BundleError: onnxruntime cannot load a file.
    """
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        optimized = Path(folder) / "optimized.onnx"
        sessions = []
        for path in (fp32, int8):
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 3  # errors only: it warns that an optimized graph fits only this machine
            options.optimized_model_filepath = str(optimized)  # int8, the last, overwrites that of fp32
            try:
                sessions.append(onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]))
            except Exception as error:  # onnxruntime's exceptions share no base class
                raise BundleError(f"{path} cannot be loaded by onnxruntime: {one_line(error)}") from None
        operations = [node.op_type for node in onnx.load(optimized, load_external_data=False).graph.node]
    image = {"image": normalize(pixels[None], spec)}
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(RUNS + 1):
        for session, seen in zip(sessions, times, strict=True):
            start = time.perf_counter()
            session.run(["logits"], image)
            seen.append(1000 * (time.perf_counter() - start))
    fp32_ms, int8_ms = (statistics.median(seen[1:]) for seen in times)  # the first one warms up
    integer = sum(operation in INTEGER_CONVOLUTIONS for operation in operations)
    floating = sum(operation in FLOAT_CONVOLUTIONS for operation in operations)
    return Int8Speed(fp32_ms, int8_ms, integer + floating, floating, has_int8_products())
