"""A one-line description of the machine that figures are measured on."""

import os
import platform
from importlib.metadata import version

from fashion.engines import available_cores
from fashion.processor import cpu_flags, cpuinfo, has_int8_products

# Instructions for int8 and bf16: a processor with them runs the int8 file several times as fast as one without.
INSTRUCTIONS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "AVX-VNNI",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_int8": "AMX int8",
    "amx_bf16": "AMX bf16",
    "asimddp": "dot product",
    "i8mm": "int8 matrix product",
}


def describe() -> str:
    """Processor, cores, memory, GPU and relevant versions, in one line."""
    import torch

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
    return (
        f"{_processor()} ({instructions()}), {available_cores()} cores, {memory:.0f} GiB, {gpu}; "
        f"Python {platform.python_version()}, torch {torch.__version__}, onnxruntime {version('onnxruntime')}"
    )


def instructions() -> str:
    """The processor's instructions that decide how fast int8 is, such as `AVX2, no VNNI and no AMX`."""
    names = [name for flag, name in INSTRUCTIONS.items() if flag in cpu_flags()]
    if not has_int8_products():
        return ", ".join([*names, "no VNNI and no AMX"])
    return ", ".join(names)


def _processor() -> str:
    return cpuinfo("model name") or platform.processor() or platform.machine()
