"""The configuration: what is right, and how what is wrong is named."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from service.errors import ConfigurationError, SecretError
from service.secrets import Secret, SecretStore
from service.settings import ENVIRONMENT, OTHER_ENVIRONMENT, decode, default_settings, load

ROOT = Path(__file__).resolve().parents[2]
SPOT = {"market_type": "spot"}
SOURCE = {"auth": "standard", "accounts": ["paper-1"]}


def test_without_a_file_the_paper_exchange_and_one_signed_source_are_there(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load({})

    assert loaded.file is None
    assert list(loaded.settings.sources) == ["default"]
    assert len(loaded.settings.accounts) == 4
    assert len(loaded.settings.paper.symbols) == 16


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"servr": {}}, r"`servr` is not known; did you mean server\?"),
        ({"server": {"prot": 1}}, r"`server.prot` is not known; did you mean port\?"),
        ({"sources": {"a": SOURCE | {"burts": 1}}}, r"`sources.a.burts` is not known; did you mean burst\?"),
        ({"sources": {"a": SOURCE | {"accounts": ["papr-1"]}}}, "did you mean paper-1"),
        ({"sources": {"a": SOURCE | {"auth": "none"}}}, "auth"),
        ({"sources": {"A b": SOURCE}}, "cannot be a name"),
        ({"sources": {"unknown": SOURCE}}, "cannot be a name"),
        ({"sources": {"a": SOURCE | {"addresses": ["1.2.3"]}}}, "neither an address nor a network"),
        ({"sources": {"a": SOURCE | {"max_drift_bps": "NaN"}}}, "max_drift_bps"),
        ({"sources": {}}, "no source is configured"),
        ({"server": {"port": 70000}}, "port"),
        ({"exchanges": {"x": {"id": "okx", "accounts": {}}}}, "at least one account"),
        ({"exchanges": {"x": {"id": "okx", "accounts": {"a": {"market_tipe": "spot"}}}}}, "did you mean market_type"),
        ({"exchanges": {"x": {"id": "okx", "accounts": {"a": {"market_type": "option"}}}}}, "market_type"),
        ({"exchanges": {"x": {"id": "okx", "accounts": {"a": SPOT | {"leverage": 3}}}}}, "swap accounts"),
        ({"exchanges": {"x": {"id": "okx", "accounts": {"paper-1": SPOT}}}}, "at paper and at x"),
        ({"exchanges": {"x": {"id": "okx", "accounts": {"a": SPOT}, "api_url": "ftp://x"}}}, "expected http"),
        ({"exchanges": {"paper": {"id": "okx", "accounts": {"a": SPOT}}}}, "take another"),
        ({"server": {"trusted_proxies": ["proxy"]}}, "trusted_proxies"),
    ],
)
def test_a_wrong_key_or_value_is_named(document: dict, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        decode({"sources": {"default": SOURCE}} | document)


def test_a_token_source_beyond_loopback_needs_a_trusted_proxy() -> None:
    document = {"server": {"host": "0.0.0.0"}, "sources": {"tv": SOURCE | {"auth": "token"}}}
    with pytest.raises(ConfigurationError, match="sends its token in the body"):
        decode(document)

    document["server"]["trusted_proxies"] = ["10.0.0.1"]
    assert decode(document).server.trusted_proxies == ("10.0.0.1",)


def test_numbers_of_the_file_never_pass_through_a_float(tmp_path: Path) -> None:
    file = tmp_path / "fillpath.toml"
    file.write_text(
        "[server]\nbody_timeout = 1.5\n[sources.a]\nauth='hmac'\naccounts=['paper-1']\nmax_drift_bps = 0.1\n"
    )
    settings = load({"FILLPATH_CONFIG": str(file)}).settings

    assert settings.sources["a"].max_drift_bps == Decimal("0.1")
    assert settings.server.body_timeout == 1.5


def test_the_environment_replaces_the_files_settings(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load({"FILLPATH_PORT": "9", "FILLPATH_TELEMETRY_ENGINE": "off", "HOME": "x"}).settings

    assert settings.server.port == 9
    assert settings.telemetry.engine == "off"


def test_variables_of_the_servers_beside_the_service_are_passed_over(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = [ROOT / "compose.yaml"]
    for folder in ("otel-collector", "deploy", "scripts/lib/stack"):
        files += (file for file in (ROOT / folder).rglob("*") if file.suffix in {".yaml", ".yml", ".sh", ".py"})
    named = {name for file in files for name in re.findall(r"\bFILLPATH_[A-Z_]*[A-Z]\b", file.read_text("utf-8"))}

    assert "FILLPATH_JAEGER_OTLP" in named
    for name in named - set(ENVIRONMENT) - set(OTHER_ENVIRONMENT) - {"FILLPATH_EXCHANGE"}:
        load({name: "anything"})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"FILLPATH_PROT": "1"}, r"FILLPATH_PROT is not known; did you mean FILLPATH_PORT\?"),
        ({"FILLPATH_PORT": "http"}, "port"),
        ({"FILLPATH_CONFIG": "/nowhere.toml"}, "does not exist"),
    ],
)
def test_a_wrong_variable_is_named(environ: dict, message: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=message):
        load(environ)


def test_the_file_of_the_first_start_is_valid() -> None:
    file = Path(__file__).parents[2] / "scripts" / "lib" / "fillpath.toml"
    settings = load({"FILLPATH_CONFIG": str(file)}).settings

    assert settings.sources["default"].rate == 2000
    assert settings.sources["tradingview"].auth == "token"


def test_a_secret_is_made_once_private_and_never_shown(tmp_path: Path) -> None:
    store = SecretStore(tmp_path, {})
    (made,) = store.webhook("default", "standard", only=True, create=True)
    (again,) = store.webhook("default", "standard", only=True, create=True)

    assert made.reveal() == again.reveal()
    assert made.reveal().startswith("whsec_")
    assert store.webhook_file("default").stat().st_mode & 0o777 == 0o600
    assert made.reveal() not in f"{made!r} {made} {[made]}"


def test_several_secrets_of_a_file_are_all_accepted(tmp_path: Path) -> None:
    store = SecretStore(tmp_path, {})
    store.webhook("a", "hmac", only=False, create=True)
    store.webhook_file("a").write_text("new\nold\n")

    assert [secret.reveal() for secret in store.webhook("a", "hmac", only=False, create=False)] == ["new", "old"]


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    store = SecretStore(tmp_path, {})
    store.operator(create=True)
    store.operator_file.chmod(0o644)

    with pytest.raises(SecretError, match="chmod 600"):
        store.operator(create=True)


def test_a_secret_from_the_environment_needs_no_file(tmp_path: Path) -> None:
    environ = {"FILLPATH_WEBHOOK_SECRET_TV": "one", "FILLPATH_WEBHOOK_SECRET": "two", "FILLPATH_OPERATOR_TOKEN": "x"}
    store = SecretStore(tmp_path, environ)

    assert store.webhook("tv", "token", only=False, create=False)[0].reveal() == "one"
    assert store.webhook("default", "token", only=False, create=False)[0].reveal() == "two"
    assert isinstance(store.operator(create=False), Secret)
    with pytest.raises(SecretError, match="start the service once"):
        store.webhook("other", "token", only=False, create=False)


def test_the_defaults_are_valid() -> None:
    assert decode(default_settings()).server.port == 8080


def test_an_account_is_at_its_exchange_and_paper_can_be_left_out() -> None:
    exchange = {"id": "okx", "accounts": {"main": SPOT}, "symbols": ["BTC/USDT"]}
    settings = decode(
        {
            "sources": {"a": {"auth": "hmac", "accounts": ["main"]}},
            "paper": {"accounts": []},
            "exchanges": {"x": exchange},
        }
    )

    assert settings.accounts == {"main": "x"}
    assert settings.exchange_names == ("x",)
    assert settings.symbols == ("BTC/USDT",)


@pytest.mark.parametrize(
    ("url", "simulated"),
    [("http://127.0.0.1:9", True), ("http://localhost", True), ("http://10.0.0.1", False), ("", False)],
)
def test_only_an_api_on_this_machine_is_a_simulator(url: str, simulated: bool) -> None:
    document = {"sources": {"a": SOURCE}, "exchanges": {"x": {"id": "okx", "accounts": {"m": SPOT}, "api_url": url}}}
    assert decode(document).exchanges["x"].simulated is simulated


CREDENTIALS = {"apiKey": "API_KEY", "secret": "SECRET", "password": "PASSWORD"}


def test_api_keys_come_from_the_environment_or_the_accounts_file(tmp_path: Path) -> None:
    store = SecretStore(tmp_path, {"FILLPATH_EXCHANGE_MY_ACCOUNT_API_KEY": "from-the-environment"})
    file = store.exchange_file("my-account")
    file.parent.mkdir()
    file.write_text("# of the sub-account\napi_key = from-the-file\nsecret = a=b=\n")
    file.chmod(0o600)

    found = store.exchange("my-account", CREDENTIALS)

    assert {name: secret.reveal() for name, secret in found.items()} == {
        "apiKey": "from-the-environment",
        "secret": "a=b=",
    }
    assert "a=b=" not in repr(found)


@pytest.mark.parametrize(("text", "mode"), [("api_key = x\n", 0o644), ("x-very-secret\n", 0o600), ("key = x\n", 0o600)])
def test_a_file_of_api_keys_that_is_open_or_wrong_is_refused_without_its_content(tmp_path, text, mode) -> None:
    store = SecretStore(tmp_path, {})
    file = store.exchange_file("main")
    file.parent.mkdir()
    file.write_text(text)
    file.chmod(mode)

    with pytest.raises(SecretError, match="exchange-main") as error:
        store.exchange("main", CREDENTIALS)
    assert "very-secret" not in str(error.value)
