"""The `gateway` command: reads the arguments, calls one command, turns errors into one sentence and an exit code.

Exit codes: 0 it went well, 1 a check failed (a policy case, a broken audit chain), 2 the input or the configuration
is wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gateway import __version__
from gateway.core.errors import GatewayError

_EPILOG = """examples:
  gateway serve                                  start on 127.0.0.1:8080 with the shipped default policy
  gateway init && gateway serve --config gateway.yaml
  echo '{"id": 1, "text": "my card is 4111 1111 1111 1111"}' | gateway inspect --jsonl
  echo 'Prove that sqrt(2) is irrational' | gateway explain
  gateway check policies/default.yaml
  gateway selfcheck                              what would leave, tried with planted values on this machine alone
  gateway audit verify var/audit
"""


_FROM_STDIN = frozenset({"inspect", "score", "explain", "case"})


def main(argv: Sequence[str] | None = None) -> int:
    parser = _parser()
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        way_out = f"; a text comes from stdin: gateway {args.command} < FILE" if args.command in _FROM_STDIN else ""
        parser.error(f"gateway {args.command} knows no {' '.join(unknown)!r}{way_out} (gateway {args.command} --help)")
    for stream in (sys.stdout, sys.stderr):  # a character that the terminal cannot show must not end a command
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Before numpy is there: on the few rows of one request its threads wait for each other, and for the engine's.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        command = importlib.import_module(f"gateway.commands.{args.command}")
        code: int = command.run(args)
        sys.stdout.flush()
        return code
    except GatewayError as error:
        print(f"gateway {args.command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of a pipe left: that is not our error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gateway",
        description="An OpenAI-compatible gateway that answers private or simple requests on this machine and lets "
        "the rest go out, as policies say.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"slm-gateway {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _serve(commands)
    _init(commands)
    _keys(commands)
    _inspect(commands)
    _score(commands)
    _explain(commands)
    _check(commands)
    _case(commands)
    _selfcheck(commands)
    _assess(commands)
    _calibrate(commands)
    _audit(commands)
    _why(commands)
    _models(commands)
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", formatter_class=argparse.RawTextHelpFormatter
    )


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="configuration file (default: ./gateway.yaml if there is one)"
    )


def _policy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--policy", type=Path, metavar="FILE", help="policy file (default: the configuration's, else default.yaml)"
    )


def _caller(parser: argparse.ArgumentParser) -> None:
    """What a key says about whoever uses it."""
    parser.add_argument("--role", dest="roles", action="append", default=[], help="a role of the key; may be repeated")
    parser.add_argument("--tag", dest="tags", action="append", default=[], help="a tag of the key; may be repeated")
    parser.add_argument("--purpose", help="the key's purpose")
    parser.add_argument("--public", action="store_true", help="the key's traffic is declared public")


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share: write a number from 0 to 1, 0.3 for 30 per cent")
    return share


def _rows(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--jsonl",
        action="store_true",
        help='read {"id", "text"} or {"id", "messages"} lines from stdin and write one JSON line for each;\n'
        "without it stdin is one text",
    )


def _serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "serve", "start the gateway")
    _config(parser)
    parser.add_argument("--host", help="address to listen on (default: server.host, 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on; 0 takes a free one (default: server.port, 8080)")
    parser.add_argument("--quiet", action="store_true", help="no banner")


def _init(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "init", "write a commented configuration, or a copy of a shipped policy")
    parser.add_argument("file", type=Path, nargs="?", help="default: gateway.yaml; with --policy my-policy.yaml")
    parser.add_argument(
        "--policy", metavar="NAME", help="copy this shipped policy and its cases: default, earned, masked, strict"
    )
    parser.add_argument("--force", action="store_true", help="overwrite the file")


def _keys(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "keys", "make an API key and the lines that let it in")
    parser.add_argument("action", choices=["new"])
    parser.add_argument("name", help="whose key it is, for example the app's name")
    parser.add_argument("--tenant", default="default", help="tenant it belongs to (default: default)")
    _caller(parser)


def _inspect(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "inspect", "say what is sensitive in texts or chats (stdin: a text, a chat body, or lines)")
    how = parser.add_mutually_exclusive_group()
    _rows(how)
    how.add_argument(
        "--explain",
        action="store_true",
        help="for each finding: which detector and rule, in which reading of the text, how sure, what stands near it,\n"
        "what the policy makes of it",
    )
    parser.add_argument("--json", action="store_true", help="JSON also on a terminal")
    _config(parser)
    _policy(parser)


def _score(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "score", "say how much a remote model would help (gain: 0.5 = no difference)")
    _rows(parser)
    parser.add_argument("--explain", action="store_true", help="and what made it: each feature, its weight, the family")
    parser.add_argument("--json", action="store_true", help="JSON also on a terminal")
    _config(parser)


def _explain(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "explain", "decide about a request on stdin (a chat body as JSON, or plain text)")
    _config(parser)
    _policy(parser)
    parser.add_argument("--model", help="the model the client would name (default: the body's, else auto)")
    parser.add_argument("--tenant", default="default", help="who asks (default: default)")
    _caller(parser)
    for name, meaning in (
        ("rank", "take it that so large a share of the tenant's recent requests was easier"),
        ("quality", "take it that answering it and all easier ones here would leave so much quality"),
        ("share", "take it that so large a share of the tenant's recent requests went out"),
    ):
        parser.add_argument(f"--{name}", type=_share, metavar="NUMBER", help=f"{meaning} (0 to 1)")
    parser.add_argument("--json", action="store_true", help="JSON also on a terminal")


def _check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "check", "check a policy: its schema, rules that can never apply, and its cases")
    parser.add_argument("file", type=Path, metavar="POLICY", help="a file, or a shipped policy: default.yaml")
    parser.add_argument("--cases", type=Path, metavar="FILE", help="default: POLICY's name with .cases.yaml")
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="check against this configuration's backends\n(default: the example backends that shipped cases name)",
    )


def _case(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "case", "keep a request as a case of the policy: a false alarm, or something missed")
    actions = parser.add_subparsers(dest="action", metavar="add", required=True)
    add = actions.add_parser("add", help="append the text or chat body on stdin to a cases file")
    add.add_argument("file", type=Path, metavar="CASES", help="for example my-policy.cases.yaml; made if it is missing")
    add.add_argument("--note", required=True, help="one sentence: what should happen, and why")
    add.add_argument("--want", choices=["local", "private", "remote"], help="where it should be answered")
    add.add_argument(
        "--level",
        choices=["public", "internal", "confidential", "restricted", "unknown"],
        help="the level it should get",
    )
    add.add_argument(
        "--finding",
        dest="findings",
        action="append",
        default=[],
        metavar="KIND",
        help="a kind that should be found, and none but those named so; may be repeated",
    )
    add.add_argument(
        "--not-finding",
        dest="not_findings",
        action="append",
        default=[],
        metavar="KIND",
        help="a kind that should not be found; may be repeated",
    )
    add.add_argument(
        "--policy", type=Path, metavar="FILE", help="the policy it is a case of (default: CASES without .cases)"
    )
    _config(add)


def _selfcheck(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "selfcheck", "send planted values through the whole gateway and say what would have left")
    _config(parser)
    _policy(parser)
    parser.add_argument(
        "--with-model",
        action="store_true",
        help="start the local model as well (slow); without it a stand-in with its abilities answers here",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="plant the values of an earlier run again")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")


def _assess(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "assess", "bound the errors of the detectors on labelled samples of your own")
    parser.add_argument(
        "--samples", type=Path, required=True, metavar="FILE", help="labelled samples, one JSON line each"
    )
    _config(parser)
    _policy(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")


def _calibrate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "calibrate", "fit the scorer to your local model and a remote one, by questions to both")
    parser.add_argument("--backend", default="local", metavar="NAME", help="the local model (default: local)")
    parser.add_argument("--against", metavar="NAME", help="the backend outside (default: the first one configured)")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--probes", type=Path, metavar="FILE", help="probes of your own (default: the shipped ones)")
    source.add_argument(
        "--from-audit",
        action="store_true",
        help="weigh the shipped probes as the audit log says your traffic is; the log holds no text to ask",
    )
    parser.add_argument("--count", type=int, default=300, metavar="N", help="probes to ask at most (default: 300)")
    parser.add_argument("--judge", metavar="NAME", help="a backend that marks answers where no gold one is known")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: calibration.json beside the configuration")
    parser.add_argument("--max-tokens", type=int, default=64, metavar="N", help="of a local answer (default: 64)")
    parser.add_argument("--remote-max-tokens", type=int, default=256, metavar="N", help="of others (default: 256)")
    parser.add_argument("--at-once", type=int, default=4, metavar="N", help="remote requests at once (default: 4)")
    parser.add_argument("--fresh", action="store_true", help="forget the answers of earlier runs")
    parser.add_argument("--yes", action="store_true", help="do not ask before it starts")
    parser.add_argument("--tenant", default="default", help="who asks (default: default)")
    _caller(parser)
    _config(parser)
    _policy(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")


def _audit(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "audit", "verify or show the audit log")
    actions = parser.add_subparsers(dest="action", metavar="verify|show", required=True)
    verify = actions.add_parser("verify", help="check the chain and the signature; needs the public key only")
    verify.add_argument("dir", type=Path)
    verify.add_argument("--public-key", type=Path, metavar="FILE", help="default: DIR/public.pem")
    verify.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="an earlier copy of DIR/head: the log must still hold what it signs",
    )
    verify.add_argument("--json", action="store_true")
    show = actions.add_parser("show", help="print records")
    show.add_argument("dir", type=Path)
    show.add_argument("--request", metavar="ID", help="only this request's records")
    which = show.add_mutually_exclusive_group()
    which.add_argument("--event", help="only this event: decided, attempt, outcome, …")
    which.add_argument(
        "--left", action="store_true", help="only attempts to send something off this host, and how many"
    )
    show.add_argument("--since", metavar="TIME", help="in UTC: 2026-11-21, 2026-11-21T09:30")
    show.add_argument("--until", metavar="TIME", help="exclusive")
    show.add_argument("--last", type=int, metavar="N", help="only the last N")
    show.add_argument("--json", action="store_true", help="one JSON record per line")


def _why(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "why", "decide again about a past request, from the audit log")
    parser.add_argument("request", metavar="REQUEST_ID", help="the x-request-id of the answer")
    parser.add_argument("--dir", type=Path, metavar="DIR", help="audit folder (default: the configuration's)")
    _config(parser)
    parser.add_argument("--json", action="store_true", help="JSON also on a terminal")


def _models(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(commands, "models", "list, fetch, verify or measure local models")
    actions = parser.add_subparsers(dest="action", metavar="list|pull|verify|bench", required=True)
    listed = actions.add_parser("list", help="the models known here and whether their files are present")
    listed.add_argument("--json", action="store_true")
    pull = actions.add_parser("pull", help="fetch a model by name, https URL or path")
    pull.add_argument("source", metavar="NAME|URL|PATH")
    pull.add_argument("--sha256", help="needed for a URL: the file's SHA-256 in hexadecimal")
    pull.add_argument("--name", help="the id to give it (default: the file's name)")
    pull.add_argument("--languages", help="ISO codes it answers well, for example en,it,es (default: all)")
    pull.add_argument("--context", type=int, help="tokens it can hold")
    verify = actions.add_parser("verify", help="check files against their SHA-256")
    verify.add_argument("name", nargs="?", help="default: all that are present")
    bench = actions.add_parser("bench", help="measure encodings and numbers of threads on this machine, and choose")
    bench.add_argument("model", nargs="?", metavar="NAME|PATH", help="default: the configuration's local.model")
    bench.add_argument("--threads", metavar="LIST", help="for example 1,2,4 (default: 1 to all physical cores)")
    bench.add_argument("--quick", action="store_true", help="a rough look, in some seconds")
    bench.add_argument("--json", action="store_true", help="JSON lines also on a terminal")
    _config(bench)


if __name__ == "__main__":
    sys.exit(main())
