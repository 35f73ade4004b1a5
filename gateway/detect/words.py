"""Checks for what is written rather than numbered: addresses, hosts, passwords and keys."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable
from math import log2

from gateway.detect.candidate import Candidate, Check, Confirmed
from gateway.detect.hits import DOUBTFUL

_PLACEHOLDER = re.compile(
    r"(?i)^(?:[<\[{(%$#].*|x{3,}.*|\*{2,}.*|\.{2,}.*|.*\.\.\.$|_+|none|null|nil|true|false|undefined|required|optional|"
    r"string|str|int|bool|boolean|bytes|number|object|text|any|secret|token|password|passwort|contraseña|changeit|"
    r"your.*|my[-_]?(?:password|secret|token|key)|tu[-_].*|placeholder.*|example.*|redacted.*|hidden|todo|n/?a|"
    r"self|this|process|os|env|config|settings|options|request|req|res|props|params|args|kwargs|input|value|values|"
    r"user|username|email|admin_password|new[-_]?password|old[-_]?password|password\d?|pass|passwd|pwd|hash|hashed.*|"
    r"(?:const|let|var|await|new|async|function|return|lambda|not|and|for|the|type|char|varchar).*)$"
)
_STATE = re.compile(
    r"(?i)(?:.*(?:ed|ion|ment|able|ible|word|wort|user|name|aña)|incorrect|forgotten|mandatory|numeric|alphanumeric|"
    r"obligatori[ao]|richiest[ao]|facultativ[ao]|minimum|maximum|characters?|something|whatever|anything|everything|nothing|missing|resetting|changing|existing|different|"
    r"unknown|missing|correct|default|varchar|password)$"
)
"""What forms and manuals say of a password."""
_CODE = re.compile(
    r"[({\[]|\$\{|->|=>|::|^[a-z_]+(?:\.[A-Za-z_]+)+$|^(?:os|process|self|config|settings|env|request)\."
)
_CREDENTIALS = re.compile(r"://[^\s/:]{0,128}:[^\s/@:]{0,128}\Z")
"""What stands before the end of a password in a URL."""
_PUBLIC = re.compile(r"(?i)[cx]srf[\w-]{0,12}[^\w\n]{0,4}\Z")
_WORD = re.compile(r"^[^\W\d_]+$")


def entropy(text: str) -> float:
    """Shannon's, in bits per character."""
    size = len(text)
    return -sum(count / size * log2(count / size) for count in Counter(text).values()) if size else 0.0


def email(candidate: Candidate) -> Iterable[Confirmed]:
    local, _, host = candidate.value.rpartition("@")
    local = local.lstrip(".'%+-")
    top = host.rpartition(".")[2]
    code_repository = local == "git" and candidate.text[candidate.end : candidate.end + 1] in {":", "/"}
    if not local or code_repository or not (top.isalpha() or top.lower().startswith("xn--")):
        return ()
    start = candidate.end - len(host) - 1 - len(local)
    in_url = _CREDENTIALS.search(candidate.text, max(0, start - 200), start)
    return (Confirmed(start, candidate.end, f"{local}@{host}".lower(), DOUBTFUL if in_url else candidate.confidence),)


def ip_address(candidate: Candidate) -> Iterable[Confirmed]:
    """A public IPv4 address. Private, loopback and well-known resolver addresses are nobody's, versions no address."""
    if candidate.value in {"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9"}:
        return ()
    before = candidate.text[max(0, candidate.start - 12) : candidate.start].lower()
    if re.search(r"v\.? ?$|vers|release|build|rev|section|§", before):
        return ()
    try:
        address = ipaddress.IPv4Address(candidate.value)
    except ipaddress.AddressValueError:
        return ()
    documentation = candidate.value.startswith(("192.0.2.", "198.51.100.", "203.0.113."))
    return candidate.confirm() if address.is_global or documentation else ()


def mac_address(candidate: Candidate) -> Iterable[Confirmed]:
    digits = set(candidate.bare.replace(":", ""))
    return candidate.confirm() if len(digits) > 2 else ()


def credentialed_url(candidate: Candidate) -> Iterable[Confirmed]:
    secret = candidate.value.split("://", 1)[1].rpartition("@")[0].partition(":")[2]
    if _PLACEHOLDER.match(secret) and not re.fullmatch(r"(?i)pass(?:word|wd)?\d*|admin.*|secret", secret):
        return ()
    return (Confirmed(candidate.start, candidate.end, candidate.value, candidate.confidence),)


def password(candidate: Candidate) -> Iterable[Confirmed]:
    """The right-hand side of an assignment, unless it is a placeholder, a type, a call or a plain word."""
    value = candidate.value.rstrip(".,;:!?\"'`)")
    if len(value) < 4 or _PLACEHOLDER.match(value) or _CODE.search(value):
        return ()
    quoted = candidate.text[candidate.start - 1 : candidate.start] in {'"', "'", "`"}
    if (
        not _mixed(value)
        and not _chosen(candidate, value)
        and not (quoted and len(value) >= 6 and _WORD.match(value) and entropy(value) >= 2.5)
    ):
        return ()
    return (_shortened(candidate, value),)


def _chosen(candidate: Candidate, value: str) -> bool:
    """Eight letters or more behind "password:", with nothing after them in their line: no sentence, no code."""
    label = candidate.text[max(0, candidate.start - 3) : candidate.start].rstrip()
    line = candidate.text[candidate.start + len(value) : candidate.start + len(value) + 3]
    alone = not line.strip(" \t.!\r") or line[:1] == "\n"
    return len(value) >= 8 and label.endswith(":") and alone and value.isalpha() and not _STATE.match(value)


def spoken_password(candidate: Candidate) -> Iterable[Confirmed]:
    """What follows "the password is": it must look chosen, a sentence goes on otherwise."""
    value = candidate.value.rstrip(".,;:!?\"'`)»")
    pin = re.fullmatch(r"\d{4,8}", value) is not None
    if len(value) < 4 or _PLACEHOLDER.match(value) or not (pin or _mixed(value)):
        return ()
    return (_shortened(candidate, value),)


def chosen_password(candidate: Candidate) -> Iterable[Confirmed]:
    """What stands somewhere behind the word "password" and looks like one: letters, digits and more than that."""
    value = candidate.value.rstrip(".,;:!?\"'`)»")
    kinds = (str.isdigit, str.islower, str.isupper, lambda char: not char.isalnum())
    if len(value) < 8 or sum(any(map(kind, value)) for kind in kinds) < 3 or _CODE.search(value) or "/" in value:
        return ()
    plain = _PLACEHOLDER.match(value) or ("@" in value[1:-1] and "." in value.rpartition("@")[2])
    return () if plain or not any(map(str.isdigit, value)) else (_shortened(candidate, value),)


def access_code(candidate: Candidate) -> Iterable[Confirmed]:
    """Digits behind "alarm code": no year, no row of one digit."""
    value = candidate.value
    year = re.fullmatch(r"(?:19|20)\d\d", value)
    return (
        ()
        if year and "pin" not in candidate.text[max(0, candidate.start - 20) : candidate.start].lower()
        else candidate.confirm()
    )


def mixed_token(candidate: Candidate) -> Iterable[Confirmed]:
    """A run that nobody would write by hand: both cases and digits, or digits all over it."""
    value = candidate.value
    digits = sum(map(str.isdigit, value))
    cases = any(map(str.islower, value)) and any(map(str.isupper, value))
    return key(candidate) if digits >= 2 and (cases or digits >= 5) and not _PLACEHOLDER.match(value) else ()


def _mixed(value: str) -> bool:
    """Letters beside digits or marks: hardly ever an ordinary word."""
    letters = any(map(str.isalpha, value))
    digits = any(map(str.isdigit, value))
    marks = len(re.findall(r"[^\w\s]", value)) - len(re.findall(r"(?<=[^\W\d_])['’-](?=[^\W\d_])", value))
    inner_capital = re.search(r"[a-z][A-Z]", value) is not None
    return (letters and digits) or (letters and marks > 0 and not _urlish(value)) or (inner_capital and len(value) > 9)


def _urlish(value: str) -> bool:
    return "://" in value or value.count("/") > 1 or re.fullmatch(r"[\w-]+(?:[./_-][\w-]+)+/?", value) is not None


def _shortened(candidate: Candidate, value: str) -> Confirmed:
    return Confirmed(candidate.start, candidate.start + len(value), value, candidate.confidence)


def key(candidate: Candidate) -> Iterable[Confirmed]:
    """A vendor's key: the pattern names it, the entropy says that it is no sample."""
    value = candidate.value
    if candidate.entropy and entropy(value) < candidate.entropy:
        return ()
    if (
        value.endswith("...")
        or candidate.text.startswith(("...", "…"), candidate.end)
        or _PUBLIC.search(candidate.text, max(0, candidate.start - 24), candidate.start)
    ):
        return ()  # cut off for a manual, or sent to every visitor of a page
    return (Confirmed(candidate.start, candidate.end, value, candidate.confidence),)


def token(candidate: Candidate) -> Iterable[Confirmed]:
    mixed = any(map(str.isdigit, candidate.value)) and any(map(str.isalpha, candidate.value))
    return key(candidate) if mixed and entropy(candidate.value) >= 3.0 and not _CODE.search(candidate.value) else ()


def private_key(candidate: Candidate) -> Iterable[Confirmed]:
    """From the opening line to the closing one, or to the end of the text where that was cut off."""
    stop = candidate.text.find("-----END", candidate.end)
    end = len(candidate.text) if stop < 0 else candidate.text.find("KEY", stop) + 3
    block = re.match(r"(?: BLOCK)?-----", candidate.text[end : end + 12])
    end += block.end() if block else 0
    end = min(max(end, candidate.end), candidate.start + 20_000)
    return (Confirmed(candidate.start, end, candidate.text[candidate.start : end], 1.0),)


def checks() -> dict[str, Check]:
    return {
        "email": email, "ip_address": ip_address, "mac_address": mac_address, "credentialed_url": credentialed_url,
        "password": password, "spoken_password": spoken_password, "chosen_password": chosen_password,
        "access_code": access_code, "mixed_token": mixed_token, "key": key, "token": token,
        "private_key": private_key,
    }  # fmt: skip
