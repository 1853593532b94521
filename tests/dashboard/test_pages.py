"""The pages as a browser gets them: who may see them, and what is in them before any script runs."""

import html
import json
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.urls import reverse

from devices import registry
from hub.accounts.models import User

STATIC = Path(__file__).parents[2] / "dashboard" / "static" / "dashboard"
TEMPLATES = Path(__file__).parents[2] / "dashboard" / "templates" / "dashboard"
PAGES = ("/", "/types/thermostat/", "/devices/t-1/", "/rejected/")


@pytest.fixture
def signed_in(client, db):
    client.force_login(User.objects.create_user("ada"))
    return client


@pytest.fixture
def thermostat(db):
    metrics: list[registry.MetricFields] = [
        {"key": "temperature", "name": "Temperature", "unit": "°C"},
        {"key": "mode", "kind": "text"},
    ]
    kind = registry.create_device_type("thermostat", name="Thermostats", metrics=metrics)
    registry.create_device("t-1", "thermostat", name="Living room", labels={"site": "north"})
    return kind


def text_of(response):
    assert response.status_code == 200
    return response.content.decode()


def data_of(page, name):
    """What `json_script` put into a page."""
    found = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_is_sent_to_the_sign_in_page(client, thermostat, path):
    response = client.get(path)
    assert response.status_code == 302
    assert response.headers["Location"] == f"/accounts/login/?next={path}"


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_one_main_heading_and_the_state_of_the_link(signed_in, thermostat, path):
    page = text_of(signed_in.get(path))
    assert page.count("<h1") == 1
    assert page.count("<main") == 1
    assert 'id="link-state"' in page


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_a_script_or_a_style_of_its_own(signed_in, thermostat, path):
    response = signed_in.get(path)
    page = text_of(response)
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    scripts = re.findall(r"<script(.*?)>", page)
    assert all("src=" in script or 'type="application/json"' in script for script in scripts)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page)


@pytest.mark.parametrize("path", [*PAGES, "/accounts/login/"])
def test_everything_that_a_page_names_is_there(client, signed_in, thermostat, path):
    if path == "/accounts/login/":
        signed_in.logout()
    page = text_of(client.get(path))
    named = re.findall(r'(?:src|href|data-live)="/static/([^"]+)"', page)
    assert named
    assert [name for name in named if finders.find(name) is None] == []


def test_everything_that_a_module_imports_is_there():
    for module in STATIC.rglob("*.js"):
        for name in re.findall(r'^(?:import|export) .*?from "(.*?)";', module.read_text(), re.M | re.S):
            if name.startswith("/static/"):
                assert finders.find(name.removeprefix("/static/")), name
            else:
                assert (module.parent / name).is_file(), f"{module.name} imports {name}"


def test_only_one_module_knows_uplot():
    knowing = [path.name for path in STATIC.rglob("*.js") if "uPlot.esm.js" in path.read_text()]
    assert knowing == ["chart.js"]


def test_no_module_writes_markup_or_evaluates_text():
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")
    assert [path.name for path in STATIC.rglob("*.js") if forbidden.search(path.read_text())] == []


def test_every_colour_stands_in_the_tokens():
    literal = re.compile(r"#[0-9a-f]{3,8}\b|rgba?\(", re.I)
    styles = [path for path in STATIC.glob("*.css") if path.name != "tokens.css"]
    assert styles
    assert [path.name for path in styles if literal.search(path.read_text())] == []


def test_every_shape_that_is_used_is_in_the_sprite():
    sprite = set(re.findall(r'symbol id="i-([a-z]+)"', (TEMPLATES / "icons.html").read_text()))
    used = set(re.findall(r'"#i-([a-z]+)"', "".join(path.read_text() for path in TEMPLATES.glob("*.html"))))
    scripts = "".join(path.read_text() for path in STATIC.rglob("*.js"))
    used |= set(re.findall(r'icon\("([a-z]+)"\)', scripts)) | set(re.findall(r'icon: "([a-z]+)"', scripts))
    assert used | {"online", "silent", "offline", "never", "disabled"} <= sprite


def test_the_overview_has_a_tile_a_type(signed_in, thermostat):
    page = text_of(signed_in.get("/"))
    assert 'data-slug="thermostat"' in page
    assert 'href="/types/thermostat/"' in page
    assert "1 device<" in page
    assert re.search(r'id="empty"[^>]* hidden', page)


def test_an_empty_hub_leads_to_the_first_device_with_its_real_addresses(signed_in, settings):
    settings.HUB_PUBLIC_URL = "https://hub.example.org"
    settings.HUB_PUBLIC_MQTT_URL = "mqtts://mqtt.example.org:8884"
    page = html.unescape(text_of(signed_in.get("/")))
    assert "Register your first device" in page
    assert not re.search(r'id="empty"[^>]* hidden', page)
    assert "curl https://hub.example.org/api/v1/devices/" in page
    assert '"username": "ada"' in page
    assert "mosquitto_pub -h mqtt.example.org -p 8884 --tls-use-os-certs" in page
    assert "-t devices/thermostat/living-room/telemetry" in page


def test_the_page_of_a_type_brings_its_metrics(signed_in, thermostat):
    page = text_of(signed_in.get("/types/thermostat/"))
    shape = data_of(page, "device-type")
    assert shape["slug"] == "thermostat"
    assert [metric["key"] for metric in shape["metrics"]] == ["temperature", "mode"]
    assert '<h1 id="type-name">Thermostats</h1>' in page


def test_the_page_of_a_device_has_a_chart_for_each_metric_that_is_a_number(signed_in, thermostat):
    page = text_of(signed_in.get("/devices/t-1/"))
    assert re.findall(r'data-metric="(\w+)"', page) == ["temperature"]
    assert data_of(page, "device")["labels"] == {"site": "north"}
    assert "site: north" in page


@pytest.mark.parametrize("path", ["/types/nothing/", "/devices/nobody/"])
def test_what_one_does_not_see_is_not_there(signed_in, thermostat, path):
    assert signed_in.get(path).status_code == 404


def test_an_id_is_case_sensitive(signed_in, thermostat):
    assert signed_in.get("/devices/T-1/").status_code == 404


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_read_only(signed_in, thermostat, path):
    assert signed_in.post(path).status_code == 405


def test_a_name_is_text_also_inside_the_page_data(signed_in):
    registry.create_device_type("sly", name="</script><script>alert(1)</script>")
    registry.create_device("sly-1", "sly", name="<img src=x onerror=alert(1)>")
    for path in ("/", "/types/sly/", "/devices/sly-1/"):
        page = text_of(signed_in.get(path))
        assert "<script>alert" not in page
        assert "<img" not in page


def test_the_sign_in_page_is_friendly_to_password_managers(client, db):
    page = text_of(client.get("/accounts/login/?next=/rejected/"))
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page
    assert 'name="next" value="/rejected/"' in page


def test_signing_in_leads_to_what_was_asked_for(client, db):
    User.objects.create_user("bob", password="right horse")
    answer = client.post(
        "/accounts/login/", {"username": "bob", "password": "right horse", "next": "/rejected/"}
    )
    assert answer.headers["Location"] == "/rejected/"


def test_signing_in_leads_to_no_other_site(client, db):
    User.objects.create_user("bob", password="right horse")
    form = {"username": "bob", "password": "right horse", "next": "https://elsewhere.example/"}
    assert client.post("/accounts/login/", form).headers["Location"] == "/"


def test_a_wrong_password_keeps_the_name_and_says_so(client, db):
    User.objects.create_user("bob", password="right horse")
    page = text_of(client.post("/accounts/login/", {"username": "bob", "password": "wrong"}))
    assert 'role="alert"' in page
    assert 'value="bob"' in page
    assert "wrong" not in page


def test_signing_out_takes_a_form_and_not_a_link(signed_in):
    assert signed_in.get(reverse("logout")).status_code == 405
    assert signed_in.post(reverse("logout")).headers["Location"] == "/accounts/login/"
    assert signed_in.get("/").status_code == 302


def test_the_old_name_of_the_icon_leads_to_it(client):
    answer = client.get("/favicon.ico")
    assert answer.status_code == 302
    assert finders.find(answer.headers["Location"].removeprefix("/static/"))
