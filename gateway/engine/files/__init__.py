"""Model files: where they lie, what they hold, whether they are what they should be."""
