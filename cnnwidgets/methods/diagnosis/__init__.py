"""What is wrong with a training, by name, with evidence and remedy: one file for each family of symptoms."""

from cnnwidgets.methods.diagnosis.diagnose import SYMPTOMS, diagnose
from cnnwidgets.methods.diagnosis.symptom import Diagnosis, Finding, Symptom
from cnnwidgets.methods.diagnosis.trial import OverFit, over_fit

__all__ = ["SYMPTOMS", "Diagnosis", "Finding", "OverFit", "Symptom", "diagnose", "over_fit"]
