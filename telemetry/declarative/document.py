"""A declarative configuration file as OpenTelemetry's library reads it; what is wrong in it, in one line."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from telemetry.declarative import rules
from telemetry.declarative.syntax import FileSyntaxError, references
from telemetry.environment import CONFIG_FILES
from telemetry.redaction import redact_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.configuration import OpenTelemetryConfiguration
    from opentelemetry.sdk.resources import Resource

    from telemetry.declarative.syntax import Reference
    from telemetry.environment import ConfigFile

_SUFFIXES = (".yaml", ".yml")
_STILL_READ = (*CONFIG_FILES, "OTEL_SDK_DISABLED")


@dataclass(frozen=True, slots=True)
class Declaration:
    """A file that can be obeyed; `left_out` names what it asks for and does not get, with the reason.

    `resource` is what the file says of this process, without what it leaves to others. No `repr` shows the model: it
    holds headers.
    """

    path: str
    model: OpenTelemetryConfiguration = field(repr=False)
    resource: Resource = field(repr=False)
    left_out: tuple[str, ...]

    @property
    def disabled(self) -> bool:
        return bool(self.model.disabled)

    def __str__(self) -> str:
        exceptions = f", except: {', '.join(self.left_out)}" if self.left_out else ""
        return f"telemetry is exported as {self.path} says{exceptions}"


def read(file: ConfigFile, configured: str | None, environ: Mapping[str, str]) -> Declaration:
    """Read a file and judge it; `configured` is the endpoint of the settings, which it replaces.

    References are completed from the process's environment by the library; `environ` is what is told about.

    Raises:
        ValueError: it cannot be obeyed; the message names the file, the place, what was expected and what to do.
    """
    try:
        referred = references(_text(file))
    except FileSyntaxError as fault:
        raise ValueError(f"{file.path}, {fault}") from None
    with _heard() as warnings:
        model = _model(file)
        if wrong := next(rules.refused(model), None):
            raise ValueError(f"{file.path}, {wrong}")
        resource = _resource(file, model)
    left_out = (
        *rules.left_out(model),
        *(f"what OpenTelemetry's library warns of ({warning})" for warning in dict.fromkeys(warnings)),
        *_around(model, referred, configured, environ),
    )
    return Declaration(file.path, model, resource, left_out)


def _text(file: ConfigFile) -> str:
    path = Path(file.path)
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(
            f"{file.variable} names {path}: expected YAML in a file whose name ends in {' or '.join(_SUFFIXES)}; "
            "rename it (JSON is YAML as well)"
        )
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: expected YAML in UTF-8; correct the file") from None
    except OSError as error:
        raise ValueError(
            f"{file.variable} names {path}, which cannot be read ({error.strerror}); correct the variable, or the "
            "file's place, owner or mode"
        ) from None


def _model(file: ConfigFile) -> OpenTelemetryConfiguration:
    # Imported here: with the schema's checker it takes a quarter of a second, which only a file is worth.
    from jsonschema import ValidationError  # noqa: PLC0415 - see above
    from opentelemetry.configuration import ConfigurationError, load_config_file  # noqa: PLC0415 - see above

    try:
        return load_config_file(file.path)
    except ConfigurationError as error:
        cause = error.__cause__
        # Its own words name versions and kinds; what it passes on from elsewhere may quote the file.
        words = redact_text(str(error)) if cause is None else f"the library failed with {type(cause).__name__}"
        wrong = (
            f", {_broken_rule(cause)}; correct it"
            if isinstance(cause, ValidationError)
            else f": expected OpenTelemetry's configuration, file_format 1.0 ({words}); correct it"
        )
        raise ValueError(f"{file.path}{wrong}") from None


def _resource(file: ConfigFile, model: OpenTelemetryConfiguration) -> Resource:
    from opentelemetry.configuration import ConfigurationError  # noqa: PLC0415 - as above
    from opentelemetry.configuration.file import create_resource  # noqa: PLC0415 - as above
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as above

    assumed = create_resource(None).attributes
    try:
        made = create_resource(model.resource)
    except (ConfigurationError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file.path}, resource: expected values of the types that stand beside them, and detectors that installed "
            f"packages offer ({type(error).__name__}); correct it"
        ) from None
    said = {key: value for key, value in made.attributes.items() if assumed.get(key) != value}
    return Resource(said, made.schema_url)


def _broken_rule(error: Any) -> str:
    """Where, and what the schema expects there; never what stands there, which may be a secret."""
    rule = error.validator_value
    match error.validator:
        case "required":
            missing = [name for name in rule if name not in error.instance]
            expected = f"`{'`, `'.join(missing)}`, which is missing"
        case "additionalProperties":
            known = error.schema.get("properties", {})
            other = sorted(str(name) for name in error.instance if name not in known)
            expected = f"none but {', '.join(sorted(known)) or 'nothing at all'}; there is `{'`, `'.join(other)}`"
            return f"{_place(error)}: expected {expected.replace(';', ',')}"
        case "type":
            expected = " or ".join([rule] if isinstance(rule, str) else rule)
        case "enum":
            expected = f"one of {', '.join(str(value) for value in rule if value is not None)}"
        case "minimum" | "exclusiveMinimum" | "maximum":
            bound = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}[error.validator]
            expected = f"{bound} {rule}"
        case "minProperties" | "maxProperties":
            expected = f"exactly one of {', '.join(sorted(error.schema.get('properties', {})))}"
        case "minItems":
            expected = "a list with something in it"
        case _:
            expected = "a text, a number, a boolean or a list of one of them"
    return f"{_place(error)}: expected {expected}"


def _place(error: Any) -> str:
    parts = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return parts.removeprefix(".") or "at the top"


@contextmanager
def _heard() -> Iterator[list[str]]:
    """What the library warns of meanwhile; it is not printed, for what it calls an error is raised as well."""
    warnings: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: (  # type: ignore[method-assign]
        warnings.append(redact_text(record.getMessage())) if record.levelno == logging.WARNING else None
    )
    logger = logging.getLogger("opentelemetry")
    propagated, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield warnings
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagated


def _around(
    model: OpenTelemetryConfiguration, referred: set[Reference], configured: str | None, environ: Mapping[str, str]
) -> Iterator[str]:
    """What is set beside the file and has no effect, and what the file misses."""
    unset = sorted({name for name, has_default in referred if not has_default and not os.environ.get(name)})
    if unset:
        yield f"values that refer to {', '.join(unset)}, which are empty (set them, or write a default)"
    if configured is not None:
        yield "telemetry.otlp_endpoint of the settings (the file names every receiver)"
    read_ = {name for name, _ in referred} | set(_STILL_READ) | rules.variables_read(model)
    beside = sorted(name for name in environ if name.startswith("OTEL_") and name not in read_ and environ[name])
    if beside:
        yield f"{', '.join(beside)} of the environment (where a file is named, it alone decides)"
