"""Listeners that are slow, and what they are told."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from reactor.host.news import Newsroom

pytestmark = pytest.mark.anyio


async def test_each_listener_hears_everything_in_order() -> None:
    newsroom = Newsroom()
    async with newsroom.listen() as one, newsroom.listen() as other:
        newsroom.publish([{"kind": "event", "seq": 1}])
        newsroom.publish([{"kind": "event", "seq": 2}])
        newsroom.close()
        assert [item["seq"] async for item in one] == [1, 2]
        assert [item["seq"] async for item in other] == [1, 2]


async def test_whoever_falls_behind_reads_anew_though_nothing_more_happens() -> None:
    newsroom = Newsroom(room=2)
    async with newsroom.listen() as slow:
        for seq in range(5):
            newsroom.publish([{"kind": "event", "seq": seq}])
        heard = [await anext(slow) for _ in range(3)]
        assert [item.get("seq", item["kind"]) for item in heard] == [0, 1, "reload"]
        newsroom.publish([{"kind": "event", "seq": 9}])
        assert (await anext(slow))["seq"] == 9


async def test_a_listener_waits_until_something_happens() -> None:
    newsroom = Newsroom()
    async with newsroom.listen() as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(_publish_soon, newsroom)
        with anyio.fail_after(5):
            assert (await anext(listener))["kind"] == "run"
    assert not newsroom.heard


async def _publish_soon(newsroom: Newsroom) -> None:
    await anyio.lowlevel.checkpoint()
    newsroom.publish([{"kind": "run"}])
