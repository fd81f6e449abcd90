"""What a person would call it: the agent's name and the task, read from the call's own words."""

import re

from modular_agents.proxy.model.call import Call

MAX_TASK_CHARS = 500
"""A task description is a heading, not the prompt."""
MAX_NAME_CHARS = 60
_SYSTEM_HEAD_CHARS = 2000
"""How much of a system prompt is searched for a name: people introduce an agent in its first lines."""
_SPECIALIST = re.compile(r"\b(?:agent|specialist)\s+(?:agent\s+)?for\s+(?:the\s+)?[\"'“`]([^\"'”`\n]{1,60})[\"'”`]", re.IGNORECASE)
_INTRODUCED = re.compile(
    r"\byou(?:\s+are|['\u2019]re)\s+(?:an?\s+|the\s+)?[\"'“`*]{0,2}([A-Za-z][\w\- ]{0,50}?)[\"'”`*]{0,2}\s+(?:sub-?)?agent\b", re.IGNORECASE
)
_TAGGED = re.compile(r"<(system-reminder|environment_context|user_instructions|local-command-\w+|command-\w+)\b[^>]*>.*?</\1>", re.DOTALL)


def named_agent(call: Call) -> str | None:
    """Return the name by which the system prompt introduces the agent, or None."""
    text = system_text(call)[:_SYSTEM_HEAD_CHARS]
    found = _SPECIALIST.search(text) or _INTRODUCED.search(text)
    return found[1].strip().lower()[:MAX_NAME_CHARS] or None if found else None


def system_text(call: Call) -> str:
    """Return the system prompt, whether it stands outside the messages or leads them."""
    leading = call.system or tuple(message for message in call.messages[:2] if message.role in {"system", "developer"})
    return "\n".join(part.text for message in leading for part in message.parts if part.text)


def task_of(call: Call) -> str | None:
    """Return the first user text with tags and reminders stripped, cut to a heading."""
    for message in call.messages:
        if message.role == "user":
            for part in message.parts:
                text = " ".join(_TAGGED.sub(" ", part.text).split()) if part.kind == "text" else ""
                if text:
                    return text[:MAX_TASK_CHARS]
    return None
