"""Learning-rate schedules, and trainings under them."""

from cnnwidgets.panels.training.race import TrainingRace
from cnnwidgets.panels.training.schedules import SchedulePlayground

__all__ = ["SchedulePlayground", "TrainingRace"]
