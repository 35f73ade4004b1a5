"""Tool calling for a local model: what a request asks, how each family of models writes a call, and how it is read."""

from gateway.engine.tools.ask import Tool, ToolAsk, parse_tools
from gateway.engine.tools.parser import ToolParser
from gateway.engine.tools.syntax import Syntax

__all__ = ["Syntax", "Tool", "ToolAsk", "ToolParser", "parse_tools"]
