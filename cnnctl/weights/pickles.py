"""Pickles of PyTorch, read operation by operation: dictionaries, texts, numbers and tensors, and nothing else.

Python's own unpickler calls what a pickle names. This one knows a dozen names, calls nothing, and refuses the rest.
"""

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

_MOST_OPERATIONS = 1_000_000
_MOST_TEXT = 10_000

STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|u1",
}
"""The type of numpy for each of PyTorch's, without those that numpy does not have."""

_DICTIONARY = ("collections", "OrderedDict")
_TENSOR = ("torch._utils", "_rebuild_tensor_v2")
_PARAMETER = ("torch._utils", "_rebuild_parameter")


@dataclass(frozen=True)
class Name:
    """A name that a pickle may use; it stands for nothing that could be called."""

    module: str
    name: str


@dataclass(frozen=True)
class Storage:
    """Numbers in a row, which lie outside of the pickle under a key; `dtype` is numpy's."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage; `strides` count numbers, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class RefusedPickleError(ValueError):
    """A pickle that does more than to hold tensors, or is damaged."""


def read_pickle(stream: IO[bytes]) -> Any:
    """The next pickle of a stream, which is left behind it.

    Raises:
        RefusedPickleError: it holds anything else than dictionaries, lists, tuples, texts, numbers and tensors.
    """
    reader = _Reader()
    count = 0
    try:
        for operation, argument, _ in pickletools.genops(stream):
            count += 1
            if count > _MOST_OPERATIONS:
                raise RefusedPickleError("its pickle is too long")
            if isinstance(argument, (str, bytes)) and len(argument) > _MOST_TEXT:
                raise RefusedPickleError("its pickle has a text that is too long")
            if operation.name == "STOP":
                return reader.pop()
            reader.do(operation.name, argument)
    except RefusedPickleError:
        raise
    except (ValueError, LookupError, TypeError, OverflowError, UnicodeError) as error:
        raise RefusedPickleError(f"its pickle is damaged: {error}") from None
    raise RefusedPickleError("its pickle has no end")


class _Mark:
    """Where a list, tuple or dictionary begins on the stack."""


class _Reader:
    """The stack and the memo of a pickle. The objects are Python's own containers and the classes above."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def do(self, operation: str, argument: Any) -> None:
        if operation in _VALUES:
            self._stack.append(argument)
        elif operation in _FIXED:
            self._stack.append(_FIXED[operation]())
        elif operation in _OPERATIONS:
            _OPERATIONS[operation](self, argument)
        else:
            raise RefusedPickleError(f"its pickle uses {operation}, which weights do not need")

    def pop(self) -> Any:
        if not self._stack or isinstance(self._stack[-1], _Mark):
            raise RefusedPickleError("its pickle is damaged: the stack is empty")
        return self._stack.pop()

    def _to_mark(self) -> list[Any]:
        for place in range(len(self._stack) - 1, -1, -1):
            if isinstance(self._stack[place], _Mark):
                items = self._stack[place + 1 :]
                del self._stack[place:]
                return items
        raise RefusedPickleError("its pickle is damaged: there is no mark")

    def _top(self, kind: type[Any]) -> Any:
        if not self._stack or type(self._stack[-1]) is not kind:
            raise RefusedPickleError("its pickle is damaged: a container is missing")
        return self._stack[-1]

    def _nothing(self, _: Any) -> None:
        """Of no matter: the version of the pickle."""

    def _mark(self, _: Any) -> None:
        self._stack.append(_Mark())

    def _put(self, number: int) -> None:
        value = self.pop()
        self._stack.append(value)
        self._memo[number] = value

    def _get(self, number: int) -> None:
        self._stack.append(self._memo[number])

    def _tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._to_mark()))

    def _short_tuple(self, length: int) -> None:
        self._stack.append(tuple([self.pop() for _ in range(length)][::-1]))

    def _append(self, _: Any) -> None:
        value = self.pop()
        self._top(list).append(value)

    def _appends(self, _: Any) -> None:
        items = self._to_mark()
        self._top(list).extend(items)

    def _set(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        self._fill([key, value])

    def _sets(self, _: Any) -> None:
        self._fill(self._to_mark())

    def _fill(self, items: list[Any]) -> None:
        keys, values = items[::2], items[1::2]
        if len(keys) != len(values) or not all(type(key) in (str, int) for key in keys):
            raise RefusedPickleError("its pickle has a dictionary whose keys are no texts or integers")
        self._top(dict).update(zip(keys, values, strict=True))

    def _name(self, text: str) -> None:
        module, _, name = text.partition(" ")
        is_storage = module == "torch" and name in STORAGES
        if not is_storage and (module, name) not in (_DICTIONARY, _TENSOR, _PARAMETER):
            raise RefusedPickleError(f"its pickle names {module}.{name}, which is not read")
        self._stack.append(Name(module, name))

    def _call(self, _: Any) -> None:
        arguments, called = self.pop(), self.pop()
        if type(called) is not Name or type(arguments) is not tuple:
            raise RefusedPickleError("its pickle calls what is no name")
        name = (called.module, called.name)
        if name == _DICTIONARY and arguments == ():
            self._stack.append({})
        elif name == _TENSOR and len(arguments) in (6, 7):
            self._stack.append(_tensor(*arguments[:4]))
        elif name == _PARAMETER and arguments and type(arguments[0]) is Tensor:
            self._stack.append(arguments[0])
        else:
            raise RefusedPickleError(f"its pickle calls {'.'.join(name)} in a way that PyTorch does not")

    def _state(self, _: Any) -> None:
        """PyTorch notes versions of modules beside a dictionary of weights; nothing else may have a state."""
        self.pop()
        self._top(dict)

    def _storage(self, _: Any) -> None:
        told = self.pop()
        if type(told) is not tuple or len(told) not in (5, 6) or told[0] != "storage" or told[5:] not in ((), (None,)):
            raise RefusedPickleError("its pickle points at what is no storage")
        kind, key, count = told[1], told[2], told[4]
        if type(kind) is not Name or kind.module != "torch" or type(key) is not str or not _is_count(count):
            raise RefusedPickleError("its pickle points at what is no storage")
        self._stack.append(Storage(key, STORAGES[kind.name], count))


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> Tensor:
    """A tensor all of whose numbers are in its storage, and that has no more numbers than that.

    Raises:
        RefusedPickleError: it is none.
    """
    whole = type(shape) is tuple and type(strides) is tuple and len(shape) == len(strides) <= 8
    if type(storage) is not Storage or not whole or not all(map(_is_count, (offset, *shape, *strides))):
        raise RefusedPickleError("its pickle has a tensor that is none")
    numbers, last = 1, offset
    for side, stride in zip(shape, strides, strict=True):
        numbers *= side
        last += max(side - 1, 0) * stride
    if numbers > storage.count or (numbers and last >= storage.count):
        raise RefusedPickleError(f"its pickle has a tensor of {numbers:,} numbers in a storage of {storage.count:,}")
    return Tensor(storage, offset, shape, strides)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**40


_VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE", "SHORT_BINSTRING", "BINFLOAT"}
_FIXED: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_OPERATIONS: dict[str, Callable[[_Reader, Any], None]] = {
    "PROTO": _Reader._nothing,
    "MARK": _Reader._mark,
    "BINPUT": _Reader._put,
    "LONG_BINPUT": _Reader._put,
    "BINGET": _Reader._get,
    "LONG_BINGET": _Reader._get,
    "TUPLE": _Reader._tuple,
    "TUPLE1": lambda reader, _: reader._short_tuple(1),
    "TUPLE2": lambda reader, _: reader._short_tuple(2),
    "TUPLE3": lambda reader, _: reader._short_tuple(3),
    "APPEND": _Reader._append,
    "APPENDS": _Reader._appends,
    "SETITEM": _Reader._set,
    "SETITEMS": _Reader._sets,
    "GLOBAL": _Reader._name,
    "REDUCE": _Reader._call,
    "BUILD": _Reader._state,
    "BINPERSID": _Reader._storage,
}
