"""One output stream of a process, read as it comes and handed on line by line."""

from __future__ import annotations

import asyncio
import codecs
import os
from collections import deque
from collections.abc import Callable

LINE_CHARACTERS = 65_536
"""A longer line is handed on in pieces of this length."""

_CHUNK_BYTES = 16_384
"""Read at once: a chunk of the shortest lines keeps the loop for some milliseconds."""
_PIPE_CHUNKS = 128
_TAIL_LINES = 10


class Output:
    """A pipe whose `inlet` goes to a process, and whose lines go to `emit`.

    Bytes that are not UTF-8 are replaced. The pipe itself holds the process back while nothing is
    read, so memory stays at a line and a chunk however much is written.
    """

    def __init__(self, stream: str, emit: Callable[[str, str], None]) -> None:
        self.stream, self.emit = stream, emit
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        """The last lines that are not blank; of a line in pieces, its first."""
        self.cut = False
        """Whether the last of `tail` is only the beginning of its line."""
        self._partial, self._within_line = "", False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._outlet, self.inlet = os.pipe()
        os.set_blocking(self._outlet, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._outlet, self._read)

    def close_inlet(self) -> None:
        """To be called once the process has its own copy."""
        if self.inlet >= 0:
            os.close(self.inlet)
            self.inlet = -1

    def drain(self) -> None:
        """Hands on all that was written so far, an unfinished line too."""
        for _ in range(_PIPE_CHUNKS):
            if not self._read():
                break
        self._take(self._decoder.decode(b"", final=True))
        if self._partial:
            self._hand_on(self._partial)
        self._partial, self._within_line = "", False

    def close(self) -> None:
        """Drains and lets go of the pipe. A second call does nothing."""
        self.close_inlet()
        if self._outlet >= 0:
            self.drain()
            self._loop.remove_reader(self._outlet)
            os.close(self._outlet)
            self._outlet = -1

    def _read(self) -> bool:
        """Takes one chunk; False if there is none now."""
        if self._outlet < 0:
            return False
        try:
            data = os.read(self._outlet, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        if data:
            self._take(self._decoder.decode(data))
        else:
            self._loop.remove_reader(self._outlet)
        return bool(data)

    def _take(self, text: str) -> None:
        *lines, rest = (self._partial + text).split("\n")
        for line in lines:
            self._hand_on(line.removesuffix("\r"))
        while len(rest) > LINE_CHARACTERS:
            self._emit(rest[:LINE_CHARACTERS], goes_on=True)
            rest = rest[LINE_CHARACTERS:]
        self._partial = rest

    def _hand_on(self, line: str) -> None:
        while len(line) > LINE_CHARACTERS:
            self._emit(line[:LINE_CHARACTERS], goes_on=True)
            line = line[LINE_CHARACTERS:]
        self._emit(line, goes_on=False)

    def _emit(self, piece: str, *, goes_on: bool) -> None:
        self.emit(self.stream, piece)
        if piece.strip() and not self._within_line:
            self.tail.append(piece)
            self.cut = goes_on
        self._within_line = goes_on
