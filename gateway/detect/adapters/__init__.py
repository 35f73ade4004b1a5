"""Optional detectors behind the built-in one: other people's libraries, models and servers. All off by default."""
