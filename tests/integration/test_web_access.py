"""Who is let in, how much they may send, and what a browser may do with the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from reactor.core.errors import SettingsError
from reactor.pipeline import Pipeline
from reactor.web.service import WebSettings
from tests.integration.web_service import Feed, Running, running

pytestmark = pytest.mark.anyio

TOKEN = "a-token-of-the-test"
LIMIT = 64 * 1024


def pipeline() -> Pipeline:
    made = Pipeline("shop")

    @made.asset(on=Feed("news"))
    async def page() -> None:
        return None

    return made


@pytest.fixture(scope="module")
async def open_web(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    folder = tmp_path_factory.mktemp("open")
    async with running(pipeline(), folder, body_limit=LIMIT) as served:
        yield served


@pytest.fixture(scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    folder = tmp_path_factory.mktemp("guarded")
    async with running(pipeline(), folder, token=TOKEN) as served:
        yield served


@pytest.mark.parametrize(
    "sent",
    [None, "Bearer wrong", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer caf\xe9"],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/graph"), ("GET", "/api/stream"), ("POST", "/api/events"), ("GET", "/api/none")],
)
async def test_the_api_wants_the_token(
    guarded: Running, method: str, path: str, sent: str | None
) -> None:
    headers = [(b"authorization", sent.encode("latin-1"))] if sent is not None else []
    async with httpx.AsyncClient(base_url=guarded.url) as http:
        answer = await http.request(method, path, headers=headers, content=b"{")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text


async def test_the_token_opens_the_api(guarded: Running) -> None:
    assert (await guarded.http.get("/api/graph")).status_code == 200
    document = (await guarded.http.get("/openapi.json")).json()
    assert document["paths"]["/api/graph"]["get"]["security"]


@pytest.mark.parametrize("path", ["/", "/static/js/main.js", "/metrics", "/healthz", "/readyz"])
async def test_the_page_metrics_and_health_want_no_token(guarded: Running, path: str) -> None:
    async with httpx.AsyncClient(base_url=guarded.url) as http:
        assert (await http.get(path)).status_code == 200


async def test_another_name_for_this_machine_is_not_served(open_web: Running) -> None:
    """A page of evil.example whose name was turned to 127.0.0.1 sends its own name as Host."""
    port = urlsplit(open_web.url).port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", ""):
        answer = await open_web.http.get("/api/graph", headers={"Host": host})
        assert answer.status_code in (400, 421), host
    for host in ("localhost", f"LOCALHOST:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"):
        answer = await open_web.http.get("/api/graph", headers={"Host": host})
        assert answer.status_code == 200, host


async def test_a_page_of_another_site_cannot_post(open_web: Running) -> None:
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        answer = await open_web.http.post(
            "/api/materialize", headers={**headers, "Content-Type": "text/plain"}, content=b"{}"
        )
        assert answer.status_code == 403, headers
    own = {"Origin": open_web.url, "Sec-Fetch-Site": "same-origin"}
    answer = await open_web.http.post("/api/materialize", headers=own, json={"assets": ["page"]})
    assert answer.status_code == 202


async def test_a_body_that_says_it_is_too_long_is_not_read(open_web: Running) -> None:
    answer = await open_web.http.post("/api/events", content=b"x" * 50_000_000)
    assert answer.status_code == 413
    assert answer.json()["error"] == f"the body is longer than {LIMIT:,} bytes"


async def test_a_body_that_does_not_say_so_is_cut_off(open_web: Running) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * LIMIT

    for path in ("/api/events", "/api/materialize"):
        answer = await open_web.http.post(
            path, content=endless(), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 413, path


@pytest.mark.parametrize("path", ["/", "/static/js/main.js", "/api/graph", "/api/none", "/metrics"])
async def test_every_answer_forbids_what_is_not_ours(open_web: Running, path: str) -> None:
    headers = (await open_web.http.get(path)).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


async def test_what_the_api_says_is_not_kept(open_web: Running) -> None:
    assert (await open_web.http.get("/api/graph")).headers["cache-control"] == "no-store"


async def test_the_page_loads_nothing_from_elsewhere(open_web: Running) -> None:
    text = (await open_web.http.get("/")).text
    assert "//" not in text.replace("</", "").replace("http://www.w3.org", "")
    assert "style=" not in text
    assert "<script>" not in text


async def test_a_file_of_the_page_is_sent_once(open_web: Running) -> None:
    first = await open_web.http.get("/static/vendor/dagre/dagre.esm.js")
    again = await open_web.http.get(
        "/static/vendor/dagre/dagre.esm.js", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


def test_beyond_this_machine_a_token_is_needed() -> None:
    for host in ("0.0.0.0", "::", "10.1.2.3", "shop.example"):
        with pytest.raises(SettingsError, match="would let anyone in"):
            WebSettings(host=host)
        assert WebSettings(host=host, token=TOKEN).local is False
    for host in ("127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"):
        assert WebSettings(host=host).local


async def test_a_service_beyond_this_machine_is_served_under_any_name(tmp_path: Path) -> None:
    async with running(pipeline(), tmp_path, token=TOKEN, host="0.0.0.0") as web:
        answer = await web.http.get("/api/graph", headers={"Host": "shop.example"})
        assert answer.status_code == 200
