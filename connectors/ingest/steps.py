"""Asynchronous code of the library, run from code that is not.

Its loop has a thread of its own: the caller's may be running a loop already.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")


def steps(items: AsyncGenerator[T, None]) -> Iterator[T]:
    """What an asynchronous generator yields, one at a time. It ends with this one, and so does its loop."""
    runner = asyncio.Runner()

    async def following() -> list[T]:
        return [item async for item in _first(items)]

    def end() -> None:
        with runner:
            runner.run(items.aclose())

    with ThreadPoolExecutor(1, "freshkb-ingest") as thread:
        try:
            while taken := thread.submit(copy_context().run, runner.run, following()).result():
                yield taken[0]
        finally:
            thread.submit(end).result()


async def _first(items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    try:
        item = await anext(items)
    except StopAsyncIteration:
        return
    yield item


def outcome(work: Callable[[], Awaitable[T]]) -> T:
    """The result of a coroutine."""

    async def awaited() -> T:
        return await work()

    with ThreadPoolExecutor(1, "freshkb-ingest") as thread:
        return thread.submit(copy_context().run, asyncio.run, awaited()).result()
