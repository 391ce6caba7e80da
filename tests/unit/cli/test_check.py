from __future__ import annotations

import json
import socket

import pytest

from service.cli.check import status_rows
from service.cli.commands import run

STATUS = {
    "journal": {"writable": True, "free_bytes": 5_000_000_000},
    "exchanges": {
        "paper": {
            "connected": True,
            "circuit_breaker": "closed",
            "clock_skew_seconds": 0.0,
            "markets": 2,
            "findings": {},
            "notes": {},
        }
    },
    "halts": {},
    "orders": {"ACCEPTED": 2},
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FILLPATH_PORT", "0")
    monkeypatch.setenv("FILLPATH_OPERATOR_PORT", "0")
    return tmp_path


def test_a_folder_where_a_service_could_start_passes_without_being_changed(folder, capsys):
    assert run(["check"]) == 0
    assert "not made yet; the first start makes it" in capsys.readouterr().out
    assert list(folder.iterdir()) == []


def test_a_wrong_configuration_is_named_and_fails(folder, capsys):
    (folder / "fillpath.toml").write_text("[server]\nprot = 1\n")

    assert run(["check"]) == 1
    assert "`server.prot`" in capsys.readouterr().out


def test_a_secret_that_others_can_read_fails_with_its_fix(folder, capsys):
    secret = folder / "var/secrets/webhook-default"
    secret.parent.mkdir(parents=True)
    secret.write_text("whsec_x")
    secret.chmod(0o644)

    assert run(["check"]) == 1
    assert "run: chmod 600" in capsys.readouterr().out


def test_a_taken_port_fails_and_names_the_setting(folder, capsys, monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setenv("FILLPATH_OPERATOR_PORT", str(other.getsockname()[1]))

        assert run(["check"]) == 1

    assert "FILLPATH_OPERATOR_PORT" in capsys.readouterr().out


def test_a_data_directory_that_is_a_file_fails(folder, capsys):
    (folder / "var").write_text("")

    assert run(["check"]) == 1
    assert "FILLPATH_DATA_DIR" in capsys.readouterr().out


def test_a_healthy_status_passes():
    assert all(row.ok for row in status_rows(STATUS))


@pytest.mark.parametrize(
    ("change", "failing"),
    [
        ({"journal": {"writable": False, "free_bytes": 0}}, "journal"),
        (
            {
                "exchanges": {
                    "x": {
                        "connected": False,
                        "circuit_breaker": "closed",
                        "clock_skew_seconds": None,
                        "markets": 2,
                        "findings": {},
                        "notes": {},
                    }
                }
            },
            "exchange x",
        ),
        (
            {
                "exchanges": {
                    "x": {
                        "connected": True,
                        "circuit_breaker": "open",
                        "clock_skew_seconds": 0.0,
                        "markets": 2,
                        "findings": {},
                        "notes": {},
                    }
                }
            },
            "exchange x",
        ),
        (
            {
                "exchanges": {
                    "x": {
                        "connected": True,
                        "circuit_breaker": "closed",
                        "clock_skew_seconds": -2,
                        "markets": 2,
                        "findings": {},
                        "notes": {},
                    }
                }
            },
            "exchange x",
        ),
    ],
)
def test_what_does_not_work_fails_and_says_what_to_do(change, failing):
    failed = [row for row in status_rows(STATUS | change) if not row.ok]

    assert [row.check for row in failed] == [failing]
    assert failed[0].fix


def test_an_engaged_kill_switch_is_shown_with_the_way_out_but_is_no_failure():
    (row,) = [row for row in status_rows(STATUS | {"halts": {"*": "stop"}}) if row.check == "kill switch"]

    assert (row.ok, row.result, row.fix) == (True, "stop for *", "fillpath resume")


@pytest.fixture
def okx(tmp_path):
    """Two accounts, a file of keys for the first; returns the configuration's path and that file."""
    config = tmp_path / "fillpath.toml"
    config.write_text(
        f'data_dir = "{tmp_path}/var"\n[server]\nport = 1\noperator_port = 1\n[exchanges.x]\nid = "okx"\n'
        '[exchanges.x.accounts.a]\nmarket_type = "spot"\n[exchanges.x.accounts.b]\nmarket_type = "spot"\n'
        '[sources.default]\nauth = "standard"\naccounts = ["a", "b"]\n'
    )
    keys = tmp_path / "var" / "secrets" / "exchange-a"
    keys.parent.mkdir(parents=True)
    keys.touch(0o600)
    return config, keys


def test_missing_and_present_api_keys_are_told_without_their_values(okx, capsys):
    config, keys = okx
    keys.write_text("api_key = very-secret\nsecret = very-secret\npassword = very-secret\n")

    run(["--config", str(config), "check", "--json"])

    told = capsys.readouterr().out
    rows = {row["check"]: row for row in json.loads(told)}
    assert (rows["API keys of a"]["ok"], rows["API keys of b"]["ok"]) == (True, False)
    assert rows["API keys of a"]["result"] == "api_key, secret, password present"
    assert "exchange-b" in rows["API keys of b"]["fix"]
    assert "very-secret" not in told


def test_api_keys_that_are_not_all_that_the_exchange_needs_fail_by_name(okx, capsys):
    config, keys = okx
    keys.write_text("api_key = very-secret\n")

    run(["--config", str(config), "check", "--json"])

    told = capsys.readouterr().out
    (row,) = [row for row in json.loads(told) if row["check"] == "API keys of a"]
    assert not row["ok"]
    assert "secret, password" in row["result"]
    assert "exchange-a" in row["fix"]
    assert "very-secret" not in told


@pytest.mark.parametrize(
    ("environ", "status", "said"),
    [
        ({}, 0, "engine lean"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, 0, "engine sdk, because of OTEL_EXPORTER_OTLP_PROTOCOL=grpc"),
        ({"FILLPATH_TELEMETRY_ENGINE": "off"}, 0, "engine off"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, 1, "no installed package offers"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, 1, "expected http://host:4318"),
    ],
)
def test_the_engine_of_telemetry_is_told_with_its_reason(folder, capsys, monkeypatch, environ, status, said):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    assert run(["check", "--json"]) == status

    assert said in capsys.readouterr().out
