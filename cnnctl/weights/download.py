"""Downloads of published weights into Keras' own cache: whole or not at all, by one process at a time."""

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from cnnctl.errors import DiskError, MachineError
from cnnctl.formatting import size
from cnnctl.system.files import replacing_bytes, write_text
from cnnctl.system.locks import locked
from cnnctl.system.watcher import Watcher, show_bytes
from cnnctl.version import __version__
from cnnctl.weights.published import Network

TIMEOUT = 30.0
"""Seconds without an answer, after which a download is given up."""

LEAST_PACE = 1000
"""Bytes a second; a download that is slower for `TIMEOUT` seconds is given up too."""

_HDF5 = b"\x89HDF\r\n\x1a\n"
_PIECE = 2**18
_SLACK = 2**24
"""Bytes that a file may have beside its weights."""


def download(network: Network, path: Path, watcher: Watcher) -> None:
    """Bring the weights of a network to `path`, unless another process has just done so.

    Where Keras publishes no hash, the SHA-256 of what came is written beside it.

    Raises:
        MachineError: the server does not answer, breaks off or sends another file, or `path` cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(
            path.with_name(f".{path.name}.lock"),
            lambda: watcher.note(f"another process downloads {path.name}: waiting for it"),
        ):
            if not is_intact(network, path):
                _sweep(path)
                _fetch(network, path, watcher)
    except DiskError as error:
        raise DiskError(error.message, _KERAS_HOME) from None
    except OSError as error:
        raise DiskError(f"{path} cannot be written: {error.strerror or error}", _KERAS_HOME) from None


_KERAS_HOME = "free some space, or set KERAS_HOME to a folder that can be written"


def is_intact(network: Network, path: Path) -> bool:
    """Whether the file is there and, as far as a hash is known, the one that was published or that came first."""
    if not is_there(path):
        return False
    known = known_hash(network, path)
    return known is None or file_hash(path, known[0]) == known[1]


def is_there(path: Path) -> bool:
    """Whether there is a file, as far as this user may see."""
    try:
        return path.is_file()
    except OSError:
        return False


def file_hash(path: Path, algorithm: str = "sha256") -> str:
    """The hash of a file in hexadecimal digits; `algorithm` is hashlib's."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def known_hash(network: Network, path: Path) -> tuple[str, str] | None:
    """(algorithm, digits) of what the file must be."""
    if network.md5 is not None:
        return "md5", network.md5
    with suppress(OSError, UnicodeError):
        digits = _note_of(path).read_text(encoding="utf-8").split()[:1]
        if digits:
            return "sha256", digits[0]
    return None


def _note_of(path: Path) -> Path:
    """The file, in the format of sha256sum, that holds the hash of a download of which Keras publishes none."""
    return path.with_name(f"{path.name}.sha256")


def _sweep(path: Path) -> None:
    """Take away what killed downloads of the same file left; the lock is ours."""
    for left in path.parent.glob(f".{path.name}.*.part"):
        with suppress(OSError):
            left.unlink()


def _fetch(network: Network, path: Path, watcher: Watcher) -> None:
    watcher.note(f"downloading {network.address} to {path.parent}")
    hashes = [hashlib.sha256(), hashlib.md5(usedforsecurity=False)]
    with replacing_bytes(path) as file, _opened(network) as answer:
        start = b""
        for piece in _pieces(network, answer, watcher):
            file.write(piece)
            start = (start + piece)[:8]
            for one in hashes:
                one.update(piece)
        sha256, md5 = (one.hexdigest() for one in hashes)
        if network.md5 is not None and md5 != network.md5:
            raise _wrong(network, f"its MD5 is {md5}, and Keras publishes {network.md5}")
        if start != _HDF5:
            raise _wrong(network, "it is no HDF5 file")
    if network.md5 is None:
        write_text(_note_of(path), f"{sha256}  {path.name}\n")
        watcher.note(f"Keras publishes no hash of {path.name}; the SHA-256 of what came is {sha256}")


@contextmanager
def _opened(network: Network) -> Iterator[Any]:
    request = urllib.request.Request(str(network.address), headers={"User-Agent": f"cnnctl/{__version__}"})
    answer: Any = None
    with _telling(network):
        answer = urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT)
    try:
        yield answer
    finally:
        answer.close()


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Redirects, but none from https to an address that anybody on the way could answer for."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.type == "https" and not newurl.lower().startswith("https:"):
            raise urllib.error.URLError(f"it redirects to {newurl}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _pieces(network: Network, answer: Any, watcher: Watcher) -> Iterator[bytes]:
    """The bytes of an answer; it must come to its end, at a pace, and not be much larger than the weights."""
    told = answer.headers.get("Content-Length", "")
    total = int(told) if told.isdecimal() else None
    most = network.size + network.size // 4 + _SLACK
    what, done = f"downloading {network.name}", 0
    since, before = time.monotonic(), 0
    if total is None:
        watcher.busy(what)
    while max(done, total or 0) <= most:
        piece = b""
        with _telling(network):
            piece = answer.read1(_PIECE)
        if not piece:
            break
        done += len(piece)
        if total is not None:
            show_bytes(watcher, what, done, total)
        yield piece
        if done == total:
            break
        now = time.monotonic()
        if now - since > TIMEOUT:
            if done - before < LEAST_PACE * TIMEOUT:
                raise _failed(network, f"it sends less than {LEAST_PACE:,} bytes a second")
            since, before = now, done
    if max(done, total or 0) > most:
        raise _wrong(network, f"it has more than the {size(most)} that the weights can have")
    if total is not None and done < total:
        raise _failed(network, f"it broke off after {size(done)} of {size(total)}")


@contextmanager
def _telling(network: Network) -> Iterator[None]:
    """A block whose failures are those of the network or of the server."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        raise _failed(network, f"the server answers {error.code} {error.reason}") from None
    except TimeoutError:
        raise _failed(network, f"no answer within {TIMEOUT:g} seconds") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            reason = f"no answer within {TIMEOUT:g} seconds"
        raise _failed(network, getattr(reason, "strerror", None) or str(reason) or type(reason).__name__) from None


def _failed(network: Network, reason: str) -> MachineError:
    return MachineError(f"its download failed: {reason}")


def _wrong(network: Network, reason: str) -> MachineError:
    return MachineError(
        f"what came from {network.address} is not the weights of {network.name}: {reason}",
        "try again; if a proxy stands between, download the file elsewhere",
    )
