import pytest

from modular_agents.proxy.model.trace import title


@pytest.mark.parametrize(
    ("name", "task", "agents", "called"),
    [
        ("nightly", "Add a page", 1, "nightly"),
        (None, "Add a page", 1, "Add a page"),
        (None, None, 1, "(no task)"),
        (None, None, 0, "(no conversation)"),
        ("nightly", None, 0, "nightly"),
    ],
)
def test_a_trace_is_called_by_its_name_its_task_or_what_it_lacks(name: str | None, task: str | None, agents: int, called: str) -> None:
    assert title(name, task, agents) == called
