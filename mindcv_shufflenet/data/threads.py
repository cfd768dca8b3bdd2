"""The same function for many items, on several threads."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def each(
    pool: ThreadPoolExecutor,
    function: Callable[[_Item], _Result],
    items: Sequence[_Item],
    advance: Callable[[int], object] = lambda _: None,
    *,
    chunk: int = 256,
) -> list[_Result]:
    """Return ``[function(item) for item in items]``, computed on the pool.

    Args:
        pool: the threads.
        function: of an item.
        items: in the order of the results.
        advance: called with the number of items of each finished chunk.
        chunk: items a task, since a task for each would cost more than a ``stat``.
    """
    results: list[_Result] = []
    chunks = [items[start : start + chunk] for start in range(0, len(items), chunk)]
    for part in pool.map(lambda chunk: [function(item) for item in chunk], chunks):
        results += part
        advance(len(part))
    return results
