"""TIFF files of every sort, written tag by tag, and JPEG 2000, AVIF and PNM files of every depth."""

import struct
from typing import Any

import numpy as np

from cnnctl.data.decoder.images import opencv

Tags = dict[int, tuple[int, ...]]


def packed(rows: np.ndarray, bits: int, order: str = "<") -> bytes:
    """Rows of samples, (rows, samples), each row in whole bytes."""
    if bits in (8, 16, 32):
        return rows.astype(f"{order}u{bits // 8}").tobytes()
    places = np.arange(bits - 1, -1, -1)
    return np.packbits((rows[..., None] >> places & 1).reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def tiff(samples: np.ndarray, bits: int, photometric: int, **more: Any) -> bytes:
    """An uncompressed file of (height, width) or (height, width, bands).

    `order` is `<` or `>`, `planar` puts the bands one after the other, `rows` are those of a strip, and further tags go
    by their numbers: `t338=(2,)`.
    """
    order, planar = more.pop("order", "<"), more.pop("planar", False)
    samples = samples.reshape(*samples.shape[:2], -1)
    height, width, bands = samples.shape
    rows = more.pop("rows", height)
    planes = [samples[:, :, band] for band in range(bands)] if planar else [samples.reshape(height, -1)]
    strips = [packed(plane[top : top + rows], bits, order) for plane in planes for top in range(0, height, rows)]
    places = [8 + sum(map(len, strips[:number])) for number in range(len(strips) + 1)]
    tags: Tags = {256: (width,), 257: (height,), 258: (bits,) * bands, 259: (1,), 262: (photometric,), 277: (bands,)}
    tags |= {273: tuple(places[:-1]), 278: (rows,), 279: tuple(map(len, strips)), 284: (2 if planar else 1,)}
    tags |= {int(name[1:]): value for name, value in more.items()}
    start = places[-1]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    return head + b"".join(strips) + directory({tag: tags[tag] for tag in tags if tags[tag]}, start, order)


def tiled_tiff(samples: np.ndarray, bits: int, photometric: int, side: int, **more: Any) -> bytes:
    """An uncompressed file of (height, width, bands) in tiles; those at the edges are filled up."""
    height, width, bands = samples.shape
    filled = np.pad(samples, ((0, -height % side), (0, -width % side), (0, 0)))
    corners = [(top, left) for top in range(0, height, side) for left in range(0, width, side)]
    tiles = [packed(filled[top : top + side, left : left + side].reshape(side, -1), bits) for top, left in corners]
    places = [8 + sum(map(len, tiles[:number])) for number in range(len(tiles) + 1)]
    tags: Tags = {256: (width,), 257: (height,), 258: (bits,) * bands, 259: (1,), 262: (photometric,), 277: (bands,)}
    tags |= {322: (side,), 323: (side,), 324: tuple(places[:-1]), 325: tuple(map(len, tiles))}
    tags |= {int(name[1:]): value for name, value in more.items()}
    return b"II*\0" + struct.pack("<I", places[-1]) + b"".join(tiles) + directory(tags, places[-1])


def directory(tags: Tags, start: int, order: str = "<", after: int = 0) -> bytes:
    """A directory that lies at `start`, with its longer values behind it."""
    entries, values = b"", b""
    place = start + 2 + 12 * len(tags) + 4
    for tag, numbers in sorted(tags.items()):
        kind, form = (4, "I") if max(numbers) > 65535 or tag in (273, 279, 330) else (3, "H")
        content = struct.pack(f"{order}{len(numbers)}{form}", *numbers)
        if len(content) > 4:
            where = struct.pack(f"{order}I", place + len(values))
            values += content
        else:
            where = content.ljust(4, b"\0")
        entries += struct.pack(f"{order}HHI", tag, kind, len(numbers)) + where
    return struct.pack(f"{order}H", len(tags)) + entries + struct.pack(f"{order}I", after) + values


def jpeg2000(samples: np.ndarray, bits: tuple[int, ...]) -> bytes:
    """A lossless JP2 file of (height, width, 1, 3 or 4), each component of so many bits, made from one of 16 bits.

    The encoder takes half of the range off the samples and the decoder adds it again: the samples are moved before.
    """
    cv2 = opencv()
    samples = samples.reshape(*samples.shape[:2], -1)
    moved = samples.astype(np.int64) + [(1 << 15) - (1 << (each - 1)) for each in bits]
    moved = moved[:, :, {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[len(bits)]].astype(np.uint16)
    data = bytearray(cv2.imencode(".jp2", moved, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])[1].tobytes())
    at = data.index(b"\xff\x4f\xff\x51") + 42
    data[at : at + 3 * len(bits) : 3] = bytes(each - 1 for each in bits)
    return bytes(data)


def avif(samples: np.ndarray, bits: int) -> bytes:
    """A lossless file of (height, width, 1, 3 or 4)."""
    cv2 = opencv()
    in_order = samples[:, :, {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[samples.shape[2]]]
    depth = [cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_QUALITY, 100]
    return bytes(cv2.imencode(".avif", in_order.astype(np.uint8 if bits == 8 else np.uint16), depth)[1].tobytes())


def pnm(samples: np.ndarray, largest: int, text: bool = False) -> bytes:
    """A PGM or PPM file of (height, width, 1 or 3), in numbers as text where asked."""
    height, width, bands = samples.shape
    kind = (2 if text else 5) + (bands == 3)
    head = b"P%d\n%d %d\n%d\n" % (kind, width, height, largest)
    if text:
        return head + b" ".join(b"%d" % value for value in samples.ravel()) + b"\n"
    return head + samples.astype(np.uint8 if largest < 256 else ">u2").tobytes()
