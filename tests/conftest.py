"""What holds for every test: no property fails because a machine was slow; `--hypothesis-profile=long` looks fifty times harder."""

from hypothesis import HealthCheck, settings

settings.register_profile("usual", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=5000)
settings.load_profile("usual")
