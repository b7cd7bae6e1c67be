"""The header of a PBM, PGM or PPM file, and the file with a header that can be read in one way only.

OpenCV ignores the largest value of binary files, and readers differ over a comment right behind a number: what is left
to OpenCV is the pixels.

Source: netpbm's pbm(5), pgm(5) and ppm(5).
"""

import re
from typing import NamedTuple

from cnnctl.data.decoder.refusals import ImageError

_LONGEST = 2**16  # bytes of a header with its comments
_NUMBER = rb"\s(?:\s|#[^\n\r]*[\n\r])*(\d{1,9})"
_COMMENT_BEHIND_NUMBER = re.compile(rb"P[1-6](?:\s|#[^\n\r]*[\n\r]|\d)*?\d#")
_BILEVEL = re.compile(rb"P[14]" + _NUMBER * 2 + rb"\s", re.ASCII)
_GREY_OR_COLOUR = re.compile(rb"P[2356]" + _NUMBER * 3 + rb"\s", re.ASCII)


class Header(NamedTuple):
    """`largest` is the value of white in the pixels, which begin at `start`."""

    height: int
    width: int
    largest: int
    start: int


def header(data: bytes) -> Header:
    """What stands before the pixels.

    Raises:
        ImageError: programs read it differently.
        ValueError: it is no header.
    """
    bilevel = data[1:2] in (b"1", b"4")
    found = (_BILEVEL if bilevel else _GREY_OR_COLOUR).match(data[:_LONGEST])
    if found is None and _COMMENT_BEHIND_NUMBER.match(data[:_LONGEST]):
        raise ImageError(
            "its header has a comment right behind a number, which programs read differently",
            "write the comment on a line of its own",
        )
    if found is None:
        raise ValueError("no header")
    width, height, *largest = map(int, found.groups())
    if largest and not 0 < largest[0] < 65536:
        raise ValueError("the largest value is not 1 to 65535")
    return Header(height, width, largest[0] if largest else 1, found.end())


def largest_value(data: bytes) -> int:
    """The value of white in the decoded pixels of `with_a_plain_header`."""
    return 255 if data[1:2] in (b"1", b"4") else header(data).largest


def with_a_plain_header(data: bytes) -> bytes:
    """The same pixels behind a header without comments, whose largest value lets OpenCV leave them as they are."""
    height, width, largest, start = header(data)
    most = b"" if data[1:2] in (b"1", b"4") else b"255\n" if largest < 256 else b"65535\n"
    return data[:2] + b"\n%d %d\n" % (width, height) + most + data[start:]
