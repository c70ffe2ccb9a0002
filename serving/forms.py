"""A body that is declared a form -> its parts, as TorchServe's own decoder hands them on."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser

from serving.protocol import MAX_BODY, Call, InvalidRequest
from serving.reading import FORM_TYPE, header_text
from serving.repeated_parts import numbered
from serving.unpacking import BODY

MULTIPART_TYPE = "multipart/form-data"
BYTES = "latin-1"  # in which every byte is a character, and every one of the first 256 characters a byte


async def with_parts(call: Call) -> Call:
    """A request whose form is taken apart; the same where its body is none. Parts of one name are numbered.

    Raises:
        InvalidRequest: a form that cannot be read.
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
        for name, (_, value) in zip(numbered(header_text(name) for name, _ in items), items, strict=True):
            if isinstance(value, UploadFile):
                fields[name] = await value.read()
            else:
                fields[name] = value.encode(BYTES)
                texts.add(name)
    finally:
        await form.close()
    return replace(call, fields=fields, texts=texts)


async def _form(call: Call) -> FormData | None:
    """The parts of a body, or None where it is no form. A text is in `BYTES`, because it may be a photograph."""
    body, declared = call.fields[BODY], call.content_type.lower()
    if declared.startswith(MULTIPART_TYPE):
        headers = Headers({"content-type": f"{call.content_type}; charset={BYTES}"})
        return await MultiPartParser(headers, _stream(body), max_part_size=MAX_BODY).parse()
    # curl --data-binary declares every file a form, and -d all text. One begins with a name, which photographs and JSON
    # do not.
    if declared.startswith(FORM_TYPE) and _is_text(body[:64]) and not body.lstrip().startswith(b"{"):
        form = await FormParser(Headers(), _stream(body), max_part_size=MAX_BODY).parse()
        return FormData([(name, str(value).encode().decode(BYTES)) for name, value in form.multi_items()])
    return None


def _is_text(start: bytes) -> bool:
    return start.isascii() and all(map(str.isprintable, start.decode().split()))


async def _stream(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
