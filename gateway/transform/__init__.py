"""Changes requests so that they may leave, and answers on their way back."""

from gateway.transform.guard import Guard
from gateway.transform.pseudonymise import Pseudonymise
from gateway.transform.rewrite import Rewrite
from gateway.transform.strip import Strip

__all__ = ["Guard", "Pseudonymise", "Rewrite", "Strip"]
