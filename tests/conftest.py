"""Settings shared by every test: hypothesis profiles, and a check that no state leaks from one test to the next.

``quick`` runs every time and draws the same examples on every machine, so that what fails on one fails on all;
``HYPOTHESIS_PROFILE=thorough`` searches longer and elsewhere every time.
"""

import os

import matplotlib as mpl
import pytest
from hypothesis import HealthCheck, settings

from microgd.core.tape import frozen_level, transform_level

mpl.use("Agg")
patient = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("quick", max_examples=15, derandomize=True, **patient)
settings.register_profile("thorough", max_examples=1000, derandomize=False, **patient)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(autouse=True)
def no_state_is_left_behind():
    yield
    assert transform_level.get() == 0, "a transform left its level behind"
    assert frozen_level.get() == -1, "recording was not switched on again"
