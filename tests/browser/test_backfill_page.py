"""Backfills on the page, in a real browser, over a real service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.browser.test_page import Served, chrome, click, find, page, served, shows, until
from tests.integration.test_web_backfill import WEEK, Gate, shop

__all__ = ["chrome", "page"]


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def service(tmp_path: Path, gate: Gate) -> Iterator[Served]:
    with served(shop(gate), tmp_path) as running:
        yield running


def start(service: Served, **about: Any) -> None:
    order = {"assets": ["raw"], "partitions": "2026-01-01..2026-01-07", "limit": 2, **about}
    assert httpx.post(f"{service.url}/api/backfills", json=order).status_code == 202


def widths(page: Chrome, selector: str) -> list[str]:
    """How much of a bar went well, failed and runs."""
    parts = find(page, selector).find_elements(By.CSS_SELECTOR, "i")
    return [str(part.get_attribute("style")).split(":")[1].strip(" ;%")[:4] for part in parts]


def test_the_front_page_shows_how_far_a_backfill_is(
    service: Served, page: Chrome, gate: Gate
) -> None:
    page.get(service.url)
    shows(page, "#link", "live")
    assert not find(page, "section[aria-label=Backfills]").is_displayed()
    start(service)
    row = "section[aria-label=Backfills] .row"
    shows(page, row, "raw 0 of 7 partitions")
    gate.let(WEEK[0])
    shows(page, row, "raw 1 of 7 partitions")
    until(lambda: widths(page, f"{row} .progress") == ["14.2", "0", "28.5"], "the bar")
    gate.bad = {WEEK[1]}
    gate.let("all")
    until(lambda: not find(page, "section[aria-label=Backfills]").is_displayed(), "it has ended")
    click(page, "section[aria-label=Runs] h2 a")
    shows(page, ".detail .row", "1 failed")
    assert find(page, ".progress").get_attribute("aria-valuenow") == "7"


def test_one_is_paused_resumed_cancelled_and_tried_again_with_buttons(
    service: Served, page: Chrome, gate: Gate
) -> None:
    start(service, reason="prices were wrong")
    page.get(f"{service.url}/#/backfills/1")
    shows(page, ".detail h1", "Backfill 1")
    shows(page, ".detail .facts", "2026-01-01 to 2026-01-07")
    shows(page, ".detail .facts", "prices were wrong")
    shows(page, "section[aria-label=Running]", WEEK[1])
    click(page, ".actions .action")
    shows(page, ".detail .state", "paused")
    gate.let(WEEK[0])
    shows(page, ".detail .state", "1 of 7 partitions")
    shows(page, ".actions", "Resume")
    click(page, ".actions .action")
    shows(page, ".detail .state", "running")
    shows(page, "section[aria-label=Running]", WEEK[2])
    shows(page, ".detail .facts", "about ")
    page.find_elements(By.CSS_SELECTOR, ".actions .action")[1].click()
    shows(page, ".detail .state", "cancelled")
    shows(page, "section[aria-label=Failed]", f"{WEEK[1]} raw: its backfill was cancelled")
    gate.let("all")
    shows(page, ".actions", "Retry what is left")
    click(page, ".actions .action")
    shows(page, ".detail .state", "succeeded")
    until(lambda: not find(page, ".actions").is_displayed(), "nothing is left to do")


def test_a_run_leads_to_its_backfill(service: Served, page: Chrome, gate: Gate) -> None:
    gate.let("all")
    start(service, partitions=WEEK[0])
    page.get(f"{service.url}/#/runs/1")
    shows(page, ".why", f"raw[{WEEK[0]}] because backfill 1 covers {WEEK[0]}.")
    click(page, ".detail .kind a")
    shows(page, ".detail h1", "Backfill 1")
    page.get("about:blank")
    page.get(f"{service.url}/#/backfills/9")
    shows(page, "#panel", "there is no backfill 9")
