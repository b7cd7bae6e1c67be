"""The OpenAPI description, held to by schemathesis: it makes requests of it and compares the answers."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.serving.build import Served

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
