"""Known formats of strings, as patterns: narrower than the standards, so that every reader takes them for one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_YEAR = r"[12]\d{3}"
_LEAP = r"(?:[12]\d(?:0[48]|[2468][048]|[13579][26])|(?:12|16|20|24|28)00)"
_DATE = (
    rf"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    rf"|02-(?:0[1-9]|1\d|2[0-8]))|{_LEAP}-02-29)"
)
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d"
_TIME = rf"{_CLOCK}:[0-5]\d(?:\.\d{{1,6}})?(?:Z|[+-]{_CLOCK})"
_SECONDS = r"\d{1,2}S"
_MINUTES = rf"\d{{1,2}}M(?:{_SECONDS})?"
_HOURS = rf"\d{{1,2}}H(?:{_MINUTES})?"
_SPAN = rf"T(?:{_HOURS}|{_MINUTES}|{_SECONDS})"
_LABEL = r"[A-Za-z0-9]{1,20}(?:-[A-Za-z0-9]{1,20}){0,2}"
_HOST = rf"{_LABEL}(?:\.{_LABEL}){{0,3}}\.[A-Za-z]{{2,10}}"
_NAME = r"[A-Za-z0-9_]{1,20}(?:[.+-][A-Za-z0-9_]{1,20}){0,2}"
_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_URL_SIGN = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})"
_HEX = "[0-9a-fA-F]"


def _uuid(version: str = _HEX) -> str:
    return rf"^{_HEX}{{8}}-{_HEX}{{4}}-{version}{_HEX}{{3}}-[89abAB]{_HEX}{{3}}-{_HEX}{{12}}$"


FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "date": rf"^{_DATE}$",
        "time": rf"^{_TIME}$",
        "date-time": rf"^{_DATE}T{_TIME}$",
        "duration": rf"^P(?:\d{{1,3}}D(?:{_SPAN})?|{_SPAN})$",
        "email": rf"^{_NAME}@{_HOST}$",
        "hostname": rf"^{_HOST}$",
        "ipv4": rf"^{_BYTE}(?:\.{_BYTE}){{3}}$",
        "ipvanyaddress": rf"^{_BYTE}(?:\.{_BYTE}){{3}}$",
        "ipv6": rf"^{_HEX}{{1,4}}(?::{_HEX}{{1,4}}){{7}}$",
        "uri": rf"^(?:https?|ftp)://{_HOST}(?::[1-9]\d{{1,3}})?(?:/{_URL_SIGN}{{0,200}}(?:\?{_URL_SIGN}{{0,200}})?)?$",
        "uuid": _uuid(),
        **{f"uuid{version}": _uuid(str(version)) for version in range(1, 9)},
    }
)
