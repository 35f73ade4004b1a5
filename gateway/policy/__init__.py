"""Policies: what may leave, under which conditions, decided by a pure function and explained afterwards."""
