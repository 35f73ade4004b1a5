"""The sections of the configuration: what each may hold, and what is refused in it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from gateway.core.errors import ConfigurationError
from gateway.core.hosts import is_loopback
from gateway.core.types import Zone
from gateway.detect.adapters.options import HttpOptions, JudgeOptions, OnnxOptions, PresidioOptions
from gateway.engine.machine import MOST_THREADS
from gateway.engine.messages import SYSTEM_PROMPT

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
    other_scripts: Literal["stay", "pass"] = "stay"
    """Texts in letters that no rule reads (Greek, Cyrillic, Arabic, Chinese …) count as unreadable, or are let pass."""
    presidio: PresidioOptions | None = None
    onnx: OnnxOptions | None = None
    http: HttpOptions | None = None
    judge: JudgeOptions | None = None
    """Optional detectors; None = off. `{}` switches one on as it is."""


class Taint(_Part):
    url: str | None = None
    """redis://, rediss:// or unix:// where several gateways answer the same clients; None = in this process alone."""
    ttl_s: float = Field(default=86_400, gt=0)
    """Seconds after which it is forgotten what an answer was made from."""
    max_mb: float = Field(default=64, gt=0)
    """Memory in this process; beyond it, whoever holds most forgets first."""


class Log(_Part):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


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
