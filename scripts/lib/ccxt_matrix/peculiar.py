"""What single ccxt classes want before they build an order: keys of a form, options, market fields, helper answers."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from scripts.lib.ccxt_matrix.wire import Reply
from service.core.client_ids import ClientIdFormat, IdKind

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_NUMBER = ClientIdFormat(IdKind.NUMERIC, max_length=19, bits=63)


class Peculiar(NamedTuple):
    """`order_params` go into `create_order`; `helpers` answer requests whose method, path or text holds the key.

    `id_format` is for those that have no profile; `takes_id` False: none of ours fits. `order_path` names an order that
    shows neither our id nor its quantity. `note` says what of it is more than a user's own settings.
    """

    credentials: Mapping[str, str] = {}
    options: Mapping[str, Any] = {}
    market: Mapping[str, Any] = {}
    order_params: Mapping[str, Any] = {}
    helpers: Mapping[str, Reply] = {}
    id_format: ClientIdFormat | None = None
    takes_id: bool = True
    order_path: str = ""
    note: str = ""


def _text(key: Any, form: serialization.PrivateFormat) -> str:
    pem: bytes = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return pem.decode()


def _base58(value: bytes) -> str:
    number, text = int.from_bytes(value, "big"), ""
    while number:
        number, rest = divmod(number, len(_BASE58))
        text = _BASE58[rest] + text
    return text


_ED25519 = ed25519.Ed25519PrivateKey.generate()
_SEED, _PUBLIC = _ED25519.private_bytes_raw(), _ED25519.public_key().public_bytes_raw()
_EC_PEM = _text(ec.generate_private_key(ec.SECP256R1()), serialization.PrivateFormat.TraditionalOpenSSL)
_ED25519_PEM = _text(_ED25519, serialization.PrivateFormat.PKCS8)
_ETH_KEY = "0x" + "1" * 64
_ETH_ADDRESS = "0x" + "2" * 40

INVENTED: Mapping[str, str] = {
    "apiKey": "k" * 20,
    "secret": base64.b64encode(b"s" * 64).decode(),
    "password": "p",
    "uid": "1",
    "login": "l",
    "accountId": "1",
    "privateKey": _ETH_KEY,
    "walletAddress": _ETH_ADDRESS,
}
"""What every class gets that has none of its own in `PECULIAR`."""

_ONE_ACCOUNT = Reply(body='{"status": "ok", "data": [{"id": 1, "type": "spot", "subtype": "", "state": "working"}]}')
_CLASSIC = {"uta": False}

PECULIAR: Mapping[str, Peculiar] = {
    "apex": Peculiar(note="it signs by a package of its own, which is not a dependency here"),
    "aster": Peculiar(helpers={"approveBuilder": Reply(), "v3/builder": Reply()}),
    "backpack": Peculiar(credentials={"secret": base64.b64encode(b"s" * 32).decode()}),
    "bitbns": Peculiar(market={"uppercaseId": "BTCUSDT"}),
    "bittrade": Peculiar(helpers={"/v1/account/accounts": _ONE_ACCOUNT}),
    "bitvavo": Peculiar(options={"operatorId": 1}),
    "bullish": Peculiar(
        options={"tradingAccountId": "1"},
        helpers={"hmac/login": Reply(body='{"authorizer": "a", "token": "t"}')},
    ),
    "coinspot": Peculiar(note="the exchange gives no order id"),
    "cex": Peculiar(order_params={"accountId": "1"}, note="its account id, which no setting of Fillpath gives"),
    "coinbase": Peculiar(credentials={"secret": _EC_PEM}),
    "coinbaseinternational": Peculiar(
        credentials={"secret": _EC_PEM},
        options={"route": "coinbase", "v2AccessToken": "t", "v2TokenExpires": 10**15},
        note="a token: its own way to one fails in Python",
    ),
    "delta": Peculiar(market={"numericId": 1}),
    "derive": Peculiar(
        options={"subaccount_id": 1, "createOrder": {"max_fee": 1000}},
        market={"info": {"base_asset_address": "0x" + "3" * 40, "base_asset_sub_id": "0"}},
    ),
    "dydx": Peculiar(
        credentials={"walletAddress": "dydx1cpb4tedmwq304c2kc9pwzjwq0sc6z2a4tasxrz"},
        market={"info": {"atomicResolution": "-10", "quantumConversionExponent": "-9", "clobPairId": "0"}},
        helpers={
            "account_info": Reply(
                body='{"info": {"pub_key": {"key": "a2V5"}, "account_number": "1", "sequence": "1"}}'
            ),
            "abci_info": Reply(body='{"result": {"response": {"last_block_height": "49157714"}}}'),
        },
        takes_id=False,
        order_path="/broadcast_tx_sync",
        note="ccxt makes up the order's id itself",
    ),
    "extended": Peculiar(
        market={
            "info": {
                "l2Config": {
                    "collateralId": "0x1",
                    "syntheticId": "0x4254432d3600000000000000000000",
                    "syntheticResolution": 1_000_000,
                    "collateralResolution": 1_000_000,
                }
            }
        },
        helpers={"account/info": Reply(body='{"data": {"accountId": 1, "l2Key": "0x1", "l2Vault": "1"}}')},
    ),
    "gemini": Peculiar(credentials={"apiKey": "account-" + "k" * 20}),
    "grvt": Peculiar(
        credentials={"apiKey": "", "secret": ""},
        market={"precision": {"amount": 1, "price": 0.01, "base": 1e-9}, "info": {"instrument_hash": "0x030501"}},
        options={"builderFee": False, "accountId": "1", "userMainAccountId": "1"},
        helpers={"wallet/login": Reply(headers=("Set-Cookie: gravity=1; Path=/", "X-Grvt-Account-Id: 1"))},
        id_format=_NUMBER,
    ),
    "hibachi": Peculiar(market={"numericId": 2, "info": {"underlyingDecimals": "8", "settlementDecimals": "6"}}),
    "htx": Peculiar(helpers={"/v1/account/accounts": _ONE_ACCOUNT}),
    "hyperliquid": Peculiar(
        market={"id": "10000", "baseId": "10000"},
        options={"builderFee": False},
        id_format=ClientIdFormat(IdKind.HEX128),
    ),
    "kucoinfutures": Peculiar(options=_CLASSIC),
    "lbank": Peculiar(credentials={"secret": "s" * 32}),
    "lighter": Peculiar(note="it signs by a native library of its own, which is not a dependency here"),
    "modetrade": Peculiar(credentials={"secret": _base58(_SEED)}),
    "nado": Peculiar(
        market={"id": "2"},
        helpers={"type=contracts": Reply(body='{"status": "success", "data": {"chain_id": "57073"}}')},
        id_format=_NUMBER,
    ),
    "ndax": Peculiar(market={"id": "1"}, helpers={"GetUserAccounts": Reply(body="[1]")}),
    "pacifica": Peculiar(credentials={"privateKey": _base58(_SEED + _PUBLIC), "walletAddress": _base58(_PUBLIC)}),
    "paradex": Peculiar(
        helpers={
            "system/config": Reply(
                body='{"l1_chain_id": "1", "starknet_chain_id": "PRIVATE_SN_PARACLEAR_MAINNET", '
                '"paraclear_account_proxy_hash": "0x1", "paraclear_account_hash": "0x2"}'
            ),
            "POST /v1/auth": Reply(body='{"jwt_token": "t"}'),
        }
    ),
    "polymarket": Peculiar(
        market={"id": "1", "baseId": "1"},
        options={"proxyCredentials": {"proxy": _ETH_ADDRESS, "privateKey": "1" * 64, "secret": "s"}},
        id_format=ClientIdFormat(IdKind.PREFIXED_HEX),
        note="a session key: its own way to one fails in Python",
    ),
    "revolutx": Peculiar(credentials={"privateKey": _ED25519_PEM}),
    "woofipro": Peculiar(credentials={"secret": _base58(_SEED)}),
}
"""By ccxt id; all others take what everybody gets."""
