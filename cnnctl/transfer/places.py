"""Where a run can be sent: a folder, what fsspec has a package for, Hugging Face's hub."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from cnnctl.data.file_names import is_address
from cnnctl.errors import MachineError, RunError, UsageError, how_to_install
from cnnctl.runs import Run
from cnnctl.system import files, inside
from cnnctl.system.remote import file_system, reason
from cnnctl.transfer.sums import SUMS, to_text

Told = Callable[[str], None]
"""Hears of each file that was sent."""
HUB = "hf://"
_BLOCK = 2**20


class Place(Protocol):
    """One of them."""

    address: str

    def names(self) -> list[str]:
        """The files that are there, by their names below it; none where there is no such place."""

    def open(self, name: str, most: int) -> Any:
        """A file to be read, as a context manager; `most` bytes are read of it."""

    def put(self, run: Run, digests: Mapping[str, str], stale: list[str], told: Told) -> None:
        """Send files of a run and their SHA256SUMS, and take `stale` ones away."""


def place_of(address: str, public: bool = False) -> Place:
    """The place of an address; `public` is about a new one on the hub.

    Raises:
        UsageError: it is none.
        MachineError: the package for it is not installed.
    """
    if address.startswith(HUB):
        return Hub(address, public)
    if public:
        raise UsageError("--public is about hf://", "leave it out: others decide who may read a folder or a bucket")
    return Remote(address) if is_address(address) else Folder(address)


class Folder:
    """A folder of this machine, which is there as a whole or not at all."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.path = Path(address)

    def names(self) -> list[str]:
        """Files and folders at its top."""
        try:
            return sorted(os.listdir(self.path))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise MachineError(f"{self.address} cannot be used: {error.strerror}", "name another folder") from None

    def open(self, name: str, most: int) -> BinaryIO:
        """A regular file; no link is followed."""
        return inside.open_file(self.path, self.path / name, most)

    def put(self, run: Run, digests: Mapping[str, str], stale: list[str], told: Told) -> None:
        """Everything beside it, then all at once; what was there goes last."""
        with files.writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with files.aside_folder(files.absolute(self.path).parent) as aside:
                made, old = Path(aside) / "made", Path(aside) / "old"
                made.mkdir()
                for name in digests:
                    with run.open(run.path / name) as source, files.replacing_bytes(made / name) as file:
                        shutil.copyfileobj(source, file, _BLOCK)
                    told(name)
                files.write_bytes(made / SUMS, to_text(digests))
                if stale:
                    self.path.rename(old)
                try:
                    made.rename(self.path)
                except OSError:
                    if stale:
                        old.rename(self.path)
                    raise


class Remote:
    """Whatever fsspec has a package for. The list comes last: what has none is not whole."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._system = file_system(address.partition("://")[0].lower())
        self._root = str(self._system._strip_protocol(self.address)).rstrip("/")

    def names(self) -> list[str]:
        """All below it."""
        with reaching(self.address):
            try:
                found = self._system.find(self._root)
            except FileNotFoundError:
                return []
            return sorted(str(name)[len(self._root) + 1 :] for name in found if str(name) != self._root)

    @contextmanager
    def open(self, name: str, most: int) -> Iterator[BinaryIO]:
        """A file that is read as it comes."""
        with reaching(self.address), self._system.open(f"{self._root}/{name}", "rb", block_size=_BLOCK) as file:
            yield file

    def put(self, run: Run, digests: Mapping[str, str], stale: list[str], told: Told) -> None:
        """Without the old list, then the files, then the new one."""
        with reaching(self.address):
            if SUMS in stale:
                self._system.rm_file(f"{self._root}/{SUMS}")
            self._system.makedirs(self._root, exist_ok=True)
            for name in digests:
                with run.open(run.path / name) as source:
                    self._write(name, source)
                told(name)
            for name in stale:
                if name != SUMS and name not in digests:
                    self._system.rm_file(f"{self._root}/{name}")
            self._system.pipe_file(f"{self._root}/{SUMS}", to_text(digests))

    def _write(self, name: str, source: BinaryIO) -> None:
        path = f"{self._root}/{name}"
        self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
        with self._system.open(path, "wb") as file:
            shutil.copyfileobj(source, file, _BLOCK)


class Hub:
    """A model on Hugging Face's hub: hf://OWNER/NAME, and @REVISION to read another one than its newest."""

    def __init__(self, address: str, public: bool = False) -> None:
        self.address = address.rstrip("/")
        self._name, _, revision = self.address.removeprefix(HUB).partition("@")
        self._revision = revision or None
        self._public = public
        if self._name.count("/") != 1 or not all(self._name.split("/")):
            raise UsageError(f"{address} is no place on the hub", f"it has the form {HUB}OWNER/NAME")
        try:
            from huggingface_hub import HfApi, HfFileSystem
        except ImportError:
            raise MachineError(f"{HUB} needs huggingface_hub, which is not installed", how_to_install("hub")) from None
        self._api, self._system = HfApi(library_name="cnnctl"), HfFileSystem(skip_instance_cache=True)

    def names(self) -> list[str]:
        """All in it, but for the file that the hub itself writes."""
        from huggingface_hub.errors import RepositoryNotFoundError

        with reaching(self.address):
            try:
                found = self._api.list_repo_files(self._name, revision=self._revision)
            except RepositoryNotFoundError:
                return []
            return sorted(name for name in found if name != ".gitattributes")

    @contextmanager
    def open(self, name: str, most: int) -> Iterator[BinaryIO]:
        """A file that is read as it comes."""
        with reaching(self.address):
            place = f"{self._name}/{name}"
            with self._system.open(place, "rb", revision=self._revision, block_size=_BLOCK) as file:
                yield cast(BinaryIO, file)

    def put(self, run: Run, digests: Mapping[str, str], stale: list[str], told: Told) -> None:
        """One commit, which the hub takes as a whole; a new place is private unless it is said to be public."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        if self._revision is not None:
            raise UsageError(f"{self.address} names a revision", f"push to {HUB}{self._name}")
        with reaching(self.address):
            self._api.create_repo(self._name, private=not self._public, exist_ok=True)
            given = [CommitOperationAdd(name, str(run.checked(run.path / name))) for name in digests]
            gone = [CommitOperationDelete(name) for name in stale if name not in digests and name != SUMS]
            operations = [*given, CommitOperationAdd(SUMS, to_text(digests)), *gone]
            self._api.create_commit(self._name, operations, commit_message=f"Push {run.title} with cnnctl")
            for name in digests:
                told(name)


@contextmanager
def reaching(address: str) -> Iterator[None]:
    """A block in which whatever a package raises is about an address.

    Raises:
        RunError: instead of it, with the reason.
    """
    from cnnctl.errors import CnnctlError

    try:
        yield
    except CnnctlError:
        raise
    except FileNotFoundError as error:
        raise RunError(f"{address} has no such file: {reason(error)}") from None
    except Exception as error:  # each package raises its own
        raise RunError(
            f"{address} cannot be reached: {reason(error)}", "are the address and the account right?"
        ) from None
