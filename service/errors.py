"""Errors that end a start or a command, each with what to do about it.

    FillpathError
        ConfigurationError      the configuration is wrong; names the key
        SecretError             a secret is missing, unreadable or open to others

Refusals of requests are `service.core.refusals.Refusal`; the journal's and exchanges' errors stand beside their
protocols.
"""

from __future__ import annotations


class FillpathError(Exception):
    """Shown to the user as one line, without a traceback."""


class ConfigurationError(FillpathError):
    pass


class SecretError(FillpathError):
    pass
