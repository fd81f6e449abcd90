"""A call is read once: its facts are all that linking ever knows of it.

Reading costs what is new in the call. Of its history only digests are touched, and those in one pass. What the answer adds is read
when it has come.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import msgspec

from modular_agents.proxy.linking.facts import NO_WORDS, Facts, Heard, Words
from modular_agents.proxy.linking.identity import Identity, identify
from modular_agents.proxy.linking.kinds import COMPACTION, NOISE, kind_of
from modular_agents.proxy.linking.names import SYSTEM_HEAD_CHARS, named_agent, task_of
from modular_agents.proxy.linking.offers import WITHOUT_IDS, forced_tool, handed_text, offers, unnamed_use, wrapped
from modular_agents.proxy.linking.text import MIN_CHARS, head_of, heads_in, said, short_lines, squeezed, unwrapped
from modular_agents.proxy.linking.tokens import ANSWER, ASKED, PROCESS, REQUEST, RESPONSE, SYSTEM, mark, named, token
from modular_agents.proxy.model.call import Call, Message
from modular_agents.proxy.model.chain import CHAIN_BYTES

ANSWER_ROLE = "assistant"
SYSTEM_ROLES = frozenset({"system", "developer"})
MAX_TIPS = 3
"""How many answers back a continued call is looked for: the last nearly always matches, others serve when the client cut or wrote it."""
MAX_RECALLED = 2
GIST_CHARS = 24
GIST_ROOM = 4 * GIST_CHARS
TELLING_CHARS = 40
"""Shorter answers are given in many conversations, and stand in worked examples."""
MAX_CHOICES = 4
"""Choices of one answer that may be continued."""
MAX_WORDS_CHARS = 24_000
"""Of all new user texts together; bounds what is kept of a turn."""
MAX_TEXTS = 12
"""New user texts that are read; a turn with more is read at both ends."""
BRIEFING_CHARS = 400
"""Of a system prompt the first and last so many characters are read: some frameworks put the task there, and most of it never changes."""
HELPER_LINES = 4
"""Lines of a helper's prompt that may be the prompt that it is about."""
MAX_HEARD = 16
"""Results of one turn that are remembered."""
_TOOLS_SHIFT = 20


def gather(call: Call) -> tuple[Facts, Words]:
    """Return the facts of a request, and its words."""
    identity = identify(call)
    messages = call.messages
    answered = _answered(messages, 1)
    is_first = not answered and not call.previous_response_id
    new = messages[answered[0] + 1 :] if answered else messages
    leading = _leading(call)
    system = _text(leading, SYSTEM_HEAD_CHARS)
    asked = _asked(new)
    history, tips = _histories(messages, answered)
    kind = kind_of(call, identity, "" if answered else system, asked)
    words = _helper_words(asked) if kind in NOISE else _words(asked, leading if is_first else ())
    facts = Facts(
        call_id=call.call_id,
        started_ns=call.started_ns,
        connection=call.connection_id,
        kind=kind,
        attempt=identity.attempt,
        said=identity.trace,
        said_rule=identity.trace_rule,
        session=identity.session,
        session_rule=identity.session_rule,
        thread=identity.thread,
        parent_thread=identity.parent_thread,
        branch=identity.branch,
        parent_branch=identity.parent_branch,
        parent_call=identity.parent_call,
        replay_of=identity.replay_of,
        agent=identity.agent,
        intro=named_agent(system) if system else None,
        task=None if answered else task_of(words.texts or asked),
        trace_name=identity.trace_name,
        system=_instructions(leading, len(call.tools)),
        request=_request(call, identity, history) if messages else 0,
        previous=token(RESPONSE, call.previous_response_id) if call.previous_response_id else 0,
        history=history,
        tips=tips,
        is_first=is_first,
        heard=() if is_first else _heard(new, ids=call.format not in WITHOUT_IDS),
        question=_question(messages, len(messages)),
        process=_process(call),
    )
    return facts, words


def completed(facts: Facts, call: Call) -> Facts:
    """Return the facts of a call that has ended."""
    answer = call.answers[0] if call.answers else None
    process = facts.process or _process(call)  # it may have become known meanwhile
    if answer is None:
        return msgspec.structs.replace(facts, status=str(call.status), process=process, ended_ns=call.ended_ns)
    forced = forced_tool(call.params)
    text = handed_text(answer, is_summary=facts.kind == COMPACTION, forced=forced)
    return msgspec.structs.replace(
        facts,
        status=str(call.status),
        process=process,
        ended_ns=call.ended_ns,
        tip=tuple([_digest(facts.history + one.digest) for one in call.answers[:MAX_CHOICES]]),
        answer=_recall(answer, facts.question),
        asked=named(ASKED, _digest(facts.question + _gist(answer))) if facts.question else 0,
        response=token(RESPONSE, call.response_id) if call.response_id else 0,
        offers=offers(answer, ids=call.format not in WITHOUT_IDS, forced=forced),
        handed=said(text) if text else None,
        head=head_of(text) if text else 0,
    )


def _process(call: Call) -> int:
    """Name the process that made the call; 0 as long as it is not known."""
    return mark(PROCESS, call.process) if call.process else 0


def answered_as(facts: Facts, other: Facts) -> Facts:
    """Return the facts with what `other`, a later version of the same call, knows of its answer."""
    return msgspec.structs.replace(
        facts,
        status=other.status,
        process=other.process or facts.process,
        ended_ns=other.ended_ns,
        tip=other.tip,
        answer=other.answer,
        asked=other.asked,
        response=other.response,
        offers=other.offers,
        handed=other.handed,
        head=other.head,
    )


def recall(facts: Facts, call: Call) -> Facts:
    """Return the facts with what tells a history that was cut or edited: asked for only when nothing else leads on."""
    messages = call.messages
    answered = _answered(messages, MAX_TIPS)
    questions = [_question(messages, at) for at in answered]
    return msgspec.structs.replace(
        facts,
        tips=_histories(messages, answered)[1],
        recalled=tuple([_recall(messages[at], question) for at, question in zip(answered[:MAX_RECALLED], questions, strict=False)]),
        reasked=tuple(
            [named(ASKED, _digest(question + _gist(messages[at]))) for at, question in zip(answered, questions, strict=True) if question]
        ),
    )


def _answered(messages: Sequence[Message], count: int) -> list[int]:
    """Return the places of the last few answers, latest first."""
    found: list[int] = []
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        if message.role == ANSWER_ROLE and message.digest:
            found.append(at)
            if len(found) == count:
                break
    return found


def _histories(messages: Sequence[Message], answered: Sequence[int]) -> tuple[bytes, tuple[bytes, ...]]:
    """Name the history of all messages, and that up to each of these answers, latest first."""
    digests = [message.digest for message in messages]
    running = blake2b(digest_size=CHAIN_BYTES)
    done = 0
    tips = []
    for at in reversed(answered):
        running.update(b"".join(digests[done:at]))
        tips.append(_digest(running.digest() + digests[at]))
        done = at
    running.update(b"".join(digests[done:]))
    tips.reverse()
    return running.digest(), tuple(tips)


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=CHAIN_BYTES).digest()


def _leading(call: Call) -> Sequence[Message]:
    """Return the system prompt's blocks, whether they stand outside the messages or lead them."""
    return call.system or _leading_of(call.messages)


def _leading_of(messages: Sequence[Message]) -> Sequence[Message]:
    """Return the system prompt that leads messages."""
    end = 0
    while end < len(messages) and messages[end].role in SYSTEM_ROLES:
        end += 1
    return messages[:end]


def _text(messages: Sequence[Message], room: int) -> str:
    """Return the beginning of what messages say."""
    found: list[str] = []
    for message in messages:
        for part in message.parts:
            if part.text:
                found.append(part.text[:room])
                room -= len(part.text)
                if room <= 0:
                    return "\n".join(found)
    return "\n".join(found)


def _asked(new: Sequence[Message]) -> list[str]:
    """Return the user texts of new messages, without what clients wrap around them."""
    return [
        text
        for message in new
        if message.role == "user"
        for part in message.parts
        if part.kind == "text" and (text := unwrapped(part.text).strip())
    ]


def _words(asked: Sequence[str], leading: Sequence[Message]) -> Words:
    """Return the words of a call: its new user texts, and of a first turn the system prompt's ends."""
    kept = asked if len(asked) <= MAX_TEXTS else [*asked[: MAX_TEXTS // 2], *asked[-MAX_TEXTS // 2 :]]
    texts: list[str] = []
    lines: dict[str, None] = {}
    room = MAX_WORDS_CHARS
    for text in kept:
        if len(text) < MIN_CHARS or room <= 0:
            continue
        for one in (text, *wrapped(text)):
            flat = squeezed(one)[:room].rstrip(" ")
            texts.append(flat)
            room -= len(flat)
        lines.update(dict.fromkeys(short_lines(text)))
    briefing = ""
    if leading:
        parts = [part.text for message in leading for part in message.parts if part.text]
        whole = parts[0] if len(parts) == 1 else "\n".join(parts)
        briefing = _briefing(whole if len(whole) <= 2 * BRIEFING_CHARS else f"{whole[:BRIEFING_CHARS]} {whole[-BRIEFING_CHARS:]}")
    return Words(tuple(texts), tuple(lines), briefing) if texts or briefing else NO_WORDS


def words_again(facts: Facts, system: Sequence[Message], messages: Sequence[Message]) -> Words:
    """Return the words of a call that was read before, from its messages as they are stored."""
    answered = _last_answer(messages)
    asked = _asked(messages[answered + 1 :])
    if facts.kind in NOISE:
        return _helper_words(asked)
    return _words(asked, (system or _leading_of(messages)) if facts.is_first else ())


def _last_answer(messages: Sequence[Message]) -> int:
    """Return the place of the last answer; -1 when there is none."""
    return max((at for at, message in enumerate(messages) if message.role == ANSWER_ROLE), default=-1)


_briefing = lru_cache(maxsize=64)(squeezed)
"""Thousands of calls have the same system prompt."""


def _helper_words(asked: Sequence[str]) -> Words:
    """Return the words of a helper: what it was told, whole and by line."""
    texts = asked[:MAX_TEXTS]
    lines = dict.fromkeys(squeezed(line) for text in texts for line in text.splitlines()[:HELPER_LINES])
    return Words(tuple(map(squeezed, texts)), (), "", tuple(line for line in lines if len(line) >= MIN_CHARS))


def _question(messages: Sequence[Message], end: int) -> bytes:
    """Name the last question before a place by the conversation's first words and itself; nothing where there is none."""
    at = end - 1
    while at >= 0 and messages[at].role == ANSWER_ROLE:
        at -= 1
    if at < 0:
        return b""
    first = next((message.digest for message in messages if message.role == "user"), b"")
    return first + messages[at].digest if first else b""


def _gist(answer: Message) -> bytes:
    """Return how an answer begins: what survives when a client cuts or rewrites it."""
    text = "".join([part.text[:GIST_ROOM] for part in answer.parts if part.kind == "text"]).strip()
    if not text:
        text = " ".join([part.name or "" for part in answer.parts if part.kind == "tool_use"])
    return "".join(text[:GIST_ROOM].split())[:GIST_CHARS].encode("utf-8", "surrogatepass")


def _recall(answer: Message, question: bytes) -> int:
    """Name an answer: by itself where it has ids or is too long to be given twice, else with its question (none: not at all)."""
    size = 0
    for part in answer.parts:
        if part.kind in {"text", "tool_use"}:
            if part.tool_id:
                return named(ANSWER, answer.digest)
            size += len(part.text) + len(part.arguments or "")
    if size >= TELLING_CHARS:
        return named(ANSWER, answer.digest)
    return named(ANSWER, _digest(question[-CHAIN_BYTES:] + answer.digest)) if question else 0


def _instructions(leading: Sequence[Message], tools: int) -> int:
    """Name the system prompt and the number of tools."""
    digest = leading[0].digest if len(leading) == 1 else _digest(b"".join([message.digest for message in leading]))
    return named(SYSTEM, digest) ^ tools << _TOOLS_SHIFT


def _request(call: Call, identity: Identity, history: bytes) -> int:
    """Name what makes two requests the same: all that a model reads, and who asks as far as they say. A fallback asks another model."""
    who = f"{call.operation}\n{len(call.tools)}\n{call.previous_response_id}\n{identity.trace}\n{identity.thread}"
    instructions = b"".join([message.digest for message in call.system])
    return named(REQUEST, _digest(history + instructions + who.encode("utf-8", "surrogatepass")))


def _heard(new: Sequence[Message], *, ids: bool) -> tuple[Heard, ...]:
    """Return what tools brought back."""
    found: list[Heard] = []
    counts: dict[str, int] = {}
    for message in new:
        for part in message.parts:
            if part.kind == "tool_result" and len(found) < MAX_HEARD:
                name = part.name or ""
                counts[name] = counts.get(name, 0) + 1
                tool_id = (part.tool_id if ids else None) or unnamed_use(name, counts[name])
                text = part.text.lstrip()
                heads = [head for one in (text, *wrapped(text)) for head in heads_in(one)]
                found.append(Heard(tool_id, tuple(heads), part.is_error is True))
    return tuple(found)
