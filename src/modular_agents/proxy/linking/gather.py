"""A call is read once: its facts are all that linking ever knows of it.

Reading costs what is new in the call. Of its history only digests are touched, and those in one pass.
"""

from collections.abc import Sequence

from modular_agents.proxy.linking.facts import Facts, Heard, Words
from modular_agents.proxy.linking.identity import Identity, identify
from modular_agents.proxy.linking.kinds import kind_of
from modular_agents.proxy.linking.names import SYSTEM_HEAD_CHARS, named_agent, task_of
from modular_agents.proxy.linking.offers import handed_text, offers, unnamed_use, wrapped_text
from modular_agents.proxy.linking.text import ends, lined, said, sketch, unwrapped
from modular_agents.proxy.linking.tokens import token
from modular_agents.proxy.model.call import Call, Message
from modular_agents.proxy.model.chain import CHAIN_BYTES, prefixes

_WITHOUT_IDS = frozenset({"gemini.generate", "ollama"})
"""Formats whose clients make up the ids of tool uses, or drop them."""
ANSWER_ROLE = "assistant"
MAX_TIPS = 3
"""How many answers back a continued call is looked for: the last nearly always matches, others serve when the client cut or wrote it."""
MAX_RECALLED = 2
GIST_CHARS = 24
TELLING_CHARS = 40
"""Shorter answers are given in many conversations, and stand in worked examples."""
MAX_CHOICES = 4
"""Choices of one answer that may be continued."""
MAX_WORDS_CHARS = 24_000
"""Of all new user texts together; bounds what is kept of a first turn."""
MAX_TEXTS = 12
"""New user texts that are read; a turn with more is read at both ends."""
BRIEFING_CHARS = 800
"""Of a system prompt the first and last so many characters are read: some frameworks put the task there, and most of it never changes."""
MAX_SAID = 4
"""User texts of a later turn that are remembered beside its tool results."""
MAX_HEARD = 16
"""Results of one turn that are remembered."""


def gather(call: Call) -> Facts:
    """Return the facts of a call."""
    identity = identify(call)
    messages = call.messages
    answered = _answered(messages)
    is_first = not answered and not call.previous_response_id
    new = messages[answered[0] :] if answered else messages
    system = _system(call)
    asked = [
        text
        for message in new
        if message.role == "user"
        for part in message.parts
        if part.kind == "text" and (text := unwrapped(part.text).strip())
    ]
    digests = [message.digest for message in messages]
    lengths = [*reversed(answered), len(digests)]
    names = prefixes(digests, lengths)
    answer = call.answers[0] if call.answers else None
    handed = handed_text(answer) if answer else None
    has_ids = call.format not in _WITHOUT_IDS
    system_digests = b"".join(message.digest for message in call.system)
    questions = _questions(messages, answered)
    return Facts(
        call_id=call.call_id,
        started_ns=call.started_ns,
        ended_ns=call.ended_ns,
        status=str(call.status),
        connection=call.connection_id,
        kind=kind_of(call, identity, "" if answered else system, asked),
        attempt=identity.attempt,
        said=identity.trace,
        said_rule=identity.trace_rule,
        session=identity.session,
        session_rule=identity.session_rule,
        thread=identity.thread,
        parent_thread=identity.parent_thread,
        parent_call=identity.parent_call,
        replay_of=identity.replay_of,
        agent=identity.agent,
        intro=named_agent(system[:SYSTEM_HEAD_CHARS]),
        task=None if answered else task_of(asked),
        system=token("system", system_digests + str(len(call.tools)).encode()),
        request=_request(call, identity, names[-1] + system_digests) if digests else 0,
        previous=token("response", call.previous_response_id) if call.previous_response_id else 0,
        tips=tuple(token("tip", name) for name in reversed(names[:-1])),
        recalled=tuple(
            _recall(messages[length - 1], question) for length, question in zip(answered[:MAX_RECALLED], questions[1:], strict=False)
        ),
        reasked=tuple(token("asked", name + _gist(messages[end - 1])) for name, end in zip(questions[1:], answered, strict=True) if name),
        is_first=is_first,
        heard=() if is_first else _heard(new, asked, ids=has_ids),
        asked=token("asked", questions[0] + _gist(answer)) if answer and questions[0] else 0,
        tip=_tips(digests, call.answers),
        answer=_recall(answer, questions[0]) if answer else 0,
        response=token("response", call.response_id) if call.response_id else 0,
        offers=offers(answer, ids=has_ids) if answer else (),
        handed=None if handed is None else said(handed),
        handed_keys=() if handed is None else ends(handed),
    )


def words_of(call: Call) -> Words:
    """Return the words of a call: its new user texts, and of a first turn the system prompt's ends."""
    answered = _answered(call.messages)
    asked = _asked(call.messages[answered[0] :] if answered else call.messages)
    system = "" if answered or call.previous_response_id else _system(call)
    kept = asked if len(asked) <= MAX_TEXTS else [*asked[: MAX_TEXTS // 2], *asked[-MAX_TEXTS // 2 :]]
    texts: list[str] = []
    room = MAX_WORDS_CHARS
    for text in kept:
        texts.append(lined(text)[:room])
        room -= len(texts[-1])
    return Words(tuple(filter(None, texts)), lined(system, BRIEFING_CHARS, BRIEFING_CHARS))


def _asked(new: Sequence[Message]) -> list[str]:
    """Return the user texts of new messages, without what clients wrap around them."""
    parts = [part for message in new if message.role == "user" for part in message.parts if part.kind == "text"]
    return [text for part in parts if (text := unwrapped(part.text).strip())]


def _answered(messages: Sequence[Message]) -> list[int]:
    """Return the lengths of the last few prefixes that end with an answer, longest first."""
    found: list[int] = []
    for length in range(len(messages), 0, -1):
        message = messages[length - 1]
        if message.role == ANSWER_ROLE and message.digest:
            found.append(length)
            if len(found) == MAX_TIPS:
                break
    return found


def _questions(messages: Sequence[Message], answered: Sequence[int]) -> list[bytes]:
    """Name the last questions, newest first, by the conversation's first and the message before the answer; a missing one is empty."""
    first = next((message.digest for message in messages if message.role == "user"), b"")
    names = []
    for end in (len(messages) + 1, *answered):
        at = end - 2
        while at >= 0 and messages[at].role == ANSWER_ROLE:
            at -= 1
        names.append(first + messages[at].digest if first and at >= 0 else b"")
    return names


def _gist(answer: Message) -> bytes:
    """Return how an answer begins: what survives when a client cuts or rewrites it."""
    text = "".join(part.text for part in answer.parts if part.kind == "text")
    tools = "" if text.strip() else " ".join(part.name or "" for part in answer.parts if part.kind == "tool_use")
    return "".join((text or tools)[: 4 * GIST_CHARS].split())[:GIST_CHARS].encode("utf-8", "surrogatepass")


def _recall(answer: Message, question: bytes) -> int:
    """Name an answer: by itself where it has ids or is too long to be given twice, else with its question (none: not at all)."""
    parts = [part for part in answer.parts if part.kind in {"text", "tool_use"}]
    if any(part.tool_id for part in parts) or sum(len(part.text) + len(part.arguments or "") for part in parts) >= TELLING_CHARS:
        return token("answer", answer.digest)
    return token("answer", question[-CHAIN_BYTES:] + answer.digest) if question else 0


def _tips(digests: Sequence[bytes], answers: Sequence[Message]) -> tuple[int, ...]:
    return tuple(token("tip", prefixes([*digests, answer.digest], [len(digests) + 1])[0]) for answer in answers[:MAX_CHOICES])


def _request(call: Call, identity: Identity, read: bytes) -> int:
    """Name what makes two requests the same: all that the model reads, and who asks as far as they say."""
    names = (call.operation, call.model, str(len(call.tools)), call.previous_response_id, identity.trace, identity.thread)
    return token("request", read + "\0".join(name or "" for name in names).encode("utf-8", "surrogatepass"))


def _system(call: Call) -> str:
    """Return the system prompt, whether it stands outside the messages or leads them."""
    leading = call.system or tuple(message for message in call.messages[:3] if message.role in {"system", "developer"})
    return "\n".join(part.text for message in leading for part in message.parts if part.text)


def _heard(new: Sequence[Message], asked: Sequence[str], *, ids: bool) -> tuple[Heard, ...]:
    """Return what came back: each tool result, and the person's words."""
    found: list[Heard] = []
    counts: dict[str, int] = {}
    for message in new:
        for part in message.parts:
            if part.kind == "tool_result" and len(found) < MAX_HEARD:
                name = part.name or ""
                counts[name] = counts.get(name, 0) + 1
                tool_id = (part.tool_id if ids else None) or unnamed_use(name, counts[name])
                found.append(Heard(tool_id, _sketched(part.text), part.is_error is True))
    found += [Heard("", _sketched(text)) for text in asked[-MAX_SAID:]]
    return tuple(found)


def _sketched(text: str) -> tuple[int, ...]:
    """Return the tokens of what came back, and of what it wraps."""
    wrapped = wrapped_text(text)
    return tuple(dict.fromkeys((*sketch(text), *sketch(wrapped)))) if wrapped else sketch(text)
