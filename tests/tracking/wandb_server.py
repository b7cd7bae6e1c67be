"""A stand-in for the server of Weights & Biases: what its client asks to keep one run, and no more."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Server(ThreadingHTTPServer):
    """It keeps what was logged of a run, by all requests.

    Attributes:
        history: The points of the curves, in the order in which they came.
        summary: The last value of each metric.
        exit_codes: Of each start of the run that has ended.
        received: The bodies of all requests, one after the other.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.history: list[dict[str, Any]] = []
        self.summary: dict[str, Any] = {}
        self.exit_codes: list[int] = []
        self.received = b""
        self._names: set[str] = set()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def stream(self, sent: dict[str, Any]) -> None:
        """Take what a client streams while a run is recorded."""
        files = sent.get("files") or {}
        if "wandb-history.jsonl" in files:
            history = files["wandb-history.jsonl"]
            self.history[history["offset"] :] = map(json.loads, history["content"])
        for line in files.get("wandb-summary.json", {"content": []})["content"]:
            self.summary.update(json.loads(line))
        if sent.get("complete"):
            self.exit_codes.append(sent["exitcode"])

    def answer(self, operation: str, given: dict[str, Any]) -> dict[str, Any]:
        """The data of a GraphQL request; none of those that it does not know."""
        whose = {"id": "1", "name": given.get("project"), "entity": {"id": "2", "name": "me"}}
        bucket = {"id": "3", "name": given.get("name"), "displayName": "", "historyLineCount": len(self.history)}
        if operation == "UpsertBucket":
            self._names.add(given["name"])
            return {"upsertBucket": {"inserted": True, "bucket": {**bucket, "project": whose}}}
        if operation == "CreateRunFiles":
            files = [{"name": name, "uploadUrl": f"{self.address}/upload"} for name in given["files"]]
            return {"createRunFiles": {"runID": "3", "uploadHeaders": [], "files": files}}
        if operation == "RunResumeStatus" and given["name"] in self._names:
            tails = {"historyTail": json.dumps([json.dumps(one) for one in self.history[-1:]]), "eventsTail": "[]"}
            lines = {"logLineCount": 0, "eventsLineCount": 0, "tags": [], "config": "{}", "wandbConfig": '{"t": 1}'}
            return {
                "model": {**whose, "bucket": {**bucket, **tails, **lines, "summaryMetrics": json.dumps(self.summary)}}
            }
        return {}


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.received += body
        answer: dict[str, Any] = {}
        if self.path == "/graphql":
            asked = json.loads(body)
            answer = {"data": self.server.answer(asked["operationName"], asked.get("variables") or {})}
        elif self.path.endswith("/file_stream"):
            self.server.stream(json.loads(body))
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_PUT(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def standing_in() -> Iterator[Server]:
    """A server for the block."""
    with Server() as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
