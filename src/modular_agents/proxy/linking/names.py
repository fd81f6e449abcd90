"""What a person would call it: the agent's name and the task, read from the call's own words."""

import re
from collections.abc import Sequence
from functools import lru_cache

MAX_TASK_CHARS = 500
"""A task description is a heading, not the prompt."""
_SPACES = 50
"""White space that a heading may lose and still be long enough."""
MAX_NAME_CHARS = 60
MAX_REMEMBERED = 256
"""System prompts whose name is remembered: an app uses a few dozen, in every turn again."""
SYSTEM_HEAD_CHARS = 2000
"""How much of a system prompt is searched for a name: people introduce an agent in its first lines."""
_SPECIALIST = re.compile(r"\b(?:agent|specialist)\s+(?:agent\s+)?for\s+(?:the\s+)?[\"'“`]([^\"'”`\n]{1,60})[\"'”`]", re.IGNORECASE)
_INTRODUCED = re.compile(
    r"\byou(?:\s+are|['\u2019]re)\s+(?:an?\s+|the\s+)?[\"'“`*]{0,2}([A-Za-z][\w\- ]{0,50}?)[\"'”`*]{0,2}\s+(?:sub-?)?agent\b", re.IGNORECASE
)
_CALLED = re.compile(r"\bYou are (?:\*\*)?([A-Z][\w.\-]*(?: [A-Z][\w.\-]*){0,3})(?:\*\*)?(?=[,.] )")
"""A name of one's own: `You are Gemini CLI, …`."""


@lru_cache(maxsize=MAX_REMEMBERED)
def named_agent(system: str) -> str | None:
    """Return the name by which a system prompt introduces the agent, or None. Remembered: an agent says it with every call."""
    text = system[:SYSTEM_HEAD_CHARS]
    folded = text.casefold()
    found = None
    if "agent" in folded or "specialist" in folded:  # a word is found in a hundredth of the time that a pattern takes
        found = _SPECIALIST.search(text) or _INTRODUCED.search(text)
    if found is None and "You are " in text:
        found = _CALLED.search(text)
    return found[1].strip().lower()[:MAX_NAME_CHARS] or None if found else None


def task_of(asked: Sequence[str]) -> str | None:
    """Return the first of the user texts (reminders already stripped), cut to a heading."""
    for text in asked:
        words = " ".join(text[: MAX_TASK_CHARS + _SPACES].split())
        if len(words) < MAX_TASK_CHARS < len(text):  # much of it is white space
            words = " ".join(text[: 2 * MAX_TASK_CHARS].split())
        if words := heading(words):
            return words
    return None


def heading(words: str) -> str:
    """Return squeezed words cut, and without the quotes around all of them: OpenCode sends its argument as the shell quoted it."""
    inner = words[1:-1]
    return (inner if inner and words[0] == words[-1] == '"' and '"' not in inner else words)[:MAX_TASK_CHARS]
