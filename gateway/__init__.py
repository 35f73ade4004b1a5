"""Hybrid SLM/LLM router gateway: private or simple requests stay on this machine, the rest may go out."""

__version__ = "0.1.0"
