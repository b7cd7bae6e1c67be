"""Small JPEG files of the sorts that Pillow cannot write, and one of any number of scans."""

import base64
import struct

import numpy as np

HEIGHT, WIDTH = 8, 12
_Y, _X = np.mgrid[0:HEIGHT, 0:WIDTH]
GREY = (_X * 20 + _Y * 3).astype(np.uint8)
RGB = np.stack([_X * 20, _Y * 30, 255 - _X * 9 - _Y * 9], axis=-1).astype(np.uint8)

# GREY and RGB by imagecodecs 2026.3 (libjpeg-turbo 3.1, CharLS 2.4) and by jpegtran -arithmetic
_ENCODED = {
    "12-bit": """
        /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8X
        GBYUGBIUFRT/wQALDAAIAAwBAREA/8QAFQABAQAAAAAAAAAAAAAAAAAACw3/xAAhEAAABAUFAAAAAAAAAAAAAAAACSVDBAgLDCo4U1Vkc//a
        AAgBAQAAPwABS0myStGiBxDXmK0BTbySsTWVVA3murBj/9k=
    """,
    "lossless grey": """
        /9j/4AAQSkZJRgABAQAAAQABAAD/wwALCAAIAAwBAREA/8QAFgABAQEAAAAAAAAAAAAAAAAABQII/9oACAEBAAEAAM/qKKKKKKKKKKWooooo
        ooooopaiiiiiiiiiilqKKKKKKKKKKWoooooooooopaiiiiiiiiiilqKKKKKKKKKKWoooooooooop/9k=
    """,
    "lossless rgb": """
        /9j/7gAOQWRvYmUAZAAAAAAA/8MAEQgACAAMA1IRAEcRAEIRAP/EABgAAAMBAQAAAAAAAAAAAAAAAAAEBQgH/9oADANSAEcAQgABAADP+f8A
        v9QWqC1QWqC1QWqC1QWqC1QWqC1QWLy1QWqC1QWqC1QWqC1QWqC1QWqC1QWLy1QWqC1QWqC1QWqC1QWqC1QWqC1QWLy1QWqC1QWqC1QWqC1Q
        WqC1QWqC1QWLy1QWqC1QWqC1QWqC1QWqC1QWqC1QWLy1QWqC1QWqC1QWqC1QWqC1QWqC1QWLy1QWqC1QWqC1QWqC1QWqC1QWqC1QWLy1QWqC
        1QWqC1QWqC1QWqC1QWqC1QW//9k=
    """,
    "lossless 16-bit": """
        /9j/4AAQSkZJRgABAQAAAQABAAD/wwALEAAIAAwBAREA/8QAFgABAQEAAAAAAAAAAAAAAAAADQoQ/9oACAEBAAEAAMoKKCigooKKCigooKKC
        igooKKClgagooKKCigooKKCigooKKCigooKWBqCigooKKCigooKKCigooKKCigpYGoKKCigooKKCigooKKCigooKKClgagooKKCigooKKCig
        ooKKCigooKWBqCigooKKCigooKKCigooKKCigpYGoKKCigooKKCigooKKCigooKKClgagooKKCigooKKCigooKKCigooKf/Z
    """,
    "jpeg-ls": """
        /9j/6AAgU1BJRkYAAgAAAQAAAAgAAAAMCggGAQAAASwAAAEs/+gACAAAAAH/2P/3AAsIAAgADAEBEQD/2gAIAQEAAAAAgBwBwBypMi+62yuz
        JtKqZv9on/7f/t/8n/1/8P/Z
    """,
    "arithmetic": """
        /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8X
        GBYUGBIUFRT/2wBDAQMEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBT/yQAR
        CAAIAAwDAREAAhEBAxEB/8wACgAQEAUBEBEF/9oADAMBAAIRAxEAPwD/AJDcfTZYRwyGNnEh1XrbGJPwkgyp5+zbFZBTHtzKqZtS1n7s01UJ
        4yEAoBRK2LBA/9k=
    """,
    "arithmetic progressive": """
        /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8X
        GBYUGBIUFRT/2wBDAQMEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBT/ygAR
        CAAIAAwDAREAAhEBAxEB/8wABgAQARD/2gAMAwEAAhADEAAAAf8AFqN+rqi3kC//zAAEEAX/2gAIAQEAAQUCFajqgikW+v/MAAQRBf/aAAgB
        AwEBPwEWLv2dRn9GQOD/zAAEEQX/2gAIAQIBAT8BOpzRktXLM9Rg/8wABBAF/9oACAEBAAY/AmHF/8wABBAF/9oACAEBAAE/ISeEX6Qg/9oA
        DAMBAAIAAwAAABCo/8wABBEF/9oACAEDAQE/EKY2/8wABBEF/9oACAECAQE/EEzX/8wABBAF/9oACAEBAAE/ENYcjxj/2Q==
    """,
}
SORTS = {name: base64.b64decode(text) for name, text in _ENCODED.items()}


def _packed(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def of_scans(height: int, width: int, scans: int, between: bytes = b"") -> bytes:
    """A progressive grey JPEG: one scan of the means, then empty ones, with something before each."""
    blocks = -(-width // 8) * -(-height // 8)
    first = _segment(0xDA, bytes([1, 1, 0x00, 0, 0, 0])) + _packed("0" * blocks)
    empty, left = "", blocks
    while left >= 16384:
        run = min(left, 32767)
        empty, left = empty + f"0{run - 16384:014b}", left - run
    more = _segment(0xDA, bytes([1, 1, 0x00, 1, 63, 0])) + _packed(empty + "10" * left)
    tables = _segment(0xDB, b"\0" + bytes([1] * 64)) + _segment(
        0xC2, struct.pack(">BHHB3B", 8, height, width, 1, 1, 17, 0)
    )
    tables += _segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\x00")
    tables += _segment(0xC4, b"\x10" + bytes([1, 1] + [0] * 14) + b"\xe0\x00")
    return b"\xff\xd8" + tables + first + (between + more) * (scans - 1) + b"\xff\xd9"
