"""What a spec varies besides optimizer and schedule, one key a file: each makes another task of a task."""

from cnnwidgets.methods.variations.data import DATA
from cnnwidgets.methods.variations.loss import LOSSES
from cnnwidgets.methods.variations.model import BUILDERS
from cnnwidgets.methods.variations.regularize import REGULARIZE
from cnnwidgets.methods.variations.until import UNTIL
from cnnwidgets.methods.variations.vary import settled, vary

__all__ = ["BUILDERS", "DATA", "LOSSES", "REGULARIZE", "UNTIL", "settled", "vary"]
