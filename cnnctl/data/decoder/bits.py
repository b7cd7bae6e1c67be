"""The bits of a header that is packed into no whole bytes."""


class Bits:
    """The bits of the bytes from a place on, the highest of each first; a header has at most 512 bytes."""

    def __init__(self, data: bytes, at: int) -> None:
        self._bits = int.from_bytes(data[at : at + 512].ljust(512, b"\0"), "big")
        self._left = 512 * 8

    def read(self, count: int) -> int:
        """The number in so many bits.

        Raises:
            ValueError: no header is so long.
        """
        self._left -= count
        if self._left < 0:
            raise ValueError("a header without an end")
        return self._bits >> self._left & ((1 << count) - 1)

    def read_exp_golomb(self) -> int:
        """A number with as many zeros before it as it has bits after its first: `ue(v)` and `uvlc()`."""
        zeros = 0
        while zeros < 32 and not self.read(1):
            zeros += 1
        return (1 << zeros) - 1 + self.read(zeros) if zeros < 32 else (1 << 32) - 1
