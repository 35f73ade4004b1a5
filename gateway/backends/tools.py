"""Tools as they may go out: the client's own functions, never a vendor's hosted search, files or code."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.backends.allow import Dropped, a_list, an_object
from gateway.core.errors import Unsupported
from gateway.core.types import Json

_FIELDS = {
    "function": ("name", "description", "parameters", "strict"),
    "custom": ("name", "description", "format"),
}


def tools(payload: dict[str, Json], dropped: Dropped) -> None:
    """Replace `tools` and `tool_choice` of `payload` by what may go out."""
    offered = a_list(payload.get("tools", []), "tools")
    own = [kept for at, tool in enumerate(offered) if (kept := _tool(tool, f"tools[{at}]", dropped)) is not None]
    choice = payload.get("tool_choice")
    if own:
        payload["tools"] = own
        if choice is not None:
            payload["tool_choice"] = _choice(choice, dropped)
    elif choice in (None, "none", "auto"):
        # Servers refuse these where there are no tools, and without tools they say nothing.
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            payload.pop(name, None)
    else:
        raise Unsupported("tool_choice asks for a tool, and none of the tools goes out", param="tool_choice")


def _tool(tool: Json, path: str, dropped: Dropped) -> dict[str, Json] | None:
    kind = an_object(tool, path).get("type") or "function"
    if kind not in ("function", "custom"):
        dropped.add("tools[].", str(kind))
        return None
    kept = dropped.keep(tool, ("type", kind), "tools[].")
    inner = an_object(kept.get(kind), f"{path}.{kind}")
    return {**kept, kind: dropped.keep(inner, _FIELDS[kind], f"tools[].{kind}.")}


def _choice(choice: Json, dropped: Dropped) -> Json:
    if choice in ("none", "auto", "required"):
        return choice
    kind = choice.get("type") if isinstance(choice, Mapping) else None
    if kind in ("function", "custom"):
        named = an_object(choice.get(kind), f"tool_choice.{kind}")
        return {"type": kind, kind: dropped.keep(named, ("name",), f"tool_choice.{kind}.")}
    if kind == "allowed_tools":
        path = "tool_choice.allowed_tools"
        allowed = dropped.keep(an_object(choice.get(kind), path), ("mode", "tools"), f"{path}.")
        allowed["tools"] = [_choice(tool, dropped) for tool in a_list(allowed.get("tools"), f"{path}.tools")]
        return {"type": kind, kind: allowed}
    raise Unsupported("tool_choice names something that does not go out", param="tool_choice")
