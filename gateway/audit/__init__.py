"""Tamper-evident evidence: what was decided and what left, in a form that an outsider can verify."""
