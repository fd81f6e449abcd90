"""What holds for every test: no property fails because a machine was slow, and two runs of the same code look at the same cases.

New cases are looked for on purpose: `--hypothesis-profile=long` (part of `make soak`) looks at random,
and fifty times harder where a test names no number of its own.
"""

from hypothesis import HealthCheck, settings

settings.register_profile("usual", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=5000)
settings.load_profile("usual")
