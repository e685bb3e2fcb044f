"""Where the nodes and edges of a relation graph are drawn: columns from left to right. Pure.

A column for each rank. An edge that passes a column gets a place of its own there, so that it runs
between the nodes and not behind them; within a column, everything stands near what it is tied to.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from unicodedata import east_asian_width

NODE_WIDTH, NODE_HEIGHT = 190, 46
COLUMN_GAP, ROW_GAP, LANE = 130, 18, 14
MARGIN = 14
# How far an edge within a column swings out, and the room for its words there.
TURN, WORDS = 60, 80
# From a node to the words of its edge; an arrow's head needs more.
BESIDE, BEFORE_HEAD = 8, 14
SWEEPS = 6
# The room for a name within a node, and the widest that letters are in bold faces, in em.
LABEL_ROOM, DOTS = 12.7, 1.0
THIN, WIDE = frozenset("fijlrtI.,:;'|!()[]-/ "), frozenset("mwMW@%")


@dataclass(frozen=True)
class Place:
    """The upper left corner of a node."""

    x: int
    y: int

    @property
    def middle(self) -> int:
        return self.y + NODE_HEIGHT // 2


@dataclass(frozen=True)
class Line:
    """An SVG path, and where its label begins or ends (`anchor`, as SVG says it)."""

    path: str
    x: int
    y: int
    anchor: str = "start"


@dataclass(frozen=True)
class Drawing:
    width: int
    height: int
    places: dict[str, Place]
    lines: tuple[Line, ...]  # as the edges that were given


@dataclass(frozen=True)
class _Lane:
    """Where an edge passes a column."""

    edge: int
    rank: int


_Item = str | _Lane


def draw(ranks: Mapping[str, int], edges: Sequence[tuple[str, str]]) -> Drawing:
    """`ranks`: node -> column; `edges`: (from, to), between nodes of `ranks`."""
    chains = [_chain(ranks, number, *edge) for number, edge in enumerate(edges)]
    columns = _columns(ranks, chains)
    _untangle(columns, chains)
    first = min(columns)
    x_of = {
        item: MARGIN + (rank - first) * (NODE_WIDTH + COLUMN_GAP)
        for rank, column in columns.items()
        for item in column
    }
    height = max(_height(column) for column in columns.values())
    middles: dict[_Item, int] = {}
    for column in columns.values():
        y = MARGIN + (height - _height(column)) // 2
        for item in column:
            middles[item] = y + _size(item) // 2
            y += _size(item) + ROW_GAP
    places = {
        item: Place(x_of[item], middles[item] - NODE_HEIGHT // 2)
        for item in middles
        if isinstance(item, str)
    }
    ends = Counter(node for edge in edges for node in edge)
    lines = tuple(_line(chain, ends, x_of, middles) for chain in chains)
    width = max(x_of.values()) + NODE_WIDTH
    # An edge within the last column turns beside it.
    turns = any(x_of[a] == x_of[b] == width - NODE_WIDTH for a, b in edges)
    width += TURN + WORDS if turns else MARGIN
    return Drawing(width, height + 2 * MARGIN, places, lines)


def _chain(ranks: Mapping[str, int], number: int, source: str, target: str) -> list[_Item]:
    """The edge's stations from left to right or right to left: node, lanes, node."""
    step = 1 if ranks[target] > ranks[source] else -1
    between = range(ranks[source] + step, ranks[target], step)
    return [source, *(_Lane(number, rank) for rank in between), target]


def _columns(ranks: Mapping[str, int], chains: Iterable[Sequence[_Item]]) -> dict[int, list[_Item]]:
    every = range(min(ranks.values()), max(ranks.values()) + 1)
    columns: dict[int, list[_Item]] = {rank: [] for rank in every}
    for node, rank in ranks.items():
        columns[rank].append(node)
    for chain in chains:
        for item in chain[1:-1]:
            if isinstance(item, _Lane):
                columns[item.rank].append(item)
    return columns


def _untangle(columns: dict[int, list[_Item]], chains: Iterable[Sequence[_Item]]) -> None:
    """Sorts each column by the mean place of its neighbours, to and fro."""
    tied: dict[_Item, list[_Item]] = {}
    for chain in chains:
        for left, right in pairwise(chain):
            tied.setdefault(left, []).append(right)
            tied.setdefault(right, []).append(left)
    order = list(columns)
    for sweep in range(SWEEPS):
        at = {
            item: place / max(1, len(column) - 1) if len(column) > 1 else 0.5
            for column in columns.values()
            for place, item in enumerate(column)
        }
        for rank in order if sweep % 2 == 0 else reversed(order):
            column = columns[rank]
            own = {
                item: _mean([at[other] for other in tied.get(item, [])], at[item])
                for item in column
            }
            column.sort(key=own.__getitem__)
            for place, item in enumerate(column):
                at[item] = place / (len(column) - 1) if len(column) > 1 else 0.5


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _size(item: _Item) -> int:
    return NODE_HEIGHT if isinstance(item, str) else LANE


def _height(column: Sequence[_Item]) -> int:
    return sum(_size(item) for item in column) + ROW_GAP * (len(column) - 1)


def _line(
    chain: Sequence[_Item],
    ends: Mapping[str, int],
    x_of: Mapping[_Item, int],
    middles: Mapping[_Item, int],
) -> Line:
    """Curves from station to station; the label stands at the end that fewer edges share."""
    source, target = chain[0], chain[-1]
    if x_of[source] == x_of[target]:
        return _turn(x_of[source] + NODE_WIDTH, middles[source], middles[target])
    right = x_of[target] > x_of[source]
    out, into = (NODE_WIDTH, 0) if right else (0, NODE_WIDTH)
    path, pieces = [f"M{x_of[source] + out} {middles[source]}"], []
    for here, there in pairwise(chain):
        x, y, near, level = x_of[here] + out, middles[here], x_of[there] + into, middles[there]
        half = (x + near) // 2
        path.append(f"C{half} {y} {half} {level} {near} {level}")
        pieces.append((x, y, near, level))
        if there is not target:
            path.append(f"H{x_of[there] + out}")
    if ends[str(source)] > ends[str(target)]:
        x, y, near, level = pieces[-1]
        return Line("".join(path), *_label(near, level, x, y, BEFORE_HEAD))
    return Line("".join(path), *_label(*pieces[0], BESIDE))


def _label(x: int, y: int, other_x: int, other_y: int, gap: int) -> tuple[int, int, str]:
    """Beside the node at (x, y), as high as the curve is a quarter of the way to the other end."""
    right = other_x > x
    height = round(0.844 * y + 0.156 * other_y)
    return x + (gap if right else -gap), height, "start" if right else "end"


def _turn(x: int, start: int, end: int) -> Line:
    """Between two nodes of one column, or from a node to itself: out and back on the right."""
    if start == end:
        start, end = start - 10, end + 10
    out = min(TURN, 20 + abs(end - start) // 8)
    path = f"M{x} {start}C{x + out} {start} {x + out} {end} {x} {end}"
    # Not in the middle: two that begin at one node would lie on each other.
    return Line(path, x + out * 3 // 4 + 4, round(0.65 * start + 0.35 * end))


def shortened(label: str) -> str:
    """A name as it fits into a node; the whole is in the node's title."""
    ends = list(accumulate(_em(letter) for letter in label))
    if not ends or ends[-1] <= LABEL_ROOM:
        return label
    return f"{label[: sum(end <= LABEL_ROOM - DOTS for end in ends)]}…"


def _em(letter: str) -> float:
    if letter in WIDE or east_asian_width(letter) in "WF":
        return 1.1
    return 0.5 if letter in THIN else 0.72
