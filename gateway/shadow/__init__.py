"""A share of public requests answered here is asked outside as well, to learn how good the answers here are."""
