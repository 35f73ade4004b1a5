"""Finds names of people and postal addresses by how they look and what stands around them."""

from gateway.detect.tagger.tagger import Tagger

__all__ = ["Tagger"]
