"""Checks of derivatives: by finite differences, and of formulas that people derived by hand."""

from microgd.check.derivation import check_derivation, check_vjp
from microgd.check.diagnosis import Diagnosis
from microgd.check.exercises import exercise

__all__ = ["Diagnosis", "check_derivation", "check_vjp", "exercise"]
