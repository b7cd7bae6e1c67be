"""A process that decodes, and does what the content says where it is no image."""

import os
import signal
import time
from typing import Any

import numpy as np

from cnnctl.data.decoder import images
from cnnctl.serving import decoding_process

PROGRAM = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from tests.serving.misbehaving import main
main()
"""


def misbehave(content: bytes, spec: images.ImageSpec) -> Any:
    """What a decoder may do, at worst."""
    what, _, amount = content.partition(b" ")
    match what:
        case b"sleep":
            seconds, _, content = amount.partition(b" ")
            time.sleep(float(seconds))
        case b"spin":
            sum(range(10**12))
        case b"crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case b"exit":
            os._exit(0)
        case b"overflow":
            raise OverflowError("cannot fit 'int' into an index-sized integer")
        case b"memory":
            return np.ones(10**11, np.uint8)
        case b"budget":
            with images.BUDGET.taken(int(amount)):
                time.sleep(1)
                return np.zeros(spec.shape, np.uint8)
    return images.decode(content, spec)


def main() -> None:
    """That of the real process, with another decoder and less processor time."""
    decoding_process.decode = misbehave
    decoding_process.PROCESSOR_SECONDS = 0
    decoding_process.main()
