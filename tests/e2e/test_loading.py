"""What pages load: every page whole, compressed, named by content and small; the console clean."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Response, expect

from tests.e2e.conftest import RunningHub, sign_in

FIRST_PAGE_MAX_BYTES = 120_000
COMPRESSED = ("script", "stylesheet")
METRICS = [{"key": "level", "kind": "number", "unit": "m"}]
PAGES = {
    "/": "Overview",
    "/types/basin/": "Basin",
    "/devices/basin-1/": "North basin",
    "/rejected/": "Rejected",
    "/admin/": "Site administration",
}


@pytest.fixture(scope="module", autouse=True)
def basin(hub: RunningHub) -> Iterator[None]:
    hub.rest("POST", "device-types/", {"slug": "basin", "name": "Basin", "metrics": METRICS})
    hub.rest("POST", "devices/", {"id": "basin-1", "device_type": "basin", "name": "North basin"})
    yield
    hub.rest("DELETE", "devices/basin-1/")
    hub.rest("DELETE", "device-types/basin/")


def static_responses(page: Page) -> list[Response]:
    """Filled with what the page loads from /static/ from now on."""
    loaded: list[Response] = []
    page.on("response", lambda answer: loaded.append(answer) if "/static/" in answer.url else None)
    return loaded


def check_kept_for_ever(answer: Response) -> None:
    """The name bears the content's hash, so no browser needs to ask again."""
    headers = answer.all_headers()
    assert "immutable" in headers["cache-control"], f"{answer.url}: {headers['cache-control']}"
    if answer.request.resource_type in COMPRESSED:
        assert headers.get("content-encoding") == "gzip", f"{answer.url} came uncompressed"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_comes_whole_and_what_it_loads_is_compressed_and_kept(
    page: Page, hub: RunningHub, path: str
) -> None:
    loaded = static_responses(page)
    page.goto(f"{hub.url}{path}")
    expect(page.get_by_role("heading", name=PAGES[path], exact=True)).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert loaded
    for answer in loaded:
        check_kept_for_ever(answer)


def test_the_page_of_the_api_loads_its_own_files_too(page: Page, hub: RunningHub) -> None:
    loaded = static_responses(page)
    page.goto(f"{hub.url}/api/docs/")
    expect(page.get_by_role("heading", name="Telemetry Hub")).to_be_visible()
    assert loaded
    for answer in loaded:
        check_kept_for_ever(answer)


@pytest.mark.parametrize("path", ["/", "/types/basin/", "/devices/basin-1/"])
def test_a_first_visit_loads_little(
    new_page: Callable[[], Page], hub: RunningHub, path: str, record_property: Callable[[str, object], None]
) -> None:
    page = new_page()
    sign_in(page, hub)
    page.get_by_role("heading", name="Overview").wait_for()
    cookies = page.context.cookies()
    first = new_page()
    first.context.add_cookies([{**cookie} for cookie in cookies])  # type: ignore[typeddict-item]
    loaded = static_responses(first)
    first.goto(f"{hub.url}{path}")
    expect(first.get_by_text("Live", exact=True)).to_be_visible()
    ours = [answer for answer in loaded if answer.request.resource_type in COMPRESSED]
    num_bytes = sum(answer.request.sizes()["responseBodySize"] for answer in ours)
    record_property("bytes", num_bytes)
    assert len(ours) > 5
    assert num_bytes <= FIRST_PAGE_MAX_BYTES, f"{len(ours)} files of JavaScript and CSS: {num_bytes} bytes"
