"""A headless Chromium, driven through Debian's chromedriver."""

import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tests.servers.errors import ServerMissing
from tests.servers.reaper import reaper

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

PACKAGES = ("chromium", "chromium-driver")


class Browser:
    """Opens headless browsers; closes those that a test left open.

    Raises:
        ServerMissing: Chromium or its driver is not installed.
    """

    def __init__(self) -> None:
        chromium, driver = _chromium(), shutil.which("chromedriver")
        if chromium is None or driver is None:
            raise ServerMissing("Chromium", PACKAGES)
        self._chromium = chromium
        self._driver = driver
        self._open: list[Chrome] = []

    def __call__(
        self,
        *,
        width: int = 1280,
        height: int = 800,
        capabilities: Mapping[str, object] | None = None,
    ) -> "Chrome":
        """A new browser with an empty profile; `with browser() as page:` closes it again.

        Args:
            width, height: the window's, in CSS pixels.
            capabilities: more of them, such as `{"goog:loggingPrefs": {"browser": "ALL"}}`.
        """
        from selenium.webdriver import Chrome, ChromeOptions, ChromeService

        options = ChromeOptions()
        options.binary_location = self._chromium
        # Root and containers may have no sandbox to give; it opens only pages of ours.
        for argument in (
            "--headless=new",
            "--no-sandbox",
            f"--window-size={width},{height}",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--no-first-run",
        ):
            options.add_argument(argument)
        for name, value in (capabilities or {}).items():
            options.set_capability(name, value)
        service = ChromeService(self._driver, popen_kw={"start_new_session": True})
        driver = Chrome(options, service)
        reaper.watch("group", service.process.pid)
        self._open.append(driver)
        return driver

    def close(self) -> None:
        """Close every browser that is still open."""
        for driver in self._open:
            driver.quit()
        self._open.clear()


def installed() -> bool:
    """Whether both the browser and its driver are here."""
    return _chromium() is not None and shutil.which("chromedriver") is not None


def _chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)
