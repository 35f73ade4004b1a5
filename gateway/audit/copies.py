"""The copies of policies beside a log: what was in force can be read, and a changed copy is found by its digest."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from gateway.audit.diagnose import Problem
from gateway.audit.segments import lines, segments

FOLDER = "policies"
DigestOf = Callable[[Path], str | None]
"""A policy file's digest; None when it is no policy. Only the policy engine knows how to tell."""

_NAMED = re.compile(rb'"policy_digest":"([0-9a-f]{64})"')
_COPY = re.compile(r"^[0-9a-f]{64}$")


def check_copies(directory: Path, digest_of: DigestOf) -> None:
    """Raise Problem for the first copy that is not the policy it is named after. Other files are nobody's evidence."""
    for path in sorted((directory / FOLDER).glob("*.yaml")):
        if _COPY.match(path.stem) and digest_of(path) != path.stem:
            raise Problem("policy_altered", None, f"the copy {FOLDER}/{path.name} is not the policy with that digest")


def missing_copies(directory: Path) -> tuple[str, ...]:
    """Digests that decisions name and that no copy has. No proof of anything: the disk may have been full then."""
    named: set[str] = set()
    for segment in segments(directory):
        for line in lines(segment):
            if b'"event":"decided"' in line.raw:
                named.update(found.decode() for found in _NAMED.findall(line.raw))
    return tuple(sorted(digest for digest in named if not (directory / FOLDER / f"{digest}.yaml").is_file()))
