"""What a person types to find calls becomes the parameters of a list: words, and `key:value` filters. The page's search box reads the same.

A key that is none is a word; a value with spaces is quoted. web/src/lib/search.ts is the same language in the browser.
"""

import re

from modular_agents.proxy.dashboard.asking import BadQuestion

_TERM = re.compile(r'([a-z]+):("[^"]*"|\S*)|"([^"]*)"|(\S+)', re.IGNORECASE)
_LEAST = re.compile(r">=?\$?([0-9]{1,9}(?:\.[0-9]{1,12})?)", re.ASCII)
_PLAIN = frozenset({"model", "agent", "provider", "status", "since", "until", "trace"})


def read_search(said: str) -> dict[str, str]:
    """Return parameters as `make_question` takes them. Raises `BadQuestion` for a filter that cannot be."""
    words: list[str] = []
    values: dict[str, str] = {}
    for match in _TERM.finditer(said):
        key, value, quoted, word = match[1], (match[2] or "").strip('"'), match[3], match[4]
        name = (key or "").lower()
        if key is None:
            words.append(word if quoted is None else f'"{quoted}"')
        elif name in _PLAIN:
            _once(values, name, value)
        elif name == "has":
            if value != "error":
                raise BadQuestion(f"has:{value[:40]} is no filter.", "There is has:error.")
            _once(values, "error", "1")
        elif name == "cost":
            least = _LEAST.fullmatch(value)
            if least is None:
                raise BadQuestion(f"cost:{value[:40]} is no filter.", "It is written cost:>0.50 (USD).")
            _once(values, "min_cost", least[1])
        else:
            words.append(match[0])
    return values | ({"q": " ".join(words)} if words else {})


def _once(values: dict[str, str], name: str, value: str) -> None:
    if not value or name in values:
        raise BadQuestion(f"The filter {name}: is given twice or says nothing.", f"Once, as {name}:VALUE.")
    values[name] = value
