"""What a fresh machine lacks: llama.cpp compiled once, the default model fetched and checked, others pulled by URL."""

from gateway.setup.engine import ensure_engine
from gateway.setup.model import ensure_model
from gateway.setup.pull import pull
from gateway.setup.ready import ensure_ready

__all__ = ["ensure_engine", "ensure_model", "ensure_ready", "pull"]
