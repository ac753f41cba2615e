"""The documentation, and the scripts that make its pictures, its gallery and its reference."""
