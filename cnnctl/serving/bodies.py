"""The images of a request: counted while they come in, since a header may lie about them or be missing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from cnnctl.data.decoder.reading import MEGABYTE
from cnnctl.serving.errors import CLIENT_GONE, RequestError, too_busy
from cnnctl.serving.limits import Limits

MULTIPART = "multipart/form-data"
FIELD = "image"
_RAW = ("", "application/octet-stream", "binary/octet-stream")
_SEND = "send image/jpeg or another image type, application/octet-stream, or multipart/form-data (curl -F image=@FILE)"


@dataclass(frozen=True)
class Upload:
    """One image as it was sent: the file's own name without folders, empty where it has none, and its bytes."""

    name: str
    content: bytes


class ByteBudget:
    """The bytes of all bodies that are in hand, `most` at most; in the event loop's thread only."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], None]]:
        """A block with a function that takes so many bytes more; at its end they are given back."""
        taken = 0

        def take(count: int) -> None:
            nonlocal taken
            if self._held + count > self._most:
                raise too_busy("too many large images are being read")
            self._held += count
            taken += count

        try:
            yield take
        finally:
            self._held -= taken


async def read_uploads(request: Request, limits: Limits, take: Callable[[int], None]) -> list[Upload]:
    """The images in the body of a request, at least one.

    The body is raw bytes, or multipart/form-data in fields called image. `take` takes bytes of the purse.

    Raises:
        RequestError: 413 (too large, too many), 415 (no such body is read), 422 (no image, or wrong multipart).
    """
    headers = request.headers
    length = headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 15 or int(length) > limits.body_bytes):
        raise _too_large(limits)
    if headers.get("content-encoding", "identity") != "identity":
        raise RequestError(415, "compressed bodies are not supported", "send the image file as it is")
    content_type = headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind != MULTIPART and kind not in _RAW and not kind.startswith("image/"):
        raise RequestError(415, f"bodies of type {kind} are not supported", _SEND)
    parts = _Parts(content_type, limits.images_at_once) if kind == MULTIPART else None
    whole = bytearray()
    count, more = 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise RequestError(CLIENT_GONE, "the client is gone")
        chunk = message.get("body", b"")
        count += len(chunk)
        if count > limits.body_bytes:
            raise _too_large(limits)
        take(len(chunk))
        if parts is None:
            whole += chunk
        else:
            parts.write(chunk)
        more = message.get("more_body", False)
    uploads = [Upload("", bytes(whole))] if whole else []
    if parts is not None:
        uploads = parts.uploads()
    if not uploads:
        raise RequestError(422, "the request holds no image", _SEND)
    return uploads


def _too_large(limits: Limits) -> RequestError:
    return RequestError(
        413,
        f"the request is larger than {limits.body_bytes / MEGABYTE:g} MB",
        "send a smaller image; cnnctl serve --max-megabytes raises the limit",
    )


class _Parts:
    """A multipart body (RFC 7578), every part of which is a field called image."""

    def __init__(self, content_type: str, most: int) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise RequestError(
                422, "the multipart body names no boundary", "let your HTTP library write the Content-Type"
            )
        self._most = most
        self._uploads: list[Upload] = []
        self._field, self._value, self._disposition, self._name = bytearray(), bytearray(), b"", ""
        self._content = bytearray()
        self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": lambda data, start, end: self._content.extend(data[start:end]),
                    "on_part_end": self._end_part,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise _damaged(error) from None

    def write(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _damaged(error) from None

    def uploads(self) -> list[Upload]:
        if not self._ended:
            raise RequestError(422, "the multipart body is cut off: its last boundary is missing")
        return self._uploads

    def _begin(self) -> None:
        self._disposition = b""
        self._content = bytearray()

    def _end_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        field = options.get(b"name", b"").decode("utf-8", "replace")
        if field != FIELD:
            raise RequestError(422, f"a field called {FIELD} is expected; received: {field[:50]}", _SEND)
        if len(self._uploads) == self._most:
            raise RequestError(413, f"a request may hold {self._most} images", "send them in several requests")
        self._name = options.get(b"filename", b"").decode("utf-8", "replace").rpartition("/")[2]

    def _end_part(self) -> None:
        self._uploads.append(Upload(self._name, bytes(self._content)))

    def _end(self) -> None:
        self._ended = True


def _damaged(error: FormParserError) -> RequestError:
    return RequestError(422, f"the multipart body is damaged: {error}", "let your HTTP library write it")
