"""EmbeddingExplorer: what a layer thinks is alike, as a picture of many pictures."""

from cnnwidgets.panels.embedding.explorer import EmbeddingExplorer

__all__ = ["EmbeddingExplorer"]
