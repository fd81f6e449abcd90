"""The shortest way from one list to another, given up beyond a bound: hostile input costs bounded time.

Source: E. W. Myers, "An O(ND) Difference Algorithm and Its Variations", Algorithmica 1, 1986.
"""

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple, TypeVar

MOST_EDITS = 400
"""Additions and removals searched for before the middle of two lists is called altogether different; time grows with its square (0.1 s)."""

Item = TypeVar("Item", bound=Hashable)


class Step(NamedTuple):
    """`size` items are the same, or removed, or added; they begin at `before` and `after`."""

    kind: str
    before: int
    after: int
    size: int


def steps(before: Sequence[Item], after: Sequence[Item], most_edits: int = MOST_EDITS) -> list[Step]:
    """Return the way from `before` to `after`, steps of one kind joined. What both begin and end with is never searched."""
    head = 0
    most = min(len(before), len(after))
    while head < most and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < most - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    found = [Step("same", 0, 0, head)]
    left, right = before[head : len(before) - tail], after[head : len(after) - tail]
    found += (Step(kind, x + head, y + head, size) for kind, x, y, size in _middle(left, right, most_edits))
    found.append(Step("same", len(before) - tail, len(after) - tail, tail))
    return list(_joined(found))


def _joined(found: Sequence[Step]) -> Iterator[Step]:
    last: Step | None = None
    for step in found:
        if not step.size:
            continue
        if last is not None and last.kind == step.kind:
            last = last._replace(size=last.size + step.size)
            continue
        if last is not None:
            yield last
        last = step
    if last is not None:
        yield last


def _middle(before: Sequence[Item], after: Sequence[Item], most_edits: int) -> list[Step]:
    reached = _search(before, after, most_edits) if before and after else None
    if reached is None:
        return [Step("removed", 0, 0, len(before)), Step("added", len(before), 0, len(after))]
    found: list[Step] = []
    x, y = len(before), len(after)
    for edits in range(len(reached) - 1, 0, -1):
        furthest = reached[edits - 1]
        k = x - y
        down = k == -edits or (k != edits and furthest.get(k - 1, -1) < furthest.get(k + 1, -1))
        from_x = furthest[k + 1] if down else furthest[k - 1]
        from_y = from_x - (k + 1 if down else k - 1)
        run = min(x - from_x, y - from_y)
        found.append(Step("same", x - run, y - run, run))
        found.append(Step("added" if down else "removed", from_x, from_y, 1))
        x, y = from_x, from_y
    found.append(Step("same", 0, 0, x))
    return found[::-1]


def _search(before: Sequence[Item], after: Sequence[Item], most_edits: int) -> list[dict[int, int]] | None:
    """Return how far along `before` each diagonal comes, for each number of edits; None beyond the bound."""
    width, height = len(before), len(after)
    furthest = {1: 0}
    reached: list[dict[int, int]] = []
    for edits in range(min(width + height, most_edits) + 1):
        now: dict[int, int] = {}
        for k in range(-edits, edits + 1, 2):
            down = k == -edits or (k != edits and furthest.get(k - 1, -1) < furthest.get(k + 1, -1))
            x = furthest.get(k + 1, -1) if down else furthest.get(k - 1, -2) + 1
            y = x - k
            if x < 0 or x > width or y < 0 or y > height:
                continue
            while x < width and y < height and before[x] == after[y]:
                x += 1
                y += 1
            now[k] = x
            if x >= width and y >= height:
                return [*reached, now]
        reached.append(now)
        furthest = now
    return None
