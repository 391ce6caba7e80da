"""Where traffic goes: as `fillpath send` finds it, on loopback, and never to real money."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts.lib.traffic.target import TrafficError, check_loopback, find, split
from service.cli.context import Context
from service.errors import FillpathError

ROOT = Path(__file__).resolve().parents[3]
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the first start of ./scripts/run leaves."""
    for name in ("FILLPATH_CONFIG", "FILLPATH_PORT", "FILLPATH_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var/secrets").mkdir(parents=True)
    shutil.copy(ROOT / "scripts/lib/fillpath.toml", tmp_path / "var/fillpath.toml")
    secret(tmp_path, "default", SECRET)
    secret(tmp_path, "tradingview", "a-token")
    return tmp_path


def secret(folder: Path, source: str, text: str) -> None:
    file = folder / f"var/secrets/webhook-{source}"
    file.write_text(text + "\n", "utf-8")
    file.chmod(0o600)


def test_the_default_configuration_has_64_lanes_and_two_senders(folder: Path) -> None:
    found = find(Context())
    assert (found.url, found.lanes) == ("http://127.0.0.1:8080", 64)
    assert [sender.name for sender in found.senders] == ["default", "tradingview"]
    assert SECRET not in repr(found)


def test_a_source_without_a_secret_is_left_out_unless_it_was_named(folder: Path) -> None:
    (folder / "var/secrets/webhook-tradingview").unlink()
    assert [sender.name for sender in find(Context()).senders] == ["default"]
    with pytest.raises(FillpathError, match="webhook-tradingview cannot be read"):
        find(Context(), source="tradingview")


def test_a_secret_that_is_given_is_the_default_sources(folder: Path) -> None:
    shutil.rmtree(folder / "var/secrets")
    found = find(Context(), secret=SECRET, url="http://127.0.0.1:9")
    assert (found.url, [sender.name for sender in found.senders]) == ("http://127.0.0.1:9", ["default"])


def test_without_any_secret_it_says_what_to_do(folder: Path) -> None:
    shutil.rmtree(folder / "var/secrets")
    with pytest.raises(TrafficError, match="start the service once, or give --secret"):
        find(Context())


def test_accounts_of_real_exchanges_are_used_only_by_name_and_never_live(folder: Path) -> None:
    config = folder / "var/fillpath.toml"
    config.write_text(
        '[exchanges.okx]\nid = "okx"\nsymbols = ["BTC/USDT:USDT"]\n'
        '[exchanges.okx.accounts.practice]\nmarket_type = "swap"\n'
        '[exchanges.okx.accounts.money]\nmarket_type = "swap"\nlive = true\n'
        '[sources.default]\nauth = "standard"\naccounts = ["practice", "money"]\n',
        "utf-8",
    )
    with pytest.raises(TrafficError, match="an account of the paper exchange, or one named with --account"):
        find(Context())
    (sender,) = find(Context(), accounts=["practice"]).senders
    assert [(lane.account, lane.market.symbol, lane.price) for lane in sender.lanes] == [
        ("practice", "BTC/USDT:USDT", None)
    ]
    with pytest.raises(TrafficError, match="trades real money"):
        find(Context(), accounts=["money"])
    with pytest.raises(TrafficError, match="account nosuch is not configured"):
        find(Context(), accounts=["nosuch"])


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://127.0.0.9", "http://[::1]:80", "localhost:8080"])
def test_loopback_is_allowed(url: str) -> None:
    check_loopback(url)


@pytest.mark.parametrize("url", ["http://192.0.2.1:8080", "http://10.0.0.1", "http://[2001:db8::1]:80", "0.0.0.0:80"])
def test_another_host_needs_a_word(url: str) -> None:
    with pytest.raises(TrafficError, match="--i-own-this-host"):
        check_loopback(url)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8080", ("127.0.0.1", 8080, False)),
        ("https://example.test/", ("example.test", 443, True)),
        ("127.0.0.1:81", ("127.0.0.1", 81, False)),
    ],
)
def test_an_address_is_split(url: str, address: tuple[str, int, bool]) -> None:
    assert split(url) == address


@pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://", "http://127.0.0.1:x", "http://127.0.0.1:0"])
def test_what_is_no_address_is_named(url: str) -> None:
    with pytest.raises(TrafficError, match="is not an address"):
        split(url)
