"""Malformed and malicious requests: a name, the bytes sent, and the statuses that must come back."""

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from image_files import bilevel_png, encoded
from image_files import photo as picture
from photos import photo

BOUNDARY = "limit"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
REFUSED = frozenset({400})


class Hostile(NamedTuple):
    """A body, its headers, and the acceptable statuses."""

    body: Callable[[], bytes]
    headers: Mapping[str, str] = MappingProxyType({})
    statuses: frozenset[int] = REFUSED


def form(*parts: tuple[str, bytes], end: bytes = b"--") -> bytes:
    """A multipart body whose parts have these headers and contents."""
    head = f"--{BOUNDARY}\r\n".encode()
    whole = b"".join(head + f"{headers}\r\n\r\n".encode() + content + b"\r\n" for headers, content in parts)
    return whole + f"--{BOUNDARY}".encode() + end + b"\r\n"


def part(name: str, content: bytes, more: str = "") -> tuple[str, bytes]:
    return f'Content-Disposition: form-data; name="{name}"; filename="x.jpg"{more}', content


def zip_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(50_000_000))
    return file.getvalue()


def text_bomb_png() -> bytes:
    """A PNG whose compressed comment expands to 60 MB."""
    comment = b"Comment\0\0" + zlib.compress(bytes(60_000_000), 9)
    chunk = struct.pack(">I", len(comment)) + b"zTXt" + comment + struct.pack(">I", zlib.crc32(b"zTXt" + comment))
    data = encoded(picture(), "PNG")
    return data[:33] + chunk + data[33:]  # after the header


def changed(data: bytes, seed: int, count: int = 20) -> bytes:
    """A file with some of its bytes changed."""
    chance = random.Random(seed)
    whole = bytearray(data)
    for _ in range(count):
        whole[chance.randrange(len(whole))] = chance.randrange(256)
    return bytes(whole)


def lying_jpeg(width: int, height: int) -> bytes:
    """A JPEG whose header declares a larger image than its data."""
    data = bytearray(encoded(picture()))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": MULTIPART}
NOT_OURS = frozenset({400, 500})  # TorchServe's own form parser fails before the handler is called
EITHER = frozenset({200, 400})  # whether a decoder reads the remaining data is its choice

HOSTILE: dict[str, Hostile] = {
    "HTML": Hostile(lambda: b"<!doctype html><script>alert(1)</script>"),
    "SVG that reads a file": Hostile(
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    ),
    "XML bomb": Hostile(
        lambda: b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><l>&b;</l>'
    ),
    "ZIP bomb": Hostile(zip_bomb),
    "pickle": Hostile(lambda: b"\x80\x04cos\nsystem\n(S'exit 1'\ntR."),
    "PDF": Hostile(lambda: b"%PDF-1.7\n1 0 obj\n<<>>\nendobj"),
    "PostScript": Hostile(lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99999 99999\n"),
    "one NUL": Hostile(lambda: b"\0"),
    "one megabyte of NUL": Hostile(lambda: bytes(1_000_000)),
    "noise": Hostile(lambda: random.Random(1).randbytes(500_000)),
    "JPEG's first bytes only": Hostile(lambda: b"\xff\xd8\xff\xe0\0\x10JFIF"),
    "JPEG that lies of its size": Hostile(partial(lying_jpeg, 9_000, 8_000), statuses=EITHER),
    "JPEG of 65,000 x 65,000 px": Hostile(partial(lying_jpeg, 65_000, 65_000)),
    "PNG of 100 megapixels": Hostile(partial(bilevel_png, 12_500, 8_000)),
    "PNG with a bomb in its comment": Hostile(text_bomb_png, statuses=EITHER),
    "JPEG and ZIP in one": Hostile(lambda: encoded(picture()) + zip_bomb(), statuses=frozenset({200})),
    "GIF and JavaScript in one": Hostile(lambda: b"GIF89a/*" + b"A" * 200 + b"*/=1;alert(1)"),
    "PNG declared as a form": Hostile(photo, FORM),
    "PNG declared as a form without boundary": Hostile(photo, {"Content-Type": "multipart/form-data"}, EITHER),
    "PNG declared as JSON": Hostile(photo, JSON),
    "PNG declared gzipped": Hostile(photo, {"Content-Encoding": "gzip"}, EITHER),
    "form without end": Hostile(lambda: form(part("image", photo()))[:-30], FORM, EITHER),
    "form with nothing": Hostile(lambda: form(), FORM),
    "form part without name": Hostile(lambda: form(("Content-Type: image/png", photo())), FORM, NOT_OURS),
    "form with a name of 10,000 characters": Hostile(lambda: form(part("x" * 10_000, photo())), FORM),
    "form with a path as file name": Hostile(
        lambda: form((r'Content-Disposition: form-data; name="image"; filename="../../../etc/passwd"', photo())),
        FORM,
        frozenset({200}),
    ),
    "form with 70 images": Hostile(lambda: form(*(part(f"image{i}", b"x") for i in range(70))), FORM),
    "form in a form": Hostile(lambda: form(part("image", form(part("image", photo())))), FORM, EITHER),
    "wrong base64": Hostile(lambda: b'{"image": "A===B"}', JSON),
    "base64 of base64": Hostile(lambda: b'{"image": "YUdWc2JHOD0="}', JSON),
    "image of arrays": Hostile(lambda: b'{"image": [[[]]]}', JSON),
    "image in ten thousand objects": Hostile(lambda: b'{"image": ' + b'{"b64":' * 10_000 + b'""' + b"}" * 10_001, JSON),
    "deep JSON": Hostile(lambda: b"[" * 1_000_000, JSON),
    "JSON with the same key 10,000 times": Hostile(lambda: b"{" + b'"image":"x",' * 10_000 + b'"image":"x"}', JSON),
    "JSON of 10,000 options": Hostile(
        lambda: json.dumps({"image": "x"} | {f"option{i}": i for i in range(10_000)}).encode(), JSON
    ),
    "JSON with NaN": Hostile(lambda: b'{"image": "eA==", "top_k": NaN, "profile": Infinity}', JSON),
    "JSON with a long number": Hostile(lambda: b'{"image": "eA==", "top_k": 1' + b"0" * 20_000 + b"}", JSON),
    "SQL and shell as options": Hostile(
        lambda: b'{"image": "eA==", "profile": "$(reboot)", "groups": "x; drop table x"}', JSON
    ),
    "UTF-16 JSON": Hostile(lambda: '{"image": "eA=="}'.encode("utf-16"), JSON),
    "option with 100,000 characters": Hostile(lambda: b'{"image": "eA==", "profile": "' + b"x" * 100_000 + b'"}', JSON),
    "header with control characters": Hostile(photo, {"Fashion-Profile": "a\tb"}),
    "21 MB": Hostile(lambda: bytes(22_100_000), statuses=frozenset({413})),
    "100 MB": Hostile(lambda: bytes(100_000_000), statuses=frozenset({413})),
}


def fuzzed(count: int) -> list[bytes]:
    """Image files of several formats with bytes changed, cut and doubled; deterministic."""
    whole: list[bytes] = [encoded(picture(), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")]
    bodies: list[bytes] = []
    for seed in range(count):
        chance: Any = random.Random(seed)
        data = changed(whole[seed % len(whole)], seed, chance.choice((1, 5, 50)))
        if seed % 3 == 1:
            data = data[: chance.randrange(1, len(data))]
        elif seed % 3 == 2:
            at = chance.randrange(len(data))
            data = data[:at] + data[at // 2 :]
        bodies.append(data)
    return bodies
