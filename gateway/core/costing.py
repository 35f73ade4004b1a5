"""What one request cost, and what it would have cost had everything gone out: two numbers in its outcome."""

from __future__ import annotations

from gateway.core.ports import Prices
from gateway.core.trace import Trace
from gateway.core.types import BackendSpec, Usage, Zone


def reckon(trace: Trace, spec: BackendSpec | None, prices: Prices | None) -> None:
    """Note both numbers. `spec` is the backend that answered; None = nothing was answered, and nothing has a price.

    Failed attempts before the first piece are not counted: vendors charge for answers. One that broke off, or whose
    client left, is reckoned by what had come until then. A cached answer cost what it cost when it was made.
    """
    if prices is None or spec is None or trace.first_ms is None:
        return
    usage = trace.usage or trace.estimate()
    # What this host's or a pool's own model still knew of the prompt, a vendor would not have known.
    whole = usage if spec.zone is Zone.REMOTE else Usage(usage.prompt_tokens, usage.completion_tokens)
    try:
        all_remote = prices.all_remote(whole)
        trace.cost_usd = 0.0 if trace.cache == "hit" else prices.cost(spec, usage)
        trace.all_remote_usd = all_remote
    except Exception:  # noqa: BLE001 - a price that cannot be reckoned is an unknown one; the outcome stands
        return
