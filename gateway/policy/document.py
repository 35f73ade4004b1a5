"""Reads a YAML file that a person wrote: safe, bounded, and without the surprises YAML has in store.

Refused: more than 1 MiB, a key given twice, anchors and aliases (a few lines of them can unfold to gigabytes). Only
`true` and `false` are truth values, so that the country code `no` stays a word; dates and clock times stay words too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from gateway.core.errors import ConfigurationError
from gateway.core.types import Json
from gateway.policy import tripped

MAX_BYTES = 1024 * 1024


def read(path: Path) -> Json:
    """The file's content as JSON values. Raises ConfigurationError."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    if len(raw) > MAX_BYTES:
        raise ConfigurationError(f"{path}: larger than 1 MiB; split it into smaller files")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{path}:{line}: not UTF-8 at byte {error.start}; save the file as UTF-8") from error
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.MarkedYAMLError as error:
        place, problem = tripped.told(error, text)
        raise ConfigurationError(f"{path}:{place}: {problem}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(
            f"{path}: holds a character that YAML does not allow; save it as plain text"
        ) from error
    except RecursionError as error:
        raise ConfigurationError(f"{path}: nested too deeply; write it flat") from error


def _no_word(key: yaml.Node) -> str:
    if key.tag.endswith((":int", ":float")):  # mostly the second half of 0,55
        return "a number stands where a name should; write numbers with a point (0.55), or put it in quotes"
    return "a key is not a word; put it in quotes"


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way to say it

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.composer.ComposerError(
                None, None, "anchors and aliases are not read; write the value out", event.start_mark
            )
        if getattr(event, "tag", None):
            raise yaml.composer.ComposerError(None, None, tripped.TAG, event.start_mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise yaml.constructor.ConstructorError(None, None, _no_word(key), key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} stands here twice; keep one", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))
