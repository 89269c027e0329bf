"""Settings shared by every test: hypothesis profiles, and a check that no state leaks from one test to the next.

``quick`` runs every time; ``HYPOTHESIS_PROFILE=thorough`` searches longer.
"""

import os

import matplotlib as mpl
import pytest
from hypothesis import HealthCheck, settings

from microgd.core.tape import frozen_level, transform_level

mpl.use("Agg")
settings.register_profile("quick", max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(autouse=True)
def no_state_is_left_behind():
    yield
    assert transform_level.get() == 0, "a transform left its level behind"
    assert frozen_level.get() == -1, "recording was not switched on again"
