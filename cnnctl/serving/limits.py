"""What one request may cost, and all of them together."""

from dataclasses import dataclass

BODIES_AT_ONCE = 4
"""Bodies of the largest size that are held at once; of smaller ones there may be more."""


@dataclass(frozen=True)
class Limits:
    """What a request may cost.

    `body_bytes` and `images` are of one request, `queue` counts the images of all requests that wait for the network.
    `seconds` are from a request's first byte to its answer; as long again for those under way when the server ends.
    """

    body_bytes: int
    images: int = 64
    seconds: float = 30.0
    queue: int = 256

    @property
    def images_at_once(self) -> int:
        """Images that one request may have: more than the queue holds would never be let in."""
        return min(self.images, self.queue)
