"""`python -m bench.recorder --stages` wraps functions by name: a name that is gone would be found by whoever measures next."""

from bench.stages import _STAGES


def test_every_stage_wraps_what_is_there() -> None:
    assert [f"{owner}.{name}" for owner, name, _ in _STAGES if not callable(getattr(owner, name, None))] == []
    assert len({(owner, name) for owner, name, _ in _STAGES}) == len(_STAGES), "each once, or its time is counted twice"
