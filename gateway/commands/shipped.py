"""Copies a shipped policy with its cases, so that there is something to edit wherever the gateway is installed."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.core.errors import ConfigurationError

_CASES = ".cases.yaml"


def copy_policy(name: str, to: Path, *, force: bool) -> list[Path]:
    """Write the policy to `to`, under that file's name, and its cases beside it. Raises ConfigurationError."""
    from gateway.wiring.places import shipped_policies

    folder = shipped_policies()
    known = sorted(path.stem for path in folder.glob("*.yaml") if not path.name.endswith(_CASES))
    stem = Path(name).stem
    if stem not in known:
        raise ConfigurationError(f"there is no shipped policy {name!r}; known: {', '.join(known)}")
    if to.suffix != ".yaml" or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", to.stem):
        raise ConfigurationError(f"{str(to)!r}: name the copy like my-policy.yaml (letters, digits, - and _)")
    text = (folder / f"{stem}.yaml").read_text(encoding="utf-8")
    # The schema for editors stays behind, and so does the line that leads to it.
    text = re.sub(r"\A# yaml-language-server:.*\n", "", text)
    text = re.sub(rf"^name: {stem}$", f"name: {to.stem}", text, count=1, flags=re.MULTILINE)
    cases = (folder / f"{stem}{_CASES}").read_text(encoding="utf-8")
    cases = cases.replace(f"gateway check policies/{stem}.yaml", f"gateway check {to}", 1)
    beside = to.with_name(to.stem + _CASES)
    if not force and (there := next((path for path in (to, beside) if path.exists()), None)) is not None:
        raise ConfigurationError(f"{str(there)!r} exists; --force overwrites it")
    try:
        to.write_text(text, encoding="utf-8")
        beside.write_text(cases, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write {str(to)!r}: {error.strerror}") from None
    return [to, beside]
