"""Hybrid SLM/LLM router gateway."""
