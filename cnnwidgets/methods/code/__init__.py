"""Plain PyTorch lines that give what a method found, for a reader without this package; their pieces know no result."""
