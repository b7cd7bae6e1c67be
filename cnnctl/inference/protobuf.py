"""A glance at the bytes of an ONNX file, without the onnx package, which takes 0.3 s to import."""

from collections.abc import Iterator

_WITHIN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""Field numbers of messages within messages (onnx.proto3), as far as tensors may lie in them."""

_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


def keeps_weights_elsewhere(content: bytes) -> bool:
    """Whether a tensor of an ONNX model says that its values lie in another file.

    What is no protobuf says nothing of the kind; ONNX Runtime refuses it.
    """
    try:
        return _looks_elsewhere(memoryview(content), "model")
    except (IndexError, RecursionError):
        return False


def _looks_elsewhere(message: memoryview, kind: str) -> bool:
    for field, value in _fields(message):
        if kind == "tensor" and field == _EXTERNAL_DATA:
            return True
        if kind == "tensor" and field == _DATA_LOCATION and value != 0:
            return True
        inner = _WITHIN[kind].get(field)
        if inner is not None and isinstance(value, memoryview) and _looks_elsewhere(value, inner):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, "memoryview | int"]]:
    """(field number, value) of each field; source: the protocol buffers encoding, developers' guide."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        match key & 7:
            case 0:
                value, at = _varint(message, at)
                yield key >> 3, value
            case 1:
                at += 8
            case 2:
                length, at = _varint(message, at)
                yield key >> 3, message[at : at + length]
                at += length
            case 5:
                at += 4
            case _:
                return


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
