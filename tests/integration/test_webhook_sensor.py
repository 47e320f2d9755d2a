"""The running webhook sensor, which has nothing to listen to."""

from datetime import UTC, datetime

import pytest

from sensors import Webhook
from tests.integration.desk import Recorder, running

pytestmark = pytest.mark.anyio


async def test_a_running_webhook_is_up_until_it_is_cancelled() -> None:
    desk = Recorder()
    async with running(Webhook("payments"), desk):
        await desk.until(lambda: desk.health == [(True, "")])
    assert desk.events == []
    assert desk.recorded == {}


async def test_it_has_read_everything_at_any_time() -> None:
    desk = Recorder()
    async with running(Webhook("payments"), desk):
        asked = datetime.now(UTC)
        await desk.until(lambda: desk.upto and desk.upto > asked)
