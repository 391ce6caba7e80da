"""The committed JSON is what the code says, and a difference is found."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from dashboards.__main__ import main
from dashboards.files import DASHBOARDS, FOLDER, drifted, write


def test_the_committed_json_is_what_the_code_says() -> None:
    assert drifted(FOLDER) == []


def test_a_changed_a_missing_and_an_unknown_file_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    changed, missing, *_ = DASHBOARDS
    (tmp_path / f"{changed}.json").write_text("{}", "utf-8")
    (tmp_path / f"{missing}.json").unlink()
    (tmp_path / "old.json").write_text("{}", "utf-8")
    assert drifted(tmp_path) == sorted([f"{changed}.json", f"{missing}.json", "old.json"])
    write(tmp_path)
    assert drifted(tmp_path) == []
    assert not (tmp_path / "old.json").exists()


def test_the_check_changes_nothing_and_fails(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["--check", "--folder", str(tmp_path)])
    assert done.exit_code == 1
    assert "execution-pipeline.json is not what its source says" in done.output
    assert not list(tmp_path.iterdir())
    CliRunner().invoke(main, ["--folder", str(tmp_path)])
    assert CliRunner().invoke(main, ["--check", "--folder", str(tmp_path)]).exit_code == 0
