"""What the operator configures: one YAML file and `GATEWAY_…` environment variables. Unknown keys are errors.

Environment variables win over the file and nest with two underscores: `GATEWAY_SERVER__PORT=9000`; lists and mappings
are written as YAML: `GATEWAY_ALIASES='{gpt-4.1: auto}'`. Relative paths in a file start at the file's folder.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from gateway import misread
from gateway.core.errors import ConfigurationError
from gateway.policy import document
from gateway.settings.drafting import Cascade
from gateway.settings.scoring import Scoring
from gateway.settings.sections import Audit, Auth, Backend, Cache, Detect, Local, Log, PolicyFile, Server, Taint
from gateway.settings.spending import Shadow, TokenPrice


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="GATEWAY_", env_nested_delimiter="__", extra="forbid", frozen=True)

    server: Server = Server()
    auth: Auth = Auth()
    policy: PolicyFile = PolicyFile()
    local: Local = Local()
    backends: tuple[Backend, ...] | None = None
    """None = the file names none: OpenAI when its key is set, a labelled stand-in otherwise."""
    aliases: dict[str, str] = {}
    cache: Cache = Cache()
    audit: Audit = Audit()
    detect: Detect = Detect()
    taint: Taint = Taint()
    score: Scoring = Scoring()
    cascade: Cascade = Cascade()
    log: Log = Log()
    prices: dict[str, TokenPrice] = {}
    """By backend: where litellm's list does not know a price, or the operator knows a better one."""
    shadow: Shadow = Shadow()

    @field_validator("local", "auth", "policy", "shadow", mode="before")
    @classmethod
    def _word(cls, value: Any, field: ValidationInfo) -> Any:
        return _spelled_out(str(field.field_name), value)

    @model_validator(mode="after")
    def _together(self) -> Self:
        _check_together(self)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return _Environment(settings_cls), init_settings  # it wins over the file, which arrives as init arguments


class _Environment(EnvSettingsSource):
    """Variables whose value is a list or a mapping are written as YAML, as in the file."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return _spelled_out(field_name, yaml.safe_load(value))
        except yaml.YAMLError:  # its message quotes the value, which may hold a secret
            raise _NotYaml(field_name) from None


class _NotYaml(ValueError):
    """A variable that should hold a list or a mapping holds neither."""


def _spelled_out(name: str, value: Any) -> Any:
    """`local: canned` and `GATEWAY_LOCAL=canned` are short for the engine, `policy: FILE` for the path, `auth: none`
    and `shadow: off` for the mode."""
    if name in {"local", "shadow"} and value is False:
        value = "off"
    word = {"local": "engine", "auth": "mode", "policy": "path", "shadow": "mode"}.get(name)
    return {word: value} if word is not None and isinstance(value, str) else value


def _check_together(settings: Settings) -> None:
    """Raise ValueError where settings that are fine alone are not fine together."""
    names = [backend.name for backend in settings.backends or ()]
    for name in {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two backends are named {name!r}")
    adapters = [adapter.name for adapter in settings.local.adapters]
    for name in {name for name in adapters if adapters.count(name) > 1}:
        raise ValueError(f"two of local.adapters are named {name!r}")
    loopback = settings.server.is_loopback
    if settings.auth.mode == "none" and not loopback:
        raise ValueError(
            f"auth: none serves loopback addresses only, and server.host is {settings.server.host!r}: "
            "use auth: {mode: keys, keys: […]} (`gateway keys new` makes one) or host 127.0.0.1"
        )
    if settings.auth.mode == "keys" and not settings.auth.keys:
        raise ValueError("auth.mode is keys but auth.keys is empty: `gateway keys new` makes one")
    if "*" in settings.server.cors_origins and settings.auth.mode == "none":
        raise ValueError("cors_origins '*' with auth: none would let any web page use this gateway: add keys")
    if settings.local.engine == "canned" and not loopback:
        raise ValueError("the canned local model is for trying things out: it serves loopback addresses only")


def _refuse_unknown_variables() -> None:
    """A misspelt variable must not be passed over: `GATEWAY_AUTHS__MODE=keys` would leave the door open.

    Only nested names: an orchestrator sets `GATEWAY_PORT` and the like for a service called gateway.
    """
    for name in sorted(os.environ):
        section, nested, _ = name.removeprefix("GATEWAY_").partition("__")
        if name.startswith("GATEWAY_") and nested and section.lower() not in Settings.model_fields:
            raise ConfigurationError(f"the environment variable {name!r} is no setting; unset it or correct it")


def load_settings(path: Path | None, *, host: str | None = None, port: int | None = None) -> tuple[Settings, Path]:
    """Read `path` (or the environment alone) and return the settings and the folder relative paths start at.

    `host` and `port` come from the command line and win over file and environment. Raises ConfigurationError with
    one sentence a reader can act on.
    """
    _refuse_unknown_variables()
    values = _read(path) if path else {}
    folder = path.resolve().parent if path else Path.cwd()
    try:
        settings = Settings(**{name: _spelled_out(name, value) for name, value in values.items() if value is not None})
        given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
        if given:
            server = Server.model_validate({**settings.server.model_dump(), **given})
            settings = settings.model_copy(update={"server": server})
            _check_together(settings)
    except ValidationError as error:
        raise ConfigurationError(misread.sentence(path, error, Settings)) from None
    except SettingsError as error:
        what = error.__cause__ if isinstance(error.__cause__, _NotYaml) else "a list or a mapping"
        raise ConfigurationError(f"the environment variable for {what} is not YAML; write [a, b] or {{a: b}}") from None
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    return settings, folder


def _read(path: Path) -> dict[str, Any]:
    values = document.read(path)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path}: must be a mapping of settings")
    if "permit" in values:
        raise ConfigurationError(f"{path} is a policy; a configuration names it: policy: {{path: {path.name}}}")
    return values
