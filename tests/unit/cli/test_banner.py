from __future__ import annotations

import pytest

from service.cli.banner import banner

PUBLIC, OPERATOR = "http://127.0.0.1:8080", "http://127.0.0.1:8081"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_banner_names_addresses_secrets_and_a_command_to_paste(folder):
    lines = banner(
        PUBLIC, OPERATOR, folder / "var/secrets", None, environ={}, program=str(folder / ".venv/bin/fillpath")
    )

    assert lines == [
        "Fillpath is ready.",
        "  alerts    http://127.0.0.1:8080/webhook/{source}",
        "  operator  http://127.0.0.1:8081",
        "  secrets   ./var/secrets (readable by you only, never printed)",
        "Try it in another terminal:",
        "  .venv/bin/fillpath send --symbol BTC/USDT --side buy --quantity 0.01",
    ]


def test_the_log_file_is_named_where_there_is_one(folder):
    assert "  log       ./var/fillpath.log" in banner(
        PUBLIC, OPERATOR, folder / "s", folder / "var/fillpath.log", environ={}, program="fillpath"
    )


def test_the_command_takes_settings_of_the_environment_along_with_the_ports_that_were_taken(folder):
    environ = {"FILLPATH_PORT": "0", "FILLPATH_DATA_DIR": "a b", "FILLPATH_OPERATOR_TOKEN": "hidden"}

    command = banner("http://127.0.0.1:4711", OPERATOR, folder, None, environ=environ, program="/x/fillpath")[-1]

    assert command.startswith("  FILLPATH_DATA_DIR='a b' FILLPATH_PORT=4711 /x/fillpath send ")
    assert "hidden" not in command
