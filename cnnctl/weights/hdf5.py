"""The layers of an HDF5 file, as Keras writes them today and as it did before Keras 3.

Such a file may come from a stranger. Nothing is followed out of it (links, external data), no array is read before its
size is known to be that of the network, and walks through it end.
"""

from collections.abc import Iterator
from typing import Any

from cnnctl.weights.stored import StoredLayer

_DEEPEST = 12
_MOST_GROUPS = 50_000
_MOST_NAMES = 10_000
_LONGEST_NAME = 1000
_MOST_ARRAYS = 64
_MOST_CHUNK = 2**28
_LEGACY = "layer_names"


def stored_layers(file: Any) -> list[StoredLayer]:
    """The layers of an open h5py.File that have weights; in the order of the network where the file tells it.

    Raises:
        ValueError, LookupError, TypeError, OSError, RuntimeError: the file is damaged or of another kind.
    """
    group = _group(file, "model_weights") if "model_weights" in file else file
    layers = list(_legacy(group) if _has_names(group, _LEGACY) else _walk(group))
    if not layers:
        raise ValueError("it holds no layers with weights")
    return layers


def _walk(root: Any) -> Iterator[StoredLayer]:
    """Keras 3: each layer is a group whose `vars` hold its arrays, by number, and its name as an attribute."""
    waiting: list[tuple[str, Any]] = [("", root)]
    seen = 0
    while waiting:
        place, group = waiting.pop()
        if place.count("/") >= _DEEPEST:
            raise ValueError("its groups lie too deep in each other")
        for key in group:
            seen += 1
            if seen > _MOST_GROUPS:
                raise ValueError(f"it has more than {_MOST_GROUPS:,} groups")
            is_inside = isinstance(group.get(key, getlink=True), _h5py().HardLink)
            if key == "optimizer" or not is_inside or group.get(key, getclass=True) is not _h5py().Group:
                continue
            inner = group[key]
            if key == "vars":
                yield from _layer(place, inner)
            else:
                waiting.append((f"{place}/{key}" if place else key, inner))


def _layer(place: str, variables: Any) -> Iterator[StoredLayer]:
    if not 0 < len(variables) <= _MOST_ARRAYS:
        return
    name = _short_text(variables, "name") or place
    keys = sorted(variables, key=lambda key: (len(key), key))
    yield _stored(name, [_dataset(variables, key) for key in keys], place)


def _legacy(group: Any) -> Iterator[StoredLayer]:
    """Before Keras 3: names of layers, and for each the names of its arrays, trained ones first.

    A layer that is a network itself has the arrays of all its layers, first all that are trained, then the others; the
    names say which layer each belongs to.
    """
    for name in _names(group, _LEGACY):
        inner = _group(group, name)
        arrays = _names(inner, "weight_names")
        owners: dict[str, list[str]] = {}
        for array in arrays:
            owners.setdefault(array.rpartition("/")[0], []).append(array)
        if len(owners) == 1:
            owners = {"": arrays}
        for owner, own in owners.items():
            yield _stored(f"{name}/{owner}" if owner else name, [_dataset(inner, one) for one in own])


def _stored(name: str, datasets: list[Any], place: str = "") -> StoredLayer:
    return StoredLayer(
        name, tuple(tuple(one.shape) for one in datasets), lambda: tuple(one[()] for one in datasets), place
    )


def _group(parent: Any, name: str) -> Any:
    found = _inside(parent, name)
    if not isinstance(found, _h5py().Group):
        raise TypeError(f"{name} is not a group")
    return found


def _dataset(parent: Any, name: str) -> Any:
    """An array that lies in the file, in pieces that memory can hold.

    Raises:
        ValueError, TypeError, KeyError: it does not.
    """
    found = _inside(parent, name)
    if not isinstance(found, _h5py().Dataset) or found.shape is None:
        raise TypeError(f"{name} is not an array")
    if found.external or found.is_virtual:
        raise ValueError(f"{name} lies in another file")
    if found.dtype.kind not in "fiu":
        raise ValueError(f"{name} holds no numbers")
    piece = found.dtype.itemsize
    for side in found.chunks or ():
        piece *= side
    if piece > _MOST_CHUNK:
        raise ValueError(f"{name} is stored in pieces of {piece:,} bytes")
    return found


def _inside(parent: Any, name: str) -> Any:
    """What lies under a name with slashes; each step must be there itself, not a link to it.

    Raises:
        KeyError: there is nothing.
        TypeError: there is a link.
    """
    found = parent
    for part in name.split("/"):
        if not isinstance(found, _h5py().Group) or not part or part not in found:
            raise KeyError(f"there is no {name}")
        if not isinstance(found.get(part, getlink=True), _h5py().HardLink):
            raise TypeError(f"{name} is a link")
        found = found[part]
    return found


def _names(group: Any, attribute: str) -> list[str]:
    """A list of names, which Keras cuts into several attributes where it is long.

    Raises:
        ValueError, TypeError: it is no list of names, or longer than that of any network.
    """
    keys = [attribute] if attribute in group.attrs else []
    while f"{attribute}{len(keys)}" in group.attrs:
        keys.append(f"{attribute}{len(keys)}")
    names: list[str] = []
    for key in keys:
        kept = group.attrs.get_id(key)
        if len(kept.shape) != 1 or len(names) + kept.shape[0] > _MOST_NAMES or kept.dtype.itemsize > _LONGEST_NAME:
            raise ValueError(f"its {key} are no list of names")
        for name in group.attrs[key]:
            if not isinstance(name, (bytes, str)):
                raise TypeError(f"its {key} are no list of names")
            names.append(name.decode("utf-8") if isinstance(name, bytes) else str(name))
    return names


def _has_names(group: Any, attribute: str) -> bool:
    return attribute in group.attrs or f"{attribute}0" in group.attrs


def _short_text(group: Any, attribute: str) -> str | None:
    if attribute not in group.attrs or group.attrs.get_id(attribute).shape != ():
        return None
    value = group.attrs[attribute]
    return value if isinstance(value, str) and len(value) <= _LONGEST_NAME else None


def _h5py() -> Any:
    import h5py

    return h5py
