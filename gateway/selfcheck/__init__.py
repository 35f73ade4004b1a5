"""The gateway plays its own provider: planted values go down the whole line, and what would have left is counted."""

from gateway.selfcheck.check import selfcheck
from gateway.selfcheck.result import Cell, Result, State
from gateway.selfcheck.table import table

__all__ = ["Cell", "Result", "State", "selfcheck", "table"]
