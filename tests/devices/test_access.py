import pytest
from django.contrib.auth.models import AnonymousUser

from devices.access import Viewer
from devices.models import Rejection
from hub.accounts.models import User

pytestmark = pytest.mark.django_db


def test_who_is_signed_in_sees_and_changes_everything(user, device):
    Rejection.objects.create(
        uid="x", device_type="x", reason="x", window_ms=1, payload=b"", first_ms=1, last_ms=1
    )
    viewer = Viewer(user)
    assert viewer.device_types().count() == viewer.devices().count() == viewer.rejections().count() == 1
    assert viewer.sees_type("thermostat")
    assert not viewer.sees_type("nothing")
    assert viewer.may_change


@pytest.mark.parametrize("nobody", [AnonymousUser(), User(username="off", is_active=False)])
def test_who_is_nobody_or_switched_off_sees_and_changes_nothing(nobody, device):
    viewer = Viewer(nobody)
    assert not viewer.device_types().exists()
    assert not viewer.devices().exists()
    assert not viewer.rejections().exists()
    assert not viewer.sees_type("thermostat")
    assert not viewer.may_change


def test_who_may_only_look_is_refused_every_change(api, device, monkeypatch):
    monkeypatch.setattr(Viewer, "may_change", False)
    assert api.get("devices/t1/").status_code == 200
    for method, path in [
        ("POST", "devices/"),
        ("PUT", "devices/t1/"),
        ("DELETE", "device-types/thermostat/"),
    ]:
        assert api.send(method, path).status_code == 403
    assert api.post("devices/t1/token/").status_code == 403


def test_what_a_viewer_does_not_see_is_not_there(api, device, monkeypatch):
    everything = Viewer.devices
    monkeypatch.setattr(Viewer, "devices", lambda viewer: everything(viewer).none())
    for path in ("", "latest/", "readings/", "ledger/"):
        assert api.get(f"devices/t1/{path}").status_code == 404
    assert api.post("devices/t1/token/").status_code == 404
    assert api.get("devices/").json()["count"] == 0


def test_a_type_that_a_viewer_does_not_see_takes_no_device(api, thermostat, monkeypatch):
    monkeypatch.setattr(Viewer, "sees_type", lambda viewer, slug: False)
    assert api.post("devices/", {"id": "t1", "device_type": "thermostat"}).status_code == 400
