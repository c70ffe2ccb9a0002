"""Parse form bodies into parts, in the same way as TorchServe's decoder."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from serving.decompression import BODY
from serving.protocol import MAX_BODY, IncomingRequest, InvalidRequest
from serving.repeated_parts import number_repeated
from serving.request_parsing import FORM_TYPE, header_text

MULTIPART_TYPE = "multipart/form-data"
BYTES = "latin-1"  # maps bytes one-to-one to the first 256 characters, so bytes survive as text


class MemoryParser(MultiPartParser):
    """Keeps all parts in memory, where the body is already; Starlette's parser writes those above 1 MB to disk."""

    spool_max_size = MAX_BODY


async def parse_form(call: IncomingRequest) -> IncomingRequest:
    """Parse a request's form into `fields`; parts with the same name are numbered. Other requests are unchanged.

    Raises:
        InvalidRequest: the form is invalid.
    """
    try:
        form = await _form(call)
    except MultiPartException as error:
        raise InvalidRequest(f"the form cannot be read: {error.message}") from None
    if form is None:
        return call
    fields: dict[str, bytes] = {}
    texts = set()
    try:
        items = form.multi_items()
        for name, (_, value) in zip(number_repeated(header_text(name) for name, _ in items), items, strict=True):
            if isinstance(value, UploadFile):
                fields[name] = await value.read()
            else:
                fields[name] = value.encode(BYTES)
                texts.add(name)
    finally:
        await form.close()
    return replace(call, fields=fields, texts=texts)


async def _form(call: IncomingRequest) -> FormData | None:
    """The parts of a body, or None if it is not a form. Text parts are encoded as `BYTES`: they may be photographs."""
    body, declared = call.fields[BODY], call.content_type.lower()
    if declared.startswith(MULTIPART_TYPE):
        headers = Headers({"content-type": f"{call.content_type}; charset={BYTES}"})
        return await MemoryParser(headers, _stream(body), max_part_size=MAX_BODY).parse()
    # curl declares any body of --data-binary and -d as a form. A real form begins with a field name, unlike photographs
    # and JSON.
    if declared.startswith(FORM_TYPE) and _is_text(body[:64]) and not body.lstrip().startswith(b"{"):
        form = await FormParser(Headers(), _stream(body), max_part_size=MAX_BODY).parse()
        return FormData([(name, str(value).encode().decode(BYTES)) for name, value in form.multi_items()])
    return None


def _is_text(start: bytes) -> bool:
    return start.isascii() and all(map(str.isprintable, start.decode().split()))


async def _stream(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
