"""Words in which programs of several agents are written: scripted replies, tools, agents set to work one after another or at once."""

import threading
from collections.abc import Callable, Sequence

from tests.linking.apps import Agent, Answer, App, Use
from tests.support.script import Script

Program = Callable[[App], None]


def reply(text: str = "", *, tools: Sequence[dict[str, object]] = (), wait_ms: float = 0, **more: object) -> Script:
    return Script(text=text, tools=tuple({"name": "act"} | tool for tool in tools), first_ms=wait_ms, **more)  # type: ignore[arg-type]


def call(prompt: str, **more: object) -> dict[str, object]:
    return {"name": "task", "input": {"prompt": prompt} | more}


def shell(command: str) -> dict[str, object]:
    return {"name": "bash", "input": {"command": command}}


def together(*jobs: Callable[[], None]) -> None:
    """Run jobs in threads; their failures are the program's."""
    failures: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - handed to the program's thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def delegate(
    lead: Agent, answer: Answer, work: Callable[[Agent, Use], Answer], *, name: str = "worker", parallel: bool = False
) -> dict[Use, Answer]:
    """Give every tool use of an answer to an agent of its own."""
    done: dict[Use, Answer] = {}

    def one(number: int, use: Use) -> None:
        worker = lead.task.agent(f"{lead.name.rpartition('/')[2]}.{name}{number}", f"You are a {name}.", opened_by=answer.key, parent=lead)
        done[use] = work(worker, use)

    jobs = [lambda number=number, use=use: one(number, use) for number, use in enumerate(answer.uses, 1)]
    if parallel:
        together(*jobs)
    else:
        for job in jobs:
            job()
    return {use: done[use] for use in answer.uses}


def doing(*replies: Script) -> Callable[[Agent, Use], Answer]:
    """Return what a worker does: it gets the prompt as it is and works through the scripted answers."""
    return lambda worker, use: worker.run(use.input["prompt"], *replies)


def finish(lead: Agent, done: dict[Use, Answer], text: str) -> Answer:
    return lead.give({use: answer.text for use, answer in done.items()}, reply(text), brings=[answer.key for answer in done.values()])
