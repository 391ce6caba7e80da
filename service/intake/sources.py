"""The configured sources with their secrets, as the intake uses them."""

from __future__ import annotations

from service.core.signatures import decode_secret
from service.errors import SecretError
from service.intake.request import Source
from service.secrets import Secret, SecretStore
from service.settings import Settings, SourceSettings


def load_sources(settings: Settings, secrets: SecretStore) -> dict[str, Source]:
    """By name; a missing secret is made. Raises SecretError for one that cannot be used."""
    only = len(settings.sources) == 1
    return {
        name: _source(name, source, secrets.webhook(name, source.auth, only=only, create=True), secrets)
        for name, source in settings.sources.items()
    }


def _source(name: str, settings: SourceSettings, found: tuple[Secret, ...], secrets: SecretStore) -> Source:
    texts = tuple(secret.reveal() for secret in found)
    if settings.auth != "standard":
        return Source(name, settings, tuple(text.encode() for text in texts))
    try:
        return Source(name, settings, tuple(decode_secret(text) for text in texts))
    except ValueError as error:
        raise SecretError(
            f"source `{name}`: {error}; correct {secrets.webhook_file(name)}, or remove it and a fresh one is made"
        ) from None
