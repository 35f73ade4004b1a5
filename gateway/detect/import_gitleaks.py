"""Turns a gitleaks configuration into `data/secrets.json`: `python -m gateway.detect.import_gitleaks gitleaks.toml`.

Run by hand when the rules are renewed; nothing at run time reads TOML of theirs. Three things change on the way:
Go's RE2 syntax becomes Python's, every unbounded repeat gets a bound (Python backtracks, RE2 does not), and a value may
also end at prose punctuation, because prompts quote keys inside sentences.
"""

from __future__ import annotations

import argparse
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LONGEST = 4000
"""Bound for a repeat that had none: longer than any atom, no longer than the overlap of two slices."""
_SHORTER = {".": 200, r"\s": 20, r"[ \t]": 20, ")": 64}
"""Bounds for what only fills the space between the parts of a rule: here a long repeat costs time and finds nothing."""
_ACROSS_LINES = r"[\s\S]{0,400}?"
_REWRITTEN = {
    r"(?:.*?|.*?(?:[\r\n]{1,2}.*?){1,5})": _ACROSS_LINES,
    r"(?:.*|.*(?:[\r\n]{1,2}.*){1,5})": _ACROSS_LINES,
}
"""Sub-patterns that are linear in RE2 and polynomial in Python, and what says nearly the same."""

_PREFIX = r"[\w.-]{0,50}?"
_END = r"""(?:[\x60'"\s;]|\\[nr]|$)"""
_PROSE_END = r"""(?=[\x60'"\s;,)\]}<>&|!?]|\.(?:\s|$)|\\[nr]|$)"""
_REPLACED = frozenset({"private-key", "hashicorp-tf-password"})
"""Rules that `kinds.toml` has in a better form, or a wider one."""
_GATES = {
    "kubernetes-secret-yaml": r"(?i)\bkind:[ \t]*[\"']?secret\b",
    "curl-auth-header": r"\bcurl\b[\s\S]*(?:-H|--header)",
    "curl-auth-user": r"\bcurl\b[\s\S]*(?:-u|--user)",
}
"""Rules whose automaton would be large: this cheaper necessary condition wakes them instead."""
_ATOM = re.compile(
    r"\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|\(\?[a-zA-Z-]*[:)]|\(\?P?<[^>]+>|\(\?|\{\d+,\}|[()|*+]|.", re.DOTALL
)


def translate(pattern: str) -> str:
    """The same language in Python's words, with every repeat bounded."""
    for slow, quick in _REWRITTEN.items():
        pattern = pattern.replace(slow, quick)
    out: list[str] = []
    before = ""
    flags: list[list[str]] = [[]]  # flags that run to the end of each open group: "(?i:" still to be closed
    for index, atom in enumerate(_atoms(pattern)):
        if atom == "(?i)" and index == 0:
            out.append(atom)
        elif re.fullmatch(r"\(\?[a-z-]+\)", atom):  # Go: from here to the end of the enclosing group
            flags[-1].append(atom[:-1] + ":")
            out.append(flags[-1][-1])
        elif atom.startswith("("):
            out.append(atom)
            flags.append([])
        elif atom == ")":
            out.append(")" * (len(flags.pop()) + 1))
        elif atom == "|":
            out.append(")" * len(flags[-1]) + "|" + "".join(flags[-1]))
        else:
            out.append(_plain(atom, before))
        before = atom
    return "".join(out) + ")" * len(flags[0])


def _atoms(pattern: str) -> Iterator[str]:
    return (match.group() for match in _ATOM.finditer(pattern))


def _plain(atom: str, before: str) -> str:
    if atom in {"*", "+"}:
        return f"{{{int(atom == '+')},{_SHORTER.get(before, LONGEST)}}}"
    if re.fullmatch(r"\{\d+,\}", atom):
        least = int(atom[1:-2])
        return f"{{{least},{least + _SHORTER.get(before, LONGEST)}}}"
    if atom == r"\z":
        return r"\Z"
    if atom.startswith("[[") and len(atom) > 2:  # Python warns of a nested set
        return "[\\" + atom[1:]
    return atom


def rule(row: dict[str, Any]) -> dict[str, Any]:
    """One of our rows for one of theirs."""
    source: str = row["regex"]
    shortened = source.replace(_PREFIX, "", 1) if source.removeprefix("(?i)").startswith(_PREFIX) else source
    out: dict[str, Any] = {
        "kind": row["id"].replace("-", "_"),
        "pattern": translate(shortened.replace(_END, _PROSE_END)),
        "gate": _GATES.get(row["id"], shortened.replace(_END, "")),
        "keywords": [word.lower() for word in row.get("keywords", [])],
    }
    if shortened != source:
        out["prefixed"] = True
    for ours, theirs in (("entropy", "entropy"), ("group", "secretGroup")):
        if theirs in row:
            out[ours] = row[theirs]
    allow = [entry for entry in map(_allowed, row.get("allowlists", [])) if entry]
    if allow:
        out["allow"] = allow
    return out


def _allowed(row: dict[str, Any]) -> dict[str, Any] | None:
    if row.get("condition") == "AND" and "paths" in row:
        return None  # a prompt has no path, so the conjunction never holds
    # A vendor's published sample key is a finding here, marked as reserved; see `reserved.py`.
    regexes = [translate(regex) for regex in row.get("regexes", []) if "EXAMPLE" not in regex]
    stopwords = sorted(word.lower() for word in row.get("stopwords", []))
    if not regexes and not stopwords:
        return None
    return {"target": row.get("regexTarget", "secret"), "regexes": regexes, "stopwords": stopwords}


def convert(source: str) -> dict[str, Any]:
    config = tomllib.loads(source)
    everywhere = config.get("allowlist", {})
    return {
        "source": "gitleaks default configuration, MIT licence, see README.md",
        "allow": _allowed({key: everywhere.get(key, []) for key in ("regexes", "stopwords")}),
        "rules": [rule(row) for row in config["rules"] if "regex" in row and row["id"] not in _REPLACED],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path, help="gitleaks.toml")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "data" / "secrets.json")
    arguments = parser.parse_args()
    converted = convert(arguments.config.read_text(encoding="utf-8"))
    arguments.out.write_text(json.dumps(converted, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
