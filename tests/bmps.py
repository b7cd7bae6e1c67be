"""BMP files of every header, depth and compression, with the pixels that they hold; Pillow writes only a few."""

import struct
from collections.abc import Sequence

import numpy as np

CORE, INFO, V2, V3, OS2, V4, V5 = 12, 40, 52, 56, 64, 108, 124
HEIGHT, WIDTH = 7, 11
_Y, _X = np.mgrid[0:HEIGHT, 0:WIDTH]
RGB = np.stack([_X * 25, _Y * 40, 255 - _X * 11 - _Y * 17], axis=-1).astype(np.uint8)
ALPHA = (255 - _X * 20).astype(np.uint8)
USUAL, HIGH, FULL_ALPHA = (0xFF0000, 0xFF00, 0xFF), (0xF800, 0x7E0, 0x1F), (0xFF0000, 0xFF00, 0xFF, 0xFF000000)


def bmp(
    size: tuple[int, int],
    bits: int,
    rows: Sequence[bytes] | bytes,
    *,
    header: int = INFO,
    compression: int = 0,
    masks: Sequence[int] = (),
    palette: Sequence[tuple[int, int, int]] = (),
    top_down: bool = False,
    colours: int | None = None,
    gap: int = 0,
) -> bytes:
    """A file of `rows`, the upper one first, or of bytes as they are; the palette is of (red, green, blue)."""
    height, width = size
    if not isinstance(rows, bytes):
        padded = [row + bytes(-len(row) % 4) for row in rows]
        rows = b"".join(padded if top_down else padded[::-1])
    if header == CORE:
        head = struct.pack("<IHHHH", CORE, width, height, 1, bits)
    else:
        signed = -height if top_down else height
        fields = (header, width, signed, 1, bits, compression, len(rows), 2835, 2835, 0, 0)
        head = struct.pack("<IiiHHIIiiII", *fields[:9], len(palette) if colours is None else colours, 0)
        head = (head + (struct.pack(f"<{len(masks)}I", *masks) if header > INFO else b"")).ljust(header, b"\0")[:header]
        if header >= V4:
            head = head[:56] + b"BGRs" + head[60:]
    table = struct.pack(f"<{len(masks)}I", *masks) if header == INFO else b""
    table += b"".join(bytes((blue, green, red)) + (b"" if header == CORE else b"\0") for red, green, blue in palette)
    start = 14 + len(head) + len(table) + gap
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + head + table + bytes(gap) + rows


def packed(values: np.ndarray, bits: int) -> list[bytes]:
    """Rows of numbers of 1, 2, 4, 8, 16 or 32 bits."""
    if bits >= 8:
        return [row.astype(f"<u{bits // 8}").tobytes() for row in values]
    ones = (values[:, :, None] >> np.arange(bits - 1, -1, -1)) & 1
    return [np.packbits(row.reshape(-1)).tobytes() for row in ones]


def under(pixels: np.ndarray, masks: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """(numbers, pixels as they come back) of channels 0 to 255 stored under masks."""
    numbers, back = np.zeros(pixels.shape[:2], np.uint64), np.zeros_like(pixels)
    for channel, mask in enumerate(masks):
        if mask:
            shift = (mask & -mask).bit_length() - 1
            most = mask >> shift
            stored = np.rint(pixels[:, :, channel] / 255 * most).astype(np.uint64)
            numbers |= stored << np.uint64(shift)
            back[:, :, channel] = np.floor(stored * 255 / most + 0.5)
    return numbers, back


def run_lengths(indices: np.ndarray, half: bool) -> bytes:
    """Every sort of code: runs, pixels one by one, ends of rows, a jump over index 0, the end."""
    out = b""
    for row in indices[::-1]:
        at = 0
        while at < len(row):
            same = 1
            while at + same < len(row) and same < 255 and row[at + same] == row[at]:
                same += 1
            if row[at] == 0 and same > 1:
                out += bytes((0, 2, same, 0))
            elif same > 1 or len(row) - at < 3:
                out += bytes((same, int(row[at]) * 17 if half else int(row[at])))
            else:
                same = min(len(row) - at, 5)
                single = [int(value) for value in row[at : at + same]]
                if half:
                    single += [0] * (same % 2)
                    single = [high << 4 | low for high, low in zip(single[::2], single[1::2], strict=True)]
                out += bytes((0, same, *single)) + bytes(len(single) % 2)
            at += same
        out += b"\0\0"
    return out + b"\0\1"


def every_bmp() -> dict[str, tuple[bytes, np.ndarray]]:
    """(file, its pixels as RGB or RGBA) by a name."""
    size = (HEIGHT, WIDTH)
    bgr = [row[:, ::-1].tobytes() for row in RGB]
    found = {
        "24 bits": (bmp(size, 24, bgr), RGB),
        "24 bits, top down": (bmp(size, 24, bgr, top_down=True), RGB),
        "24 bits, OS/2": (bmp(size, 24, bgr, header=CORE), RGB),
        "24 bits, V5": (bmp(size, 24, bgr, header=V5), RGB),
        "24 bits, a palette that is not used": (bmp(size, 24, bgr, palette=[(1, 2, 3)] * 9), RGB),
        "24 bits, a gap": (bmp(size, 24, bgr, gap=37), RGB),
    }
    for name, masks in {
        "": USUAL,
        " xBGR": (0xFF000000, 0xFF0000, 0xFF00),
        " RGBx": (0xFF, 0xFF00, 0xFF0000),
        " 10 bits": (0x3FF00000, 0xFFC00, 0x3FF),
        " 7187": (0x7F, 0x1000, 0xFF000000),
    }.items():
        values, back = under(RGB, masks)
        rows = packed(values | np.uint64(0), 32)
        found |= {
            f"32 bits{name}, masks behind 40": (bmp(size, 32, rows, compression=3, masks=masks), back),
            f"32 bits{name}, masks in 52": (bmp(size, 32, rows, header=V2, compression=3, masks=masks), back),
            f"32 bits{name}, masks in V4": (bmp(size, 32, rows, header=V4, compression=3, masks=masks), back),
        }
    plain = packed(under(RGB, USUAL)[0] | np.uint64(0x55000000), 32)
    found["32 bits"] = bmp(size, 32, plain), RGB
    found["32 bits, V5 without masks in use"] = bmp(size, 32, plain, header=V5, masks=FULL_ALPHA), RGB
    rgba = np.dstack([RGB, ALPHA])
    for name, alpha_masks in {"BGRA": FULL_ALPHA, "1010102": (0x3FF00000, 0xFFC00, 0x3FF, 0xC0000000)}.items():
        values, back = under(rgba, alpha_masks)
        rows = packed(values, 32)
        for header in (V3, V4, V5):
            found[f"32 bits {name} in {header}"] = (
                bmp(size, 32, rows, header=header, compression=3, masks=alpha_masks),
                back,
            )
        found[f"32 bits {name} behind 40"] = bmp(size, 32, rows, compression=6, masks=alpha_masks), back
    for name, masks in {
        "565": HIGH,
        "555": (0x7C00, 0x3E0, 0x1F),
        "880": (0xFF00, 0xFF, 0),
        "444": (0xF00, 0xF0, 15),
    }.items():
        values, back = under(RGB, masks)
        for header in (INFO, V2, V3, V4, V5):
            file = bmp(size, 16, packed(values, 16), header=header, compression=3, masks=masks)
            found[f"16 bits {name} in {header}"] = file, back
        if name == "555":
            found["16 bits"] = bmp(size, 16, packed(values, 16)), back
    values, back = under(rgba, (0xF00, 0xF0, 0xF, 0xF000))
    masks4 = (0xF00, 0xF0, 0xF, 0xF000)
    found["16 bits 4444"] = bmp(size, 16, packed(values, 16), header=V5, compression=3, masks=masks4), back
    for bits in (1, 2, 4, 8):
        count = min(2**bits, 77)
        colours = [((number * 91 + 13) % 256, (number * 53) % 256, 255 - number * 3) for number in range(count)]
        indices = (np.arange(HEIGHT * WIDTH).reshape(size) * 5 + 1) % count
        indices[2] = 0
        indices[3, 3:] = count - 1
        back, rows = np.array(colours, np.uint8)[indices], packed(indices, bits)
        whole = colours + [(0, 0, 0)] * (2**bits - count)
        found |= {
            f"{bits} bits": (bmp(size, bits, rows, palette=colours), back),
            f"{bits} bits, top down": (bmp(size, bits, rows, palette=colours, top_down=True), back),
            f"{bits} bits, OS/2": (bmp(size, bits, rows, header=CORE, palette=whole), back),
            f"{bits} bits, OS/2 with a short palette": (bmp(size, bits, rows, header=CORE, palette=colours), back),
            f"{bits} bits, OS/2 of 64": (bmp(size, bits, rows, header=OS2, palette=colours), back),
            f"{bits} bits, OS/2 of 16": (bmp(size, bits, rows, header=16, palette=whole), back),
            f"{bits} bits, V5": (bmp(size, bits, rows, header=V5, palette=colours), back),
            f"{bits} bits, whole palette": (bmp(size, bits, rows, palette=whole, colours=0), back),
            f"{bits} bits, many colours": (bmp(size, bits, rows, palette=whole + [(9, 9, 9)] * 300), back),
        }
        if bits >= 4:
            codes = run_lengths(indices, bits == 4)
            found[f"{bits} bits, run lengths"] = (
                bmp(size, bits, codes, compression=6 - bits if bits == 4 else 1, palette=colours),
                back,
            )
    grey = np.arange(HEIGHT * WIDTH).reshape(size) * 3
    found["8 bits, grey"] = (
        bmp(size, 8, packed(grey, 8), palette=[(level, level, level) for level in range(256)]),
        np.dstack([grey] * 3).astype(np.uint8),
    )
    return found
