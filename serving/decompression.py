"""Decompress bodies with an HTTP Content-Encoding, within the size limit of bodies."""

import zlib
from dataclasses import replace

from serving.protocol import MAX_BODY, IncomingRequest, InvalidRequest, TooLarge, UnsupportedEncoding

HEADER = "content-encoding"
BODY = "body"  # TorchServe's name for a body that is not a form
GZIP, ZLIB, RAW = 31, 15, -15  # zlib's `wbits`
# Some clients send raw deflate data without the zlib header that HTTP requires.
FORMATS = {"gzip": (GZIP,), "x-gzip": (GZIP,), "deflate": (ZLIB, RAW)}


def decompressed(call: IncomingRequest) -> IncomingRequest:
    """Decompress a request's body and remove its Content-Encoding header; an uncompressed request is unchanged.

    Raises:
        UnsupportedEncoding: the encoding is neither gzip nor deflate.
        TooLarge: the decompressed body would exceed the limit.
        InvalidRequest: the data does not have the declared encoding, or is truncated.
    """
    encoding = next((value for name, value in call.headers.items() if name.lower() == HEADER), "").strip().lower()
    body = call.fields.get(BODY)
    if encoding in ("", "identity") or len(call.fields) != 1 or not isinstance(body, bytes | bytearray) or not body:
        return call
    if encoding not in FORMATS:
        raise UnsupportedEncoding(
            f"Content-Encoding {encoding[:60]!r} is not supported; send the body uncompressed, or with gzip or deflate"
        )
    headers = {name: value for name, value in call.headers.items() if name.lower() != HEADER}
    return replace(call, fields={BODY: _unpack(bytes(body), encoding)}, headers=headers)


def _unpack(packed: bytes, encoding: str) -> bytes:
    for wbits in FORMATS[encoding]:
        try:
            return _inflate(packed, wbits)
        except zlib.error:
            continue
    raise InvalidRequest(
        f"the body is declared Content-Encoding: {encoding}, but is not; leave the header out, or compress the body"
    )


def _inflate(packed: bytes, wbits: int) -> bytes:
    stream = zlib.decompressobj(wbits)
    whole = stream.decompress(packed, MAX_BODY + 1)
    if len(whole) > MAX_BODY:
        raise TooLarge
    if not stream.eof:
        raise InvalidRequest("the compressed body ends early; send all of it")
    if stream.unused_data:
        raise InvalidRequest("data follows the end of the compressed body; compress all of it as one")
    return whole
