"""Concepts: what a layer's maps are made of: a few factors, each a color over many pictures, beside its patches."""

from cnnwidgets.panels.concepts.panel import Concepts

__all__ = ["Concepts"]
