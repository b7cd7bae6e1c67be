"""The page and what belongs to it, read once; and a page on the API, made from its description."""

import hashlib
import re
from html import escape
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

_FOLDER = Path(__file__).parent / "static"
_KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
FILES = {"/": "index.html", "/page.js": "page.js", "/page.css": "page.css", "/icon.svg": "icon.svg"}


class Static:
    """A file of static/, which browsers ask for again only once it has changed."""

    def __init__(self, name: str) -> None:
        path = _FOLDER / name
        self._content = path.read_bytes()
        self._kind = _KINDS[path.suffix]
        self._headers = {
            "etag": f'"{hashlib.sha256(self._content).hexdigest()[:32]}"',
            "cache-control": "no-cache",
        }

    async def __call__(self, request: Request) -> Response:
        """The file, or 304 where the browser has it."""
        if request.headers.get("if-none-match") == self._headers["etag"]:
            return Response(status_code=304, headers=self._headers)
        return Response(self._content, headers=self._headers, media_type=self._kind)


def docs(description: dict[str, Any], address: str) -> str:
    """A page on every operation of an OpenAPI description, with examples for the server at an address."""
    server = escape(address)
    parts = []
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            rows = "".join(
                f"<tr><th scope=row>{escape(status)}</th><td>{_marked(answer['description'])}</td></tr>"
                for status, answer in sorted(operation["responses"].items())
            )
            words = _marked(operation.get("description", ""))
            parts.append(
                f"<section><h2><code>{method.upper()} {escape(path)}</code></h2><p>{words}</p>"
                f"<table><thead><tr><th scope=col>status</th><th scope=col>what it says</th></tr></thead>"
                f"<tbody>{rows}</tbody></table></section>"
            )
    info = description["info"]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(info['title'])}</title>\n"
        '<link rel="stylesheet" href="page.css">\n<link rel="icon" href="icon.svg">\n</head>\n<body>\n'
        f"<main><h1>{escape(info['title'])}</h1><p>{escape(info['description'])}</p>"
        f"<pre tabindex=0>curl -F image=@cat.jpg {server}/v1/predict\n"
        f"curl -F image=@cat.jpg -F image=@dog.jpg '{server}/v1/predict?top=2'\n"
        f"curl -H 'Content-Type: image/jpeg' --data-binary @cat.jpg {server}/v1/predict</pre>"
        '<p><a href="openapi.json">openapi.json</a> describes it to programs; <a href="./">the page</a> '
        "is for people.</p>\n" + "\n".join(parts) + "\n</main>\n</body>\n</html>\n"
    )


def _marked(text: str) -> str:
    """Text with `code` in it as HTML."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))
