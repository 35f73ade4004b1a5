"""From a policy file to a compiled policy, or to one sentence that says what is wrong with it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from gateway.core.errors import ConfigurationError
from gateway.core.types import BackendSpec, Zone
from gateway.policy import document, mistakes, own, selectors, shadow
from gateway.policy.adapters import NONE
from gateway.policy.assemble import assemble
from gateway.policy.doubts import ANY, Vocabulary, doubts
from gateway.policy.evaluate import CompiledPolicy
from gateway.policy.facts import Catalogue
from gateway.policy.floor import FLOOR, PRIVATE, QUEUE
from gateway.policy.rules import DEFAULT_RULE
from gateway.policy.schema import Adapter, Floor, Forbid, Permit, PolicyFile


def load_policy(path: Path, backends: Sequence[BackendSpec], vocabulary: Vocabulary = ANY) -> CompiledPolicy:
    """Compile the file against the catalogue. Raises ConfigurationError with the first mistake.

    A word that no detector of `vocabulary` says is no mistake but a warning: a policy may be older or newer than the
    detectors, and a gateway that does not start protects nobody.
    """
    policy, wrong = read_policy(path, backends, vocabulary)
    if policy is None:
        more = f" (and {len(wrong) - 1} more; see `gateway check {path}`)" if len(wrong) > 1 else ""
        raise ConfigurationError(wrong[0] + more)
    return policy


def read_policy(
    path: Path, backends: Sequence[BackendSpec], vocabulary: Vocabulary = ANY
) -> tuple[CompiledPolicy | None, list[str]]:
    """The compiled policy, or None and every mistake in it."""
    file, wrong = read_file(path)
    if file is None:
        return None, wrong
    catalogue = Catalogue(tuple(backends))
    wrong = [
        f"{path}: {text}"
        for text in (
            *_names(file),
            *_backends(file, catalogue),
            *selectors.empty(file),
            *own.mistakes(file),
            *shadow.mistakes(file, catalogue),
        )
    ]
    if wrong:
        return None, wrong
    found = doubts(file, vocabulary)
    unknown = (*_unknown_backends(file, catalogue), *_unknown_adapters(file, catalogue))
    warnings = (*unknown, *shadow.warnings(file, catalogue), *found.never, *found.warnings)
    return assemble(file, catalogue, digest(file), warnings), []


def read_file(path: Path) -> tuple[PolicyFile | None, list[str]]:
    """The validated file, or None and what is wrong with its shape."""
    try:
        content = document.read(path)
    except ConfigurationError as error:
        return None, [str(error)]
    try:
        return PolicyFile.model_validate(content), []
    except ValidationError as error:
        return None, mistakes.sentences(path, error, content, PolicyFile)


def digest(file: PolicyFile) -> str:
    """Of what the file says, not of how it is written: comments and left-out defaults change nothing."""
    content = file.model_dump(mode="json", by_alias=True)
    # What was added later counts where it is used: records of older policies stay good.
    for section in ("adapters", "detect", "public", "scan_answer", "shadow"):
        if getattr(file, section) == PolicyFile.model_fields[section].get_default():
            del content[section]
    for permit in content["permit"]:
        if permit["with"] is None:
            del permit["with"]
        if permit["when"]["target"] is None:
            del permit["when"]["target"]
    for rule in (*content["permit"], *content["forbid"], *content.get("adapters", ())):
        if rule["when"]["share"] is None:
            del rule["when"]["share"]
    if content["allow"] is not None and content["allow"]["values"] is None:
        del content["allow"]["values"]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _names(file: PolicyFile) -> Iterator[str]:
    sections: tuple[tuple[str, Sequence[Permit | Forbid | Adapter]], ...] = (
        ("permit", file.permit),
        ("forbid", file.forbid),
        ("adapters", file.adapters),
    )
    rules = [(section, rule.name) for section, entries in sections for rule in entries]
    for section, name in rules:
        if name == DEFAULT_RULE:
            yield f"{section} {name!r}: the name is reserved for what no rule permits; choose another"
        if name == FLOOR and isinstance(file.floor, Floor) and file.floor.then in (PRIVATE, QUEUE):
            yield f"{section} {name!r}: the name is that of the permit which the floor stands for; choose another"
    for name, times in Counter(name for _, name in rules).items():
        if times > 1:
            yield f"rule {name!r}: {times} rules have this name; give each its own"


def _backends(file: PolicyFile, catalogue: Catalogue) -> Iterator[str]:
    if not catalogue.local:
        yield "the catalogue has no backend of zone local, and there must be a place to stay; define one"
    for name, times in Counter(spec.name for spec in catalogue.backends).items():
        if times > 1:
            yield f"backend {name!r} is defined {times} times; give each its own name"
    for permit in file.permit:
        zone = Zone[permit.zone.upper()]
        for name in permit.to or ():
            spec = catalogue.by_name.get(name)
            if spec is not None and spec.zone > zone:
                yield (
                    f"permit {permit.name!r}, to: backend {name!r} is in zone {spec.zone}, beyond the permit's "
                    f"zone {zone}; take it off the list or write a permit for zone {spec.zone}"
                )


def _unknown_adapters(file: PolicyFile, catalogue: Catalogue) -> Iterator[str]:
    known = {name for spec in catalogue.local for name in spec.adapters}
    for rule in file.adapters:
        if rule.adapter != NONE and rule.adapter not in known:
            yield f"adapters {rule.name!r}: the local model has no adapter {rule.adapter!r}; it answers without one"


def _unknown_backends(file: PolicyFile, catalogue: Catalogue) -> Iterator[str]:
    for permit in file.permit:
        for name in permit.to or ():
            if name not in catalogue.by_name:
                yield f"permit {permit.name!r}, to: there is no backend {name!r}"
