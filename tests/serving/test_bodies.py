"""All bodies together may hold so many bytes and no more."""

import pytest

from cnnctl.serving.bodies import ByteBudget
from cnnctl.serving.errors import RequestError


def test_a_purse_is_for_all_and_gets_everything_back():
    purse = ByteBudget(100)
    with purse.opened() as first:
        first(60)
        with purse.opened() as second:
            second(40)
            with pytest.raises(RequestError, match="too many large images") as refused:
                second(1)
            assert (refused.value.status, refused.value.headers) == (503, {"retry-after": "1"})
        with purse.opened() as third, pytest.raises(RequestError):
            third(41)
        first(40)
    with purse.opened() as last:
        last(100)
