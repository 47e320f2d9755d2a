"""Nothing that an executor started outlives the service, however that ends."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.integration import executor_service
from tests.integration.processes import facts, marked, until

EXPECTED = ("sleep 600", "sleep 601", "sleep 602", "sleep 603", "reactor-worker", "warden.py")


class Service:
    """The service in executor_service.py, and all that came of it."""

    def __init__(self, folder: Path) -> None:
        self.mark = uuid.uuid4().hex
        self.process = subprocess.Popen(
            [sys.executable, executor_service.__file__, str(folder)],
            env={**os.environ, executor_service.MARK: self.mark, "PYTHONPATH": os.getcwd()},
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(lambda: all((folder / name).exists() for name in ("command", "daemon", "worker")))
        self.copy = int((folder / "copy").read_text())
        until(lambda: all(any(part in line for line in self.all().values()) for part in EXPECTED))

    def all(self) -> dict[int, str]:
        return marked(executor_service.MARK, self.mark)

    def descendants(self) -> dict[int, str]:
        """Without the service itself and the copy that it made of itself."""
        own = {self.process.pid, self.copy}
        return {pid: line for pid, line in self.all().items() if pid not in own}

    def wards(self) -> list[int]:
        """The warden, its wards and their spare commands, which all look alike."""
        return [pid for pid, line in self.descendants().items() if "warden.py" in line]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path)
    yield service
    service.process.kill()
    service.process.wait()
    for pid in service.all():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_the_service_is_killed_and_nothing_is_left(service: Service) -> None:
    """Not what left its session, ignores every signal or was orphaned; sockets are still open."""
    service.process.kill()
    until(lambda: service.descendants() == {})
    assert service.copy in service.all()


def test_wards_and_service_are_killed_together_and_nothing_is_left(service: Service) -> None:
    """As the kernel may do when memory runs out: only the warden survives."""
    for pid in service.wards():
        if int(facts(pid)[1]) != service.process.pid:
            os.kill(pid, signal.SIGKILL)
    service.process.kill()
    until(lambda: service.descendants() == {})


def test_the_warden_is_killed_and_then_the_service_and_nothing_is_left(service: Service) -> None:
    wardens = [pid for pid in service.wards() if int(facts(pid)[1]) == service.process.pid]
    assert len(wardens) == 2, "one for commands, one for workers"
    for warden in wardens:
        os.kill(warden, signal.SIGKILL)
    service.process.kill()
    until(lambda: service.descendants() == {})


def test_the_service_is_asked_to_end_from_the_terminal_and_nothing_is_left(
    service: Service,
) -> None:
    os.killpg(service.process.pid, signal.SIGINT)
    service.process.wait(30)
    until(lambda: service.descendants() == {})
