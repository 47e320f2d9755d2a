"""The page in a real browser, over a real service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from reactor.core.asset import Retry
from reactor.core.field import field
from reactor.pipeline import Pipeline
from tests.integration.web_service import Feed, running
from tests.servers.browser import Browser
from tests.servers.process import free_port

HOSTILE = """<script>window.hacked=1</script><img src=x onerror="window.hacked=1">'"`${1}"""


class Served:
    """A service that runs in a thread of its own, seen from a test."""

    def __init__(self, portal: Any, web: Any) -> None:
        self.url: str = web.url
        self._portal, self._web = portal, web

    def emit(self, sensor: str, data: Any, id: str, **about: Any) -> None:
        answer = self._portal.call(lambda: self._web.emit(sensor, data, id, **about))
        assert answer.status_code == 202, answer.text

    def post(self, path: str, order: dict[str, Any]) -> None:
        answer = self._portal.call(lambda: self._web.http.post(path, json=order))
        assert answer.status_code == 202, answer.text


@contextmanager
def served(pipeline: Pipeline, folder: Path, **settings: Any) -> Iterator[Served]:
    """Serves a pipeline until the block ends."""
    with start_blocking_portal() as portal:
        service = running(pipeline, folder, **settings)
        with portal.wrap_async_context_manager(service) as web:
            yield Served(portal, web)


@pytest.fixture(scope="module")
def chrome(browser: Browser) -> Iterator[Chrome]:
    with browser(capabilities={"goog:loggingPrefs": {"browser": "ALL"}}) as opened:
        yield opened


@pytest.fixture
def page(chrome: Chrome) -> Iterator[Chrome]:
    """A browser as new (each service has an origin of its own), whose console has to stay clean."""
    yield chrome
    # That an address was not found or not reached, the browser notes by itself ("network").
    said = [entry for entry in chrome.get_log("browser") if entry["source"] != "network"]
    chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    chrome.get("about:blank")
    assert [entry["message"] for entry in said if entry["level"] == "SEVERE"] == []


def until(true: Callable[[], Any], what: str) -> Any:
    """What `true` answers, once that is something."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if answer := true():
                return answer
        except StaleElementReferenceException:
            pass
        time.sleep(0.05)
    raise AssertionError(f"waited in vain: {what}")


def find(page: Chrome, selector: str) -> Any:
    """The first such element, once there is one."""
    return until(lambda: page.find_elements(By.CSS_SELECTOR, selector), selector)[0]


def click(page: Chrome, selector: str) -> None:
    """Clicks the first such element, once there is one."""
    until(lambda: find(page, selector).click() is None, f"a click on {selector}")


def shows(page: Chrome, selector: str, text: str) -> None:
    """Waits until an element shows a text."""

    def shown() -> bool:
        return any(
            text in element.text for element in page.find_elements(By.CSS_SELECTOR, selector)
        )

    until(shown, f"{text!r} in {selector}")


def state(page: Chrome, asset: str) -> str | None:
    """What the graph shows of an asset."""
    return find(page, f'.node[data-id="asset:{asset}"]').get_attribute("data-state")


def shop() -> Pipeline:
    """Two feeds: one launches two assets, one an asset that fails and blocks another."""
    pipeline = Pipeline("shop", owner="data@shop.example")
    orders, news = Feed("orders"), Feed("news")

    @pipeline.asset(on=orders)
    async def raw_orders(event: Any, context: Any) -> dict[str, str]:
        """Orders as they came."""
        context.progress(1, of=2, text="half way")
        return {"path": f"lake/{event.subject}"}

    @pipeline.asset
    async def revenue(raw_orders: Any) -> str:
        return "lake/revenue.parquet"

    @pipeline.asset(on=news, retry=Retry(1, backoff="0.1s"))
    async def broken() -> None:
        raise ZeroDivisionError("division by zero")

    @pipeline.asset
    async def report(broken: Any) -> None:
        return None

    return pipeline


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Served]:
    with served(shop(), tmp_path) as running_service:
        yield running_service


def test_the_page_lights_up_as_an_event_runs_through(service: Served, page: Chrome) -> None:
    page.get(service.url)
    shows(page, "#link", "live")
    until(lambda: page.title == "shop · reactor", "the title")
    assert len(page.find_elements(By.CSS_SELECTOR, ".node.asset")) == 4
    assert len(page.find_elements(By.CSS_SELECTOR, ".node.sensor")) == 2
    assert state(page, "raw_orders") == "never"

    service.emit("orders", {}, "o-1", subject="monday.csv")
    shows(page, "section[aria-label=Runs]", "raw_orders because orders saw monday.csv")
    shows(page, "section[aria-label=Events]", "orders monday.csv")
    until(lambda: state(page, "revenue") == "materialized", "revenue is materialized")
    assert state(page, "raw_orders") == "materialized"
    assert state(page, "broken") == "never"


def test_a_run_says_why_it_ran_and_what_became_of_it(service: Served, page: Chrome) -> None:
    page.get(service.url)
    shows(page, "#link", "live")
    service.emit("orders", {}, "o-1", subject="monday.csv")
    click(page, "section[aria-label=Runs] a.row")
    shows(page, ".why", "raw_orders because orders saw monday.csv.")
    shows(page, ".why", "From that follows: revenue because raw_orders changes.")
    shows(page, ".detail .state", "succeeded")
    assert page.current_url.endswith("#/runs/1")
    names = [one.text for one in page.find_elements(By.CSS_SELECTOR, ".steps .asset")]
    assert names == ["raw_orders", "revenue"]
    click(page, ".steps summary")
    shows(page, ".inside", "attempt 1: succeeded")
    shows(page, ".inside pre", "progress 1 of 2 half way")
    near = [
        node.get_attribute("data-id") for node in page.find_elements(By.CSS_SELECTOR, ".node.near")
    ]
    assert sorted(str(id) for id in near) == ["asset:raw_orders", "asset:revenue"]


def test_a_failure_is_seen_with_its_error_and_what_it_blocks(service: Served, page: Chrome) -> None:
    page.get(service.url)
    shows(page, "#link", "live")
    service.emit("news", {}, "n-1")
    until(lambda: state(page, "broken") == "failed", "broken failed")
    until(lambda: state(page, "report") == "blocked", "report is blocked")
    shows(page, ".problem", "broken failed after 2 attempts; 1 asset waits for it")
    shows(page, "#failing", "1")
    page.get(f"{service.url}/#/runs/1")
    shows(page, ".detail .state", "failed")
    shows(page, ".steps", "2 attempts")
    click(page, ".steps summary")
    shows(page, ".inside pre.error", "ZeroDivisionError: division by zero")


def test_an_asset_shows_its_last_state_and_can_be_launched(service: Served, page: Chrome) -> None:
    page.get(f"{service.url}/#/assets/raw_orders")
    shows(page, ".detail h1", "raw_orders")
    shows(page, ".detail", "Orders as they came.")
    shows(page, ".detail .facts", "revenue")
    service.emit("orders", {}, "o-1", subject="monday.csv")
    shows(page, ".detail pre", "lake/monday.csv")
    shows(page, ".detail .state", "materialized")
    page.get(f"{service.url}/#/assets/revenue")
    shows(page, ".detail h1", "revenue")
    click(page, ".detail .action")
    shows(page, ".detail section", "launched by hand")


def test_what_is_out_of_date_is_told_and_brought_up_to_date(tmp_path: Path, page: Chrome) -> None:
    pipeline = Pipeline("shop")

    @pipeline.asset
    async def prices() -> None: ...

    @pipeline.asset
    async def catalogue(prices: Any) -> None: ...

    with served(pipeline, tmp_path) as service:
        service.post("/api/materialize", {"assets": ["prices"]})
        page.get(service.url)
        until(lambda: state(page, "catalogue") == "materialized", "all is made")
        service.post("/api/materialize", {"assets": ["prices"], "downstream": False})
        page.get(f"{service.url}/#/assets/catalogue")

        def told() -> bool:
            page.refresh()
            return bool(find(page, ".detail h1")) and bool(
                page.find_elements(By.CSS_SELECTOR, ".detail .stale")
            )

        until(told, "it is told that the catalogue is out of date")
        shows(page, ".detail .stale", "prices changed after it (step ")
        click(page, ".detail .action")
        until(lambda: not page.find_elements(By.CSS_SELECTOR, ".detail .stale"), "it is up to date")
        shows(page, ".detail", "launched by hand")


def test_links_from_outside_lead_to_the_thing_itself(service: Served, page: Chrome) -> None:
    service.emit("orders", {"amount": 7}, "o-1", subject="monday.csv")
    for place, text in {
        "sensors/orders": "feed sensor",
        "rules/raw_orders": "launches",
        "events/1": '"amount": 7',
        "assets/nothing": "there is no asset nothing",
        "runs/77": "there is no run 77",
        "deadletters": "Dead letters",
        "%E0%A4%A": "Runs",
    }.items():
        page.get("about:blank")
        page.get(f"{service.url}/#/{place}")
        shows(page, "#panel", text)


def test_the_graph_is_walked_with_the_keyboard(service: Served, page: Chrome) -> None:
    page.get(service.url)
    shows(page, "#link", "live")
    find(page, '.node[tabindex="0"]')

    def focused() -> str:
        script = "return document.activeElement.dataset.id ?? ''"
        return str(page.execute_script(script))

    page.execute_script("""document.querySelector('.node[tabindex="0"]').focus()""")
    assert focused() == "sensor:orders"
    for key, expected in (
        (Keys.ARROW_RIGHT, "rule:raw_orders"),
        (Keys.ARROW_RIGHT, "asset:raw_orders"),
        (Keys.ARROW_RIGHT, "asset:revenue"),
        (Keys.ARROW_LEFT, "asset:raw_orders"),
    ):
        page.switch_to.active_element.send_keys(key)
        assert focused() == expected
    page.switch_to.active_element.send_keys(Keys.ENTER)
    shows(page, ".detail h1", "raw_orders")
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    shows(page, "#panel", "Events")
    page.find_element(By.TAG_NAME, "body").send_keys("/")
    page.switch_to.active_element.send_keys("rev", Keys.ENTER)
    shows(page, ".detail h1", "revenue")


def test_a_lost_connection_is_said_and_found_again(tmp_path: Path, page: Chrome) -> None:
    port = free_port()
    with served(shop(), tmp_path, port=port) as service:
        page.get(service.url)
        shows(page, "#link", "live")
    shows(page, "#link", "connection lost, trying again")
    with served(shop(), tmp_path, port=port) as service:
        service.emit("orders", {}, "o-1", subject="while away")
        shows(page, "#link", "live")
        shows(page, "section[aria-label=Runs]", "raw_orders because orders saw while away")
        until(lambda: state(page, "revenue") == "materialized", "revenue is materialized")


def test_a_token_is_asked_for_once(tmp_path: Path, page: Chrome) -> None:
    with served(shop(), tmp_path, token="open sesame") as service:
        page.get(service.url)
        field = until(lambda: page.find_element(By.ID, "token").is_displayed(), "the dialog")
        field = page.find_element(By.ID, "token")
        field.send_keys("wrong", Keys.ENTER)
        shows(page, "#ask-error", "That token is not right.")
        field.send_keys("open sesame", Keys.ENTER)
        shows(page, "#link", "live")
        page.refresh()
        shows(page, "#link", "live")


def test_hostile_names_and_payloads_are_only_shown(tmp_path: Path, page: Chrome) -> None:
    pipeline = Pipeline(HOSTILE)
    feed = Feed(f"feed {HOSTILE}")

    @pipeline.asset(on=feed, name=f"asset {HOSTILE}", owner=HOSTILE)
    async def hostile() -> dict[str, str]:
        raise ValueError(HOSTILE)

    hostile.function.__doc__ = HOSTILE
    with served(pipeline, tmp_path) as service:
        page.get(service.url)
        shows(page, "#link", "live")
        service.emit(feed.name, {HOSTILE: "javascript:alert(1)"}, HOSTILE, subject=HOSTILE)
        shows(page, "section[aria-label=Events]", HOSTILE)
        shows(page, ".problem", HOSTILE)
        click(page, ".node.asset")
        shows(page, ".detail h1", HOSTILE)
        for place in ("runs/1", "events/1"):
            page.get(f"{service.url}/#/{place}")
            shows(page, "#panel", HOSTILE)
        assert page.execute_script("return window.hacked") is None
        added = page.execute_script(
            "return document.querySelectorAll('img, main script, [onerror]').length"
        )
        assert added == 0
        leads = page.execute_script(
            "return [...document.links].every((link) => link.href.startsWith(location.origin))"
        )
        assert leads


def test_a_large_pipeline_is_laid_out_and_searched(tmp_path: Path, page: Chrome) -> None:
    pipeline = Pipeline("large")
    feeds = [Feed(f"feed_{n}") for n in range(10)]

    async def work(**inputs: Any) -> str:
        return "done"

    for number in range(150):
        upstream = f"asset_{number - 30}, asset_{max(0, number - 37)}" if number >= 37 else ""
        scope: dict[str, Any] = {"work": work}
        exec(f"async def asset_{number}({upstream}): return await work()", scope)
        options: dict[str, Any] = {} if upstream else {"on": feeds[number % 10]}
        pipeline.asset(**options)(scope[f"asset_{number}"])
    with served(pipeline, tmp_path) as service:
        page.get(service.url)
        shows(page, "#link", "live")
        until(lambda: len(page.find_elements(By.CSS_SELECTOR, ".node.asset")) == 150, "all assets")
        inside = page.execute_script(
            """
            const frame = document.getElementById("graph").getBoundingClientRect();
            return [...document.querySelectorAll(".node")].every((node) => {
              const box = node.querySelector(".box").getBoundingClientRect();
              return box.left >= frame.left && box.right <= frame.right
                && box.top >= frame.top && box.bottom <= frame.bottom;
            });
            """
        )
        assert inside
        find(page, "#find").send_keys("asset_149", Keys.ENTER)
        shows(page, ".detail h1", "asset_149")
        for feed in feeds:
            service.emit(feed.name, {}, "1")
        good = ("materialized", "unchanged")
        until(lambda: state(page, "asset_147") in good, "what follows is up to date")


def test_a_pipeline_without_assets_is_no_error(tmp_path: Path, page: Chrome) -> None:
    with served(Pipeline("empty"), tmp_path) as service:
        page.get(service.url)
        shows(page, "#link", "live")
        shows(page, "#empty", "This pipeline has no assets yet.")


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_sticks_out_on_a_small_screen(service: Served, page: Chrome, width: int) -> None:
    service.emit("orders", {}, "o-1", subject="a/long/path/" + "x" * 200)
    service.emit("news", {}, "n-1")
    size = {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": width < 1000}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    for place in ("", "#/runs/1", "#/assets/broken", "#/events/1"):
        page.get(f"{service.url}/{place}")
        shows(page, "#link", "") if width < 460 else shows(page, "#link", "live")
        find(page, "#panel h1, #panel h2")
        assert page.execute_script("return document.documentElement.scrollWidth") <= width, place


def test_light_and_dark_follow_the_system(service: Served, page: Chrome) -> None:
    def brightness(scheme: str) -> int:
        feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
        page.get(service.url)
        colour = page.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
        return sum(int(part) for part in colour.split("(")[1].split(")")[0].split(",")[:3])

    assert brightness("light") > 600
    assert brightness("dark") < 150


def fated() -> Pipeline:
    """Orders that launch one asset, big ones another, and a rule that only observes."""
    pipeline = Pipeline("fated", owner="data@shop.example")
    orders = Feed("orders")

    @pipeline.asset
    async def ledger() -> None: ...

    @pipeline.asset
    async def alarm() -> None: ...

    pipeline.rule(orders, ledger, name="daily")
    pipeline.rule(orders.where(field.amount > 1_000), alarm, name="big")
    pipeline.rule(orders.debounce("1h", "2h"), alarm, name="calm")
    pipeline.rule(orders.where(field.amount < 1_000), alarm, name="shadow", observe=True)
    return pipeline


def test_an_event_shows_what_became_of_it_for_each_rule(tmp_path: Path, page: Chrome) -> None:
    with served(fated(), tmp_path) as service:
        page.get(service.url)
        shows(page, "#link", "live")
        service.emit("orders", {"amount": 3}, "o-1", subject="small")
        shows(page, "section[aria-label=Events] .became", "ran")

        click(page, "section[aria-label=Events] a.row")
        shows(page, ".fates", "daily launched ledger in run 1, which succeeded")
        shows(page, ".fates", "big did not let it in: field.amount > 1000 is false: it is 3")
        shows(page, ".fates", "calm keeps it, debounced, until")
        shows(page, ".fates", "shadow came true and only observes: it would have launched alarm")
        words = [one.text for one in page.find_elements(By.CSS_SELECTOR, ".fates .became")]
        assert words == ["ran", "debounced", "observed", "filtered"]
        click(page, '.fates a[href="#/runs/1"]')
        shows(page, ".detail h1", "Run 1")


def test_a_rule_that_only_observes_shows_what_it_would_have_launched(
    tmp_path: Path, page: Chrome
) -> None:
    with served(fated(), tmp_path) as service:
        page.get(f"{service.url}/#/rules/shadow")
        shows(page, "section[aria-label=Firings]", "It has not fired yet.")
        service.emit("orders", {"amount": 3}, "o-1", subject="small")

        shows(page, "section[aria-label=Firings]", "would have launched alarm")
        shows(page, ".detail .facts", "would launch")
        click(page, "section[aria-label=Firings] a.row")
        shows(page, ".detail h1", "small")
