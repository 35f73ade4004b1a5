"""The edge: HTTP in, OpenAI's shapes out. Knows core and the pipeline."""
