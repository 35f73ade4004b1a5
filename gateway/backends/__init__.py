"""What answers requests besides this host's own engine: the OpenAI wire, litellm, and the labelled stand-ins."""
