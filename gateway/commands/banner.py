"""What `gateway serve` prints when it is up: where it listens, what plays which part, what to try next."""

from __future__ import annotations

from gateway.core.types import Zone
from gateway.settings import Settings
from gateway.wiring import Gateway

PRIVATE = "In one sentence: my password is Zx81kQ!pw99, how do I keep it safe?"
HARD = "Prove that the square root of 2 is irrational, then generalise to any prime."


def banner(settings: Settings, gateway: Gateway, port: int) -> str:
    host = f"[{settings.server.host}]" if ":" in settings.server.host else settings.server.host
    url = f"{'https' if settings.server.tls else 'http'}://{host}:{port}"
    key = "" if settings.auth.mode == "none" else " -H 'Authorization: Bearer KEY'"
    policy = gateway.policies.current()
    lines = [
        "",
        f"slm-gateway listens on {url}/v1",
        f"  policy   {policy.name} ({gateway.places.policy})",
        f"  local    {_local(gateway)}",
        *(f"  {line}" for line in _remotes(gateway)),
        f"  audit    {gateway.places.audit} (check it: gateway audit verify {gateway.places.audit})",
        "",
        "Try a private request, which stays, and a hard one, which goes out:",
        _curl(url, key, PRIVATE),
        _curl(url, key, HARD),
        "  add -i to see x-gateway-zone and x-gateway-rule",
        "",
        "From Python:",
        "  from openai import OpenAI",
        f'  client = OpenAI(base_url="{url}/v1", api_key="{"none" if not key else "KEY"}")',
        '  client.chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hello"}])',
        "",
    ]
    return "\n".join(lines)


def _local(gateway: Gateway) -> str:
    spec = gateway.local
    if spec.wire == "canned":
        return "canned answers, no model (GATEWAY_LOCAL=canned)"
    if spec.wire == "off":
        return "off: private requests get 503"
    small = " - a demo model: simple English only; name a better GGUF in local.model" if "135m" in spec.model else ""
    return f"{spec.model}, loading in the background{small}"


def _remotes(gateway: Gateway) -> list[str]:
    """Every place a request can go: an operator should see them all."""
    return [
        f"{spec.zone!s:<8} {spec.name}: A STAND-IN plays it (no key set): it says what would be sent, sends nothing"
        if spec.name in gateway.stand_ins
        else f"{spec.zone!s:<8} {spec.name}: {spec.model} at {spec.host or spec.wire}"
        for spec in gateway.policies.current().catalogue.backends
        if spec.zone is not Zone.LOCAL
    ]


def _curl(url: str, key: str, text: str) -> str:
    body = '{"model": "auto", "messages": [{"role": "user", "content": "' + text + '"}]}'
    return f"  curl -s {url}/v1/chat/completions{key} -H 'Content-Type: application/json' -d '{body}'"
