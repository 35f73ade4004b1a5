"""`gateway case add`: a request that went wrong becomes a case of the policy, so that it stays right once it is."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

import anyio
import yaml

from gateway.commands.situation import Situation, chat_or_text, detecting, situation
from gateway.core.errors import ConfigurationError
from gateway.core.types import Json

if TYPE_CHECKING:
    from gateway.policy.cases import CaseResult
    from gateway.policy.evaluate import CompiledPolicy

_CASES = ".cases.yaml"
_BESIDE = frozenset({"id", "model", "messages", "text", "stream", "stream_options"})
"""What of a body is no further field of a case."""
_UNREAD = re.compile(r"[^\x20-\x7e\n\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029]")
"""Signs that YAML does not take, or takes for a line's end."""


def run(args: argparse.Namespace) -> int:
    wanted = _want(args)
    args.policy = _policy(args)
    here = situation(args)
    policy = _loaded(here, own_backends=bool(args.config))
    case = {"note": args.note, **_request(chat_or_text(), here), "want": wanted}
    append(args.file, case, here.policy)
    results = anyio.run(_run_cases, here, args.file, policy)
    print(_said(args, here.policy, results))
    return 0


def _want(args: argparse.Namespace) -> dict[str, Json]:
    given = {
        "zone": args.want,
        "level": args.level,
        "findings": args.findings,
        "not_findings": args.not_findings,
    }
    wanted = {name: value for name, value in given.items() if value}
    if not wanted:
        raise ConfigurationError("say what should come of it: --want, --level, --finding or --not-finding")
    return wanted


def _policy(args: argparse.Namespace) -> Path:
    """The policy named, or the one that the cases lie beside."""
    if args.policy is not None:
        return Path(args.policy)
    if not args.file.name.endswith(_CASES):
        raise ConfigurationError(
            f"{str(args.file)!r}: name the file like my-policy{_CASES}, or its policy with --policy"
        )
    return Path(args.file.with_name(args.file.name.removesuffix(_CASES) + ".yaml"))


def _request(row: Mapping[str, Json], here: Situation) -> dict[str, Json]:
    """A text as a text, a chat with what else its body says."""
    if "messages" not in row:
        return {"text": str(row["text"]).strip()}
    from gateway.wiring.backends import names

    meant = names(here.settings, here.specs[0], here.specs[1:]).get(row.get("model", "auto"), "auto")
    body = {name: value for name, value in row.items() if name not in _BESIDE and value is not None}
    return {
        "messages": row["messages"],
        **({"model": meant} if meant != "auto" else {}),
        **({"body": body} if body else {}),
    }


# ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def append(path: Path, case: Mapping[str, Json], policy: Path) -> None:
    """Add the case at the file's end, comments and all else as they are. What would not read back is not written."""
    from gateway.policy.cases import read_cases

    try:
        before = (
            path.read_text(encoding="utf-8") if path.exists() else f"# Run with: gateway check {policy.name}\ncases:\n"
        )
        count = len(read_cases(path).cases) if path.exists() else 0
    except (OSError, UnicodeDecodeError):
        raise ConfigurationError(f"{str(path)!r} cannot be read as UTF-8") from None
    text = before.rstrip("\n") + "\n" + ("\n" if count else "") + _written(case, _indent(before, path))
    temporary: Path | None = None
    try:
        with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=_CASES, delete=False) as file:
            temporary = Path(file.name)
            file.write(text)
        _check(temporary, path, count, case)
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o777)
        temporary.replace(path)  # a new file is its owner's alone: it holds what a user wrote
    except OSError as error:
        raise ConfigurationError(f"cannot write {str(path)!r}: {error.strerror}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _check(temporary: Path, path: Path, count: int, case: Mapping[str, Json]) -> None:
    """Raise ConfigurationError unless the new file holds one case more, and that one as it was given."""
    from gateway.policy.cases import read_cases

    try:
        added = read_cases(temporary).cases[count:]
    except ConfigurationError as error:
        raise ConfigurationError(str(error).replace(str(temporary), str(path))) from None
    if [each.model_dump(by_alias=True, exclude_unset=True) for each in added] != [case]:
        raise ConfigurationError(f"{path}: no case can be added at the end of this file; write its cases as a list")


def _indent(text: str, path: Path) -> int:
    """The column at which the file's cases begin."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        raise ConfigurationError(f"{path}: not YAML; `gateway check` says where") from None
    node = root
    if isinstance(root, yaml.MappingNode):
        node = next((value for key, value in root.value if key.value == "cases"), None)
    if isinstance(node, yaml.SequenceNode) and node.value and not node.flow_style:
        return int(node.start_mark.column)
    return 2


def _written(case: Mapping[str, Json], indent: int) -> str:
    """JSON is YAML, and leaves no doubt about what is a word and what is a number."""
    lines = [f"{name}: {_json(value)}" for name, value in case.items()]
    first, *others = lines
    return "".join(f"{' ' * indent}{line}\n" for line in (f"- {first}", *(f"  {line}" for line in others)))


def _json(value: Json) -> str:
    def escaped(match: re.Match[str]) -> str:
        code = ord(match[0])
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return _UNREAD.sub(escaped, json.dumps(value, ensure_ascii=False))


# ── Trying ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _loaded(here: Situation, *, own_backends: bool) -> CompiledPolicy:
    """Before anything is written: a case of a policy that does not load says nothing."""
    from gateway.policy.cases import CATALOGUE
    from gateway.policy.load import load_policy

    return load_policy(here.policy, here.specs if own_backends else CATALOGUE)


async def _run_cases(here: Situation, cases: Path, policy: CompiledPolicy) -> Sequence[CaseResult]:
    from gateway.policy.cases import run_cases
    from gateway.score.scorer import EnsembleScorer

    specs = policy.catalogue.backends
    async with detecting(here, policy) as detector:
        return await run_cases(here.policy, cases, detector=detector, scorer=EnsembleScorer(specs[0]), backends=specs)


def _said(args: argparse.Namespace, policy: Path, results: Sequence[CaseResult]) -> str:
    *_, last = results
    failed = sum(not result.passed for result in results)
    lines = [
        f"{args.file}: case {len(results)} added",
        "the file holds its text: where there are real values in it, made-up ones do as well",
    ]
    if last.passed:
        lines.append("it passes already; from now on it has to")
    else:
        lines += ["it does not pass yet:", *(f"    {difference}" for difference in last.differences)]
        lines += [f"    because {reason}" for reason in (last.decision.reasons if last.decision else ())]
        lines += _hints(args, policy)
    lines.append(f"next: gateway check {policy}   ({len(results) - failed} of {len(results)} cases pass)")
    return "\n".join(lines)


def _hints(args: argparse.Namespace, policy: Path) -> list[str]:
    hints = []
    if args.not_findings or args.want in ("remote", "private"):
        hints.append(
            f"a value of your house that is no finding: allow.values in {policy}; a kind that weighs less: levels"
        )
    if args.findings or args.want == "local":
        hints.append(f"something only your house calls private: detect in {policy}; a kind that weighs more: levels")
    return hints
