"""`cnnctl report`."""

import json
from pathlib import Path

from tests.cli.command import fail, succeed
from tests.conftest import Trained


def test_a_report_of_the_latest_run(digits_run: Trained) -> None:
    assert succeed("report", cwd=digits_run.folder, fresh=True) == "open  runs/digits/1/report.html\n"
    value = json.loads(succeed("report", digits_run.run, "--json", cwd=digits_run.folder))
    assert value == {"report": str(digits_run.run / "report.html"), "bytes": Path(value["report"]).stat().st_size}


def test_mistakes(tmp_path: Path) -> None:
    assert "there is no run yet" in fail(4, "report", cwd=tmp_path)
    assert "there is no run at gone" in fail(4, "report", "gone", cwd=tmp_path)
