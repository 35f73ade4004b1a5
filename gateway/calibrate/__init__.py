"""Fits the scorer to the operator's own pair of models: probes, both models' answers, labels, a fit, a file."""
