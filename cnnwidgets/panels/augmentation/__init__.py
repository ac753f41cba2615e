"""AugmentationGallery: a picture changed by chance, what the network says of each copy, and what averaging gains."""

from cnnwidgets.panels.augmentation.panel import AugmentationGallery

__all__ = ["AugmentationGallery"]
