"""The OpenAPI description, held to by schemathesis: it makes requests of it and compares the answers."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.serving.build import RED, Reply, Served

REJECTIONS = """\
[checks]
negative_data_rejection.expected-statuses = ["400", "403", "404", "405", "413", "415", "422"]
"""
"""413 is among them: too many images."""


def test_the_server_keeps_to_its_description(served: Served, tmp_path: Path) -> None:
    schemathesis = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    assert schemathesis is not None
    command = [schemathesis, "run", f"{served.url}/openapi.json", "--seed", "1", "--max-examples", "15", "--no-color"]
    (tmp_path / "schemathesis.toml").write_text(REJECTIONS)
    unfit = "positive_data_acceptance"  # no description of bytes says which of them are an image
    done = subprocess.run(
        [*command, "--phases", "coverage,fuzzing", "--exclude-checks", unfit],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert served.raw(b"", "/healthz").status == 405
    described = served.ask("GET", "/openapi.json").json["paths"]
    for path, most in (("/v1/predict", 4), ("/v1/view", 1)):
        form = described[path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert form["properties"]["image"]["maxItems"] == most
    counted = served.ask("GET", "/metrics").body.decode()
    assert 'path="/v1/predict",status="422"' in counted
    assert 'status="500"' not in counted


def test_what_is_answered_is_what_the_description_says(served: Served) -> None:
    """Schemathesis sends bytes that are no images; these are answers to some that are."""
    api = served.ask("GET", "/openapi.json").json

    def insist(got: Reply, method: str, path: str, status: int) -> Any:
        assert got.status == status, got.body
        described = api["paths"][path][method.lower()]["responses"][str(status)]["content"]
        kind = got.headers["content-type"].partition(";")[0]
        assert list(described) == [kind]
        if kind == "application/json":
            schema = {**described[kind]["schema"], "components": api["components"]}
            Draft202012Validator(schema).validate(got.json)
        return got.json if kind == "application/json" else got.body

    (row,) = insist(served.raw(RED), "POST", "/v1/predict", 200)
    assert row["label"] == "red"
    several = served.send(("a.png", RED), ("b.png", b"no image"), path="/v1/predict?top=1")
    assert [set(one) for one in insist(several, "POST", "/v1/predict", 200)] == [
        {"path", "label", "probability", "top", "unknown", "unknown_score", "unknown_threshold"},
        {"path", "label", "probability", "top", "unknown", "unknown_score", "unknown_threshold", "error"},
    ]
    seen = insist(served.send(("a.png", RED), path="/v1/view"), "POST", "/v1/view", 200)
    assert seen.startswith(b"\x89PNG")
    for path in ("/v1/view", "/v1/predict"):
        most = api["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        count = most["properties"]["image"]["maxItems"]
        assert served.send(*[("a.png", RED)] * count, path=path).status == 200
        many = served.send(*[("a.png", RED)] * (count + 1), path=path)
        insist(many, "POST", path, 422 if path == "/v1/view" else 413)
        insist(served.raw(b"no image", path), "POST", path, 415)
        insist(served.raw(b"", path), "POST", path, 422)
        insist(served.raw(bytes(1_100_000), path), "POST", path, 413)
    insist(served.raw(RED, "/v1/predict?top=0"), "POST", "/v1/predict", 422)
    insist(served.ask("GET", "/healthz"), "GET", "/healthz", 200)
    assert insist(served.ask("GET", "/v1/model"), "GET", "/v1/model", 200)["classes"] == ["red", "green", "blue"]
    insist(served.ask("GET", "/metrics"), "GET", "/metrics", 200)
    insist(served.ask("GET", "/healthz", headers={"Host": "evil.example"}), "GET", "/healthz", 403)
    assert "/v1/explain" not in api["paths"]  # the run has no model.keras
