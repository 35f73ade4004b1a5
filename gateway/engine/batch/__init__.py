"""Continuous batching: the model, its context, and who computes when."""
