"""The demo's script: what happens when, and waiting until it has come to rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import anyio
from rich.text import Text

from reactor.cli.theatre import Theatre
from reactor.core.errors import ReactorError
from reactor.demo.claims import Round
from reactor.demo.feed import Act, Feed
from reactor.demo.pipeline import HOME, inbox, quotes, tables
from reactor.demo.stage import Stage, Story
from reactor.store import Reading

PATIENCE_S = 30.0
"""How long something may take to follow from an act."""

BEAT_S = 1.5


@dataclass(slots=True)
class Director:
    """Lets one thing happen after the other, and has each told when it has come to rest."""

    stage: Stage
    theatre: Theatre
    feed: Feed
    read: Reading
    done: Round

    async def play_round(self) -> None:
        """Each kind of event at least once, with a failure and a message that is broken."""
        await self._act(quotes.name, self.feed.burst, self._names_come_late)
        await self._act(inbox.name, self.feed.file)
        await self._act(tables.name, self.feed.table)
        await self._dead_letter()
        await self._act(quotes.name, self.feed.month)
        await self._act(inbox.name, self.feed.file)
        await self._act(tables.name, self.feed.column)
        self.done.messages = self.feed.messages

    async def play_on(self) -> None:
        """The rest of the data, a beat at a time; then only what others let happen."""
        while self.feed.quotes or self.feed.files or self.feed.columns:
            for left, sensor, what in (
                (self.feed.quotes, quotes.name, self.feed.month),
                (self.feed.files, inbox.name, self.feed.file),
                (self.feed.columns, tables.name, self.feed.column),
            ):
                await anyio.sleep(BEAT_S)
                if left:
                    await self._act(sensor, what)
        self.theatre.say()
        self.theatre.say(Text("All of the data has been played. The service goes on: it is yours."))
        await anyio.sleep_forever()

    async def tell_others(self) -> None:
        """Tells what others did, each when it has come to rest."""
        others = self.stage.others
        while True:
            await self.stage.until(lambda: bool(others) and others[0].settled)
            self.theatre.tell(others.pop(0))

    async def _act(
        self,
        sensor: str,
        what: Callable[[], Awaitable[Act]],
        meanwhile: Callable[[Story], Awaitable[None]] | None = None,
    ) -> None:
        with self.stage.watching(sensor) as story:
            story.act = await what()
            with anyio.move_on_after(PATIENCE_S) as limit:
                if meanwhile is not None:
                    await meanwhile(story)
                await self.stage.until(lambda: story.settled)
        event = await self.read.event(story.seq) if story.seq else None
        if event is not None:
            story.received = datetime.fromisoformat(event["received"]).timestamp()
        self.theatre.tell(story)
        self.done.stories.append(story)
        if limit.cancelled_caught:
            raise _late(story.act)

    async def _names_come_late(self, story: Story) -> None:
        """The file that `movers` misses arrives after it has failed once."""
        await self.stage.until(lambda: any(scene.retries for scene in story.scenes))
        await self.feed.companies()

    async def _dead_letter(self) -> None:
        act = await self.feed.broken()
        with anyio.move_on_after(PATIENCE_S):
            while True:  # dead letters are no news: they have to be looked for
                letters = await self.read.dead_letters(sensor=quotes.name)
                if letters:
                    self.theatre.tell_dead(act.text, letters[0]["error"])
                    return
                await anyio.sleep(0.02)
        raise _late(act)


def _late(act: Act) -> ReactorError:
    return ReactorError(
        f"what should have followed in {PATIENCE_S:.0f} s did not: {act.text}",
        hint=f"{HOME}/service.log says more",
    )
