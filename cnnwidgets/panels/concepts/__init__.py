"""Concepts: what a layer's maps are made of, as colors over many pictures, each factor beside its patches."""

from cnnwidgets.panels.concepts.panel import Concepts

__all__ = ["Concepts"]
