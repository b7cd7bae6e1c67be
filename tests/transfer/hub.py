"""A stand-in for Hugging Face's hub: what huggingface_hub asks of it for private models, at a loopback address."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_stand_in"


class Hub(ThreadingHTTPServer):
    """The server.

    Attributes:
        models: The files of each model.
        private: Whether each is private.
        commits: The message of each commit.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.models: dict[str, dict[str, bytes]] = {}
        self.private: dict[str, bool] = {}
        self.commits: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if (found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path)) and found[1] in self.server.models:
            return self._file(self.server.models[found[1]], found[2])
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/tree/[^/]+|/revision/[^/]+|)(/.+)?", path):
            return self._model(found[1], found[2], found[3] or "")
        return self._answer(404, {"error": f"no {path}"})

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path == "/api/repos/create":
            said = json.loads(body)
            name = f"{said['organization']}/{said['name']}" if said.get("organization") else said["name"]
            if name in self.server.models:
                return self._answer(409, {"url": f"{self.server.url}/{name}"})
            self.server.models[name] = {".gitattributes": b""}
            self.server.private[name] = bool(said.get("private")) or said.get("visibility") == "private"
            return self._answer(200, {"url": f"{self.server.url}/{name}"})
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit|paths-info)/[^/]+", path)
        if found is None or found[1] not in self.server.models:
            return self._missing()
        files = self.server.models[found[1]]
        if found[2] == "preupload":
            modes = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            return self._answer(200, {"files": modes})
        if found[2] == "paths-info":
            wanted = json.loads(body)["paths"]
            return self._answer(200, [_entry(name, files[name]) for name in wanted if name in files])
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                self.server.commits.append(value["summary"])
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        url = f"{self.server.url}/{found[1]}/commit/{_commit(files)}"
        return self._answer(200, {"success": True, "commitOid": _commit(files), "commitUrl": url})

    def _model(self, name: str, what: str, place: str) -> None:
        if name not in self.server.models or self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._missing()
        files = self.server.models[name]
        if not what.startswith("/tree"):
            siblings = [{"rfilename": one} for one in files]
            return self._answer(200, {"id": name, "sha": _commit(files), "siblings": siblings, "private": True})
        entries = {one: _entry(one, content) for one, content in files.items()}
        for one in files:
            for depth in range(one.count("/")):
                folder = "/".join(one.split("/")[: depth + 1])
                entries[folder] = {"type": "directory", "path": folder, "oid": "0" * 40, "size": 0}
        below = [one for path, one in entries.items() if path.startswith(place.strip("/"))]
        return self._answer(200, below)

    def _file(self, files: dict[str, bytes], name: str) -> None:
        if name not in files or self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._missing("EntryNotFound")
        content, status, more = files[name], 200, {}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if asked:
            start, end = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
            status, more = 206, {"Content-Range": f"bytes {start}-{end}/{len(content)}"}
            content = content[start : end + 1]
        headers = {"ETag": f'"{_oid(files[name])}"', "X-Repo-Commit": _commit(files), **more}
        return self._send(status, content, headers)

    def _missing(self, code: str = "RepoNotFound") -> None:
        self._answer(404, {"error": "not found"}, {"X-Error-Code": code})

    def _answer(self, status: int, said: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(said).encode(), {"Content-Type": "application/json", **(headers or {})})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _commit(files: dict[str, bytes]) -> str:
    return _oid(b"".join(name.encode() + content for name, content in sorted(files.items())))


def _entry(name: str, content: bytes) -> dict[str, Any]:
    return {"type": "file", "path": name, "oid": _oid(content), "size": len(content)}


@contextmanager
def standing_in() -> Iterator[Hub]:
    """A hub that answers for the time of a block."""
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
