"""Checks of derivatives: by finite differences, and of formulas that people derived by hand."""

from microgd.check.derivation import check_derivation, check_vjp
from microgd.check.diagnosis import Diagnosis
from microgd.check.exercises import exercise
from microgd.check.gradcheck import gradcheck
from microgd.check.kinks import Kink
from microgd.check.report import Report
from microgd.check.step_sweep import StepSweep, step_sweep

__all__ = [
    "Diagnosis",
    "Kink",
    "Report",
    "StepSweep",
    "check_derivation",
    "check_vjp",
    "exercise",
    "gradcheck",
    "step_sweep",
]
