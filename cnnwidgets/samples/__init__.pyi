import pathlib

from .bundle import Sample as Sample
from .bundle import sample as sample
from .datasets import digits as digits
from .datasets import scenes as scenes
from .edges import edge_filters as edge_filters
from .networks import LeNet5 as LeNet5
from .networks import SmallAlexNet as SmallAlexNet
from .networks import SmallResNet as SmallResNet
from .networks import SmallVGG as SmallVGG
from .stacks import MLP as MLP
from .stacks import Stack as Stack

NAMES: tuple[str, ...]
RUNS: pathlib.Path
