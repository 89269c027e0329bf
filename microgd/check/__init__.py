"""Checks of derivatives: by finite differences, and of formulas that people derived by hand."""

from microgd.check.derivation import check_derivation, check_vjp
from microgd.check.diagnosis import Diagnosis
from microgd.check.exercises import exercise
from microgd.check.gradcheck import gradcheck
from microgd.check.kinks import Kink
from microgd.check.report import Report

__all__ = ["Diagnosis", "Kink", "Report", "check_derivation", "check_vjp", "exercise", "gradcheck"]
