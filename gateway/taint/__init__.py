"""Remembers what answers were made from, so that their level comes back wherever a client sends them again."""

from gateway.taint.memory import TaintMemory
from gateway.taint.opened import open_taints

__all__ = ["TaintMemory", "open_taints"]
