"""From a client's JSON schema to a grammar."""
