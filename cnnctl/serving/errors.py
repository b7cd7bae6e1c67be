"""Requests that are not answered, each with its reason in JSON."""

import json
from collections.abc import Mapping

from starlette.responses import Response

RETRY = {"retry-after": "1"}
CLIENT_GONE = 499
"""Nobody reads this status; it is for the metrics, where nginx's users know it."""


class RequestError(Exception):
    """A request that gets a reason instead of an answer: `error` says what is wrong, `hint` how to mend it."""

    def __init__(
        self, status: int, error: str, hint: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.hint = hint
        self.headers = headers

    def response(self) -> Response:
        """`{"error": ..., "hint": ...}`; the hint is null where there is none."""
        content = json.dumps({"error": self.error, "hint": self.hint})
        return Response(content, self.status, self.headers, media_type="application/json")


def too_busy(error: str) -> RequestError:
    """503: there is too much to do, which will pass."""
    return RequestError(503, error, "try again in a moment", RETRY)


BUG = RequestError(500, "this is a bug of the server, not of the request", "the output of the server has the traceback")
