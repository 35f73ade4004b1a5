"""What the operator configures."""

from gateway.settings.load import Settings, load_settings
from gateway.settings.sections import Backend, language, read_key

__all__ = ["Backend", "Settings", "language", "load_settings", "read_key"]
