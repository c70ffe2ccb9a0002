"""What this machine's processor can do, as Linux tells it."""

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# Instructions that multiply 8-bit integers and add the products in 32 bits: AVX-VNNI, AVX-512 VNNI, AMX, Arm's dot
# product. Without them int8 is hardly faster than fp32, and products of 8-bit weights are added in 16 bits.
INT8_PRODUCTS = {"avx_vnni", "avx512_vnni", "amx_int8", "asimddp"}


def has_int8_products() -> bool:
    """Whether the processor has one of `INT8_PRODUCTS`; False where it is not known."""
    return bool(flags() & INT8_PRODUCTS)


def flags() -> set[str]:
    """The names of its instruction sets, such as `avx2`; none where it is not known."""
    return set(cpuinfo("flags", "Features").split())


def cpuinfo(*names: str) -> str:
    """The first processor's value of the first of these fields of /proc/cpuinfo, or nothing."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in pairs if name.strip() in names), "")
