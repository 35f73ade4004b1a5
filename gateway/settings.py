"""What the operator configures: one YAML file and `GATEWAY_…` environment variables. Unknown keys are errors.

Environment variables win over the file and nest with two underscores: `GATEWAY_SERVER__PORT=9000`; lists and mappings
are written as YAML: `GATEWAY_ALIASES='{gpt-4.1: auto}'`. Relative paths in a file start at the file's folder.
"""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
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
from gateway.core.types import Zone
from gateway.engine.machine import MOST_THREADS
from gateway.engine.messages import SYSTEM_PROMPT
from gateway.policy import document

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}")
ADAPTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
RESERVED_NAMES = frozenset({"auto", "local"})


def language(code: str) -> str:
    """A word such as `english` would match no request, and refuse every private one in the language it means."""
    if not re.fullmatch("[a-z]{2}", code):
        raise ValueError("a language is its ISO code of two letters, such as en or it")
    return code


Language = Annotated[str, AfterValidator(language)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TLS(_Part):
    cert: Path
    key: Path


class Server(_Part):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    body_limit_mb: float = Field(default=20, gt=0, le=1024)
    tls: TLS | None = None
    cors_origins: tuple[str, ...] = ()
    """Origins of browser apps that may call; loopback origins may always. '*' only together with keys."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names accepted beside loopback ones while `auth: {mode: none}` (stops DNS rebinding)."""
    headers: bool = True
    """Send the headers that begin with `x-gateway-`."""
    echo_model: Literal["asked", "served"] = "asked"
    """Which name the answer's `model` field carries."""
    ping_s: float = Field(default=15, ge=0)
    """Seconds of silence on a stream before a comment line keeps proxies awake; 0 = never."""
    write_timeout_s: float = Field(default=60, gt=0)
    """A client that takes no byte of its answer for so long counts as gone."""
    max_in_flight: int = Field(default=512, ge=1)
    drain_s: float = Field(default=10, ge=0)
    """How long running requests may finish after a stop signal."""

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


class Key(_Part):
    """One API key. The file holds its SHA-256 alone; `gateway keys new` makes a pair."""

    name: str
    hash: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    tenant: str = "default"
    roles: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    public: bool = False
    purpose: str | None = None


class Auth(_Part):
    mode: Literal["none", "keys"] = "none"
    keys: tuple[Key, ...] = ()


class PolicyFile(_Part):
    path: Path = Path("policies/default.yaml")
    watch_s: float = Field(default=1.0, ge=0)
    """Seconds between looks at the file; 0 = reload on SIGHUP only."""


class Adapter(_Part):
    """A LoRA adapter of the local model: clients say `local:NAME`, a policy's `adapters` section chooses by rule."""

    name: str
    path: Path
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    scale: float = Field(default=1.0, allow_inf_nan=False)
    """How strongly it speaks; 1 = as it was trained."""

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not ADAPTER_NAME.fullmatch(name) or name == "none":
            raise ValueError("an adapter's name is up to 64 letters, digits and . _ -, and not 'none'")
        return name

    @field_validator("scale")
    @classmethod
    def _speaks(cls, scale: float) -> float:
        if scale == 0:
            raise ValueError("an adapter of scale 0 changes nothing; remove it")
        return scale


class Local(_Part):
    engine: Literal["llama", "canned", "off"] = "llama"
    model: str = "smollm2-135m-instruct"
    """A name from `gateway models list`, or the path of a GGUF file."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    context: int = Field(default=4096, ge=256)
    threads: Annotated[int, Field(ge=1, le=MOST_THREADS)] | Literal["auto"] = "auto"
    """auto = what `gateway models bench` found best for this model on this machine; unmeasured, its physical cores."""
    encode: Literal["auto", "fast", "off"] = "auto"
    """Slow formats are copied once to Q8_0 in the cache (auto) or to Q4_K_M (fast), or loaded as they are (off)."""
    isolation: Literal["process", "thread"] = "process"
    languages: frozenset[Language] | None = None
    """ISO codes the model answers well; unset = what the catalogue says of it."""
    start_wait_s: float = Field(default=60, ge=0)
    parallel: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """Answers made at once, each with `context` tokens of its own; auto = up to 8, in a quarter of the memory."""
    queue: int = Field(default=32, ge=1)
    wait_s: float = Field(default=60, gt=0)
    """How long a request may wait for its turn."""
    answer_s: float = Field(default=600, gt=0)
    """How long an answer may take from its turn on."""
    context_overflow: Literal["error", "shift"] = "error"
    """What happens beyond `context`: an error, or only the beginning and the latest tokens stay."""
    keep_s: float = Field(default=600, ge=0)
    """Seconds without a request after which what former ones left in the model's memory is overwritten."""
    max_tokens: int = Field(default=1024, ge=1)
    """The longest answer where the client sets no limit: small models do not always find an end."""
    system_prompt: str = SYSTEM_PROMPT
    adapters: tuple[Adapter, ...] = ()

    @field_validator("engine", "encode", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return "off" if value is False else value  # a YAML reader that follows the standard reads a bare `off` so


class Backend(_Part):
    name: str
    zone: Literal["private", "remote"]
    wire: Literal["openai", "litellm", "canned"] = "openai"
    base_url: str | None = None
    model: str
    api_key_env: str | None = None
    api_key_file: Path | None = None
    plaintext: Literal["refused", "accepted"] = "refused"
    ca_file: Path | None = None
    proxy: str | None = None
    region: str = ""
    retention: str = ""
    training: str = ""
    context: int = Field(default=0, ge=0)
    images: bool = True
    audio: bool = False
    files: bool = False
    tools: bool = True
    schema_: bool = Field(default=True, alias="schema")
    logprobs: bool = True
    languages: frozenset[Language] = frozenset()
    connect_timeout_s: float = Field(default=5, gt=0)
    read_timeout_s: float = Field(default=600, gt=0)
    max_tokens_field: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto"
    usage_in_stream: bool = True
    send_store: bool = True
    also: frozenset[str] = frozenset()
    """Further top-level fields of a request that may go out to this backend, such as `top_k`."""
    options: dict[str, Any] = {}
    """litellm only: extra keyword arguments such as `aws_region_name` or `api_version`."""

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not NAME.fullmatch(name) or name in RESERVED_NAMES or name.startswith("local:"):
            raise ValueError(
                "a backend's name is letters, digits and . _ : / -, and not 'auto' or 'local', nor 'local:' and more"
            )
        return name

    @model_validator(mode="after")
    def _wire_needs(self) -> Self:
        if self.wire == "openai" and not self.base_url:
            raise ValueError(f"backend {self.name!r}: wire openai needs a base_url")
        if self.wire != "openai" and self.zone == "private" and self.wire != "canned":
            raise ValueError(f"backend {self.name!r}: zone private needs wire openai")
        return self

    @property
    def zone_(self) -> Zone:
        return Zone[self.zone.upper()]


class Cache(_Part):
    url: str = "memory://"
    ttl_s: float = Field(default=3600, gt=0)
    max_mb: int = Field(default=64, ge=1)
    share_local: bool = False


class Audit(_Part):
    dir: Path = Path("var/audit")
    keys_dir: Path | None = None
    """Where the signing and pseudonym keys live; default `keys` beside (never inside) the audit folder."""
    segment_mb: int = Field(default=64, ge=1)


class Detect(_Part):
    deadline_ms: float = Field(default=250, gt=0)
    """CPU milliseconds after which the rest of a request counts as unreadable."""
    cache_dir: Path | None = None


class Log(_Part):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


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
    log: Log = Log()

    @field_validator("local", "auth", mode="before")
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
    """`local: canned` and `GATEWAY_LOCAL=canned` are short for the engine alone, `auth: none` for the mode."""
    if name == "local" and value is False:
        value = "off"
    word = {"local": "engine", "auth": "mode"}.get(name)
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
        raise ConfigurationError(misread.sentence(path, error)) from None
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
    return values


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_key(backend: Backend, folder: Path) -> SecretStr | None:
    """The backend's API key from the environment or a file; None when neither is named or the variable is unset."""
    if backend.api_key_env and (value := os.environ.get(backend.api_key_env, "").strip()):
        return SecretStr(value)
    if backend.api_key_file:
        path = folder / backend.api_key_file
        try:
            return SecretStr(path.read_text(encoding="utf-8").strip())
        except OSError as error:
            raise ConfigurationError(f"backend {backend.name!r}: cannot read {str(path)!r}: {error.strerror}") from None
    return None
