"""What a user holds: each panel is a method, its views and its controls. The only floor that knows both."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
