"""Where Optuna keeps a study, and what is done there so that no trial is lost with the worker that had it."""

import logging
import random
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from cnnctl.errors import MachineError, how_to_install

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

MISSED = 6
"""Signs of life that a worker may miss."""
_TRIES = 8
_PATIENCE = 60.0
"""Seconds that SQLite waits for another process."""


@contextmanager
def optuna_is_quiet() -> Iterator[None]:
    """A block in which Optuna and its libraries print nothing.

    Raises:
        MachineError: Optuna is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise MachineError("optuna is not installed", f"install it with: {how_to_install('sweep')}") from None
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is experimental, and of heartbeats beside `optimize`
            yield
    finally:
        optuna.logging.set_verbosity(before)


def open_storage(url: str, heartbeat: int) -> "RDBStorage":
    """The storage at an address, whose tables are made where they are missing.

    Two that make them at once disturb each other: whoever fails tries again.

    Raises:
        MachineError: it cannot be reached, or the package that reaches it is not installed.
    """
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    options: dict[str, Any] = {"connect_args": {"timeout": _PATIENCE}} if url.startswith("sqlite") else {}
    options |= {"pool_pre_ping": True}
    for left in reversed(range(_TRIES)):
        try:
            return RDBStorage(url, options, heartbeat_interval=heartbeat, grace_period=MISSED * heartbeat)
        except (ArgumentError, NoSuchModuleError) as error:
            hint = "for example postgresql://user@host/database; without it, SQLite in the output folder"
            raise MachineError(f"{_shown(url)} is no address of a storage: {error}", hint) from None
        except (SQLAlchemyError, StorageInternalError, AssertionError) as error:  # asserts that its version is there
            if not left:
                lines = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
                hint = "look whether the database runs, and whether its name and user are right"
                raise MachineError(f"{_shown(url)} cannot be used: {lines[0]}", hint) from None
            time.sleep(random.uniform(0.1, 0.6))
        except RuntimeError as error:  # made by an Optuna of another version
            raise MachineError(f"{_shown(url)} cannot be used: {error}", "name another storage") from None
        except (TypeError, UnicodeError) as error:  # such a database gives bytes where SQLAlchemy wants text
            if not url.startswith("postgresql"):
                raise
            message = f"{_shown(url)} cannot be used: its texts have no encoding that it knows of (SQL_ASCII)"
            hint = "make another database: createdb --encoding=UTF8 --template=template0 NAME"
            raise MachineError(message, hint) from error
        except ImportError as error:
            package = "psycopg2-binary" if url.startswith("postgresql") else "pymysql"
            said = error.__cause__ or error
            hint = f"for example pip install {package}; or put the driver into the address: postgresql+psycopg://..."
            raise MachineError(f"the package that reaches {_shown(url)} is missing: {said}", hint) from None
    raise AssertionError("unreachable")


def _shown(url: str) -> str:
    """An address without its password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url.partition("@")[2] or url


def start_clocks(storage: "RDBStorage", running: list[int]) -> None:
    """Let every running trial that has given no sign of life yet begin to be looked for.

    Optuna takes only those for dead that gave one before. A worker that was killed between taking a trial and its first
    sign would leave it running for ever.
    """
    from sqlalchemy import text

    with storage.engine.connect() as connection:
        alive = set(connection.execute(text("SELECT trial_id FROM trial_heartbeats")).scalars())
    for trial in running:
        if trial not in alive:
            storage.record_heartbeat(trial)


class Heart(threading.Thread):
    """Signs of life of a trial, from the first, which is given at once, to the end of the block."""

    def __init__(self, storage: "RDBStorage", trial: int, seconds: float) -> None:
        super().__init__(daemon=True, name="heart")
        self._storage, self._trial, self._seconds = storage, trial, seconds
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(self._seconds):
            with suppress(Exception):  # a storage that is away for a while may be back for the next one
                self._storage.record_heartbeat(self._trial)

    def __enter__(self) -> "Heart":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self.join()
