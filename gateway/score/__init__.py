"""Says whether going out would help: ask, language, features, formula, and what a backend must be able to do."""
