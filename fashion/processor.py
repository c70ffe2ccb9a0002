"""The processor's instruction sets, read from Linux's /proc/cpuinfo."""

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# Instructions for int8 dot products with 32-bit accumulation: AVX-VNNI, AVX-512 VNNI, AMX, Arm's dot product. Without
# them int8 is hardly faster than fp32, and products of 8-bit weights are accumulated in 16 bits.
INT8_PRODUCTS = {"avx_vnni", "avx512_vnni", "amx_int8", "asimddp"}


def has_int8_products() -> bool:
    """Whether the processor has one of `INT8_PRODUCTS`; False if unknown."""
    return bool(cpu_flags() & INT8_PRODUCTS)


def cpu_flags() -> set[str]:
    """The names of the processor's instruction sets, such as `avx2`; empty if unknown."""
    return set(cpuinfo("flags", "Features").split())


def cpuinfo(*names: str) -> str:
    """The first value in /proc/cpuinfo of a field with one of these names, or an empty string."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in pairs if name.strip() in names), "")
