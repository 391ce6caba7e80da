"""Secrets: from the environment or from files of mode 0600, made on first start, never printed."""

from __future__ import annotations

import base64
import os
import secrets
import stat
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Literal

from service.errors import SecretError
from service.folders import flush_folder, make_folder

_FORBIDDEN_MODE = stat.S_IRWXG | stat.S_IRWXO


class Secret:
    """A secret that shows itself in no repr, format or log; `reveal` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


class SecretStore:
    """The secrets below `<data_dir>/secrets`, one file each, one secret a line: the first signs, all are accepted."""

    def __init__(self, data_dir: Path, environ: Mapping[str, str] = os.environ) -> None:
        self.folder = data_dir / "secrets"
        self._environ = environ

    def webhook_file(self, source: str) -> Path:
        return self.folder / f"webhook-{source}"

    @property
    def operator_file(self) -> Path:
        return self.folder / "operator-token"

    def webhook(
        self, source: str, auth: Literal["standard", "hmac", "token"], *, only: bool, create: bool
    ) -> tuple[Secret, ...]:
        """The secrets of a source; `only` says that it is the only source, `create` makes a missing one."""
        names = [f"FILLPATH_WEBHOOK_SECRET_{source.upper().replace('-', '_')}"]
        if only or source == "default":
            names.append("FILLPATH_WEBHOOK_SECRET")
        return self._load(
            names, self.webhook_file(source), f"whsec_{_random_base64()}" if auth == "standard" else None, create
        )

    def operator(self, *, create: bool) -> Secret:
        return self._load(["FILLPATH_OPERATOR_TOKEN"], self.operator_file, None, create)[0]

    def exchange_file(self, account: str) -> Path:
        return self.folder / f"exchange-{account}"

    def exchange(self, account: str, credentials: Mapping[str, str]) -> dict[str, Secret]:
        """API credentials of an account, by their name in ccxt; `credentials` gives each one's variable suffix.

        Each comes from `FILLPATH_EXCHANGE_<ACCOUNT>_<SUFFIX>`, else from the account's file with a line
        `suffix = value` each, suffixes in lower case. What is nowhere is left out. Raises SecretError for a file
        that is unreadable, open to others, or no such list.
        """
        prefix = f"FILLPATH_EXCHANGE_{account.upper().replace('-', '_')}_"
        file = self.exchange_file(account)
        listed = _read_pairs(file, set(credentials.values())) if file.exists() else {}
        found = {
            name: self._environ.get(prefix + suffix, "").strip() or listed.get(suffix, "")
            for name, suffix in credentials.items()
        }
        return {name: Secret(value) for name, value in found.items() if value}

    def _load(self, names: list[str], file: Path, fresh: str | None, create: bool) -> tuple[Secret, ...]:  # noqa: FBT001 - private
        for name in names:
            if value := self._environ.get(name, "").strip():
                return tuple(Secret(item) for item in value.split())
        if create and not file.exists():
            _write(file, fresh or secrets.token_urlsafe(32))
        return _read(file, names[-1])


def _random_base64() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _write(file: Path, value: str) -> None:
    make_folder(file.parent)
    # Complete or not there at all, even if two processes or a crash meet here: a half-written secret locks users out.
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(value + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(temporary, file)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    # Senders are told it: a power cut must not take it away and make another one.
    flush_folder(file.parent)


def _read_private(file: Path, otherwise: str) -> str:
    """The text of a file that nobody else can read; `otherwise` says what to do without it."""
    try:
        mode = file.stat().st_mode
        text = file.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise SecretError(f"secret {file} cannot be read ({error}); {otherwise}") from None
    if mode & _FORBIDDEN_MODE:
        raise SecretError(f"secret {file} can be read by others (mode {stat.S_IMODE(mode):o}); run: chmod 600 {file}")
    return text


def _read_pairs(file: Path, known: AbstractSet[str]) -> dict[str, str]:
    """Lines `name = value`, names in capitals; empty lines and those that begin with # are passed over."""
    pairs: dict[str, str] = {}
    for number, line in enumerate(_read_private(file, "write it again").splitlines(), 1):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not equals or name.upper() not in known:
            # The line itself may hold a secret: only its number is told.
            names = ", ".join(sorted(suffix.lower() for suffix in known))
            raise SecretError(f"secret {file}, line {number}: expected `name = value` with one of {names}")
        pairs[name.upper()] = value
    return pairs


def _read(file: Path, variable: str) -> tuple[Secret, ...]:
    lines = _read_private(file, f"start the service once, or set {variable}").split()
    if not lines:
        raise SecretError(f"secret {file} is empty; write a secret into it or remove it, so that a fresh one is made")
    return tuple(Secret(line) for line in lines)
