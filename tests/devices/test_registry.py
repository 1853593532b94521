import pytest
from django.core.exceptions import ValidationError

from devices import registry
from devices.models import Device, DeviceState, DeviceType, Metric, Tombstone
from devices.registry import RegistryConflictError
from hub.limits.telemetry import MAX_METRICS_PER_TYPE

pytestmark = pytest.mark.django_db


def keys(device_type: DeviceType) -> list[str]:
    return list(device_type.metrics.values_list("key", flat=True))


def fresh(row):
    return type(row).objects.get(pk=row.pk)


def test_the_version_is_zero_before_the_first_change():
    assert registry.current_version() == 0


def test_every_change_takes_the_next_version_and_stamps_it_on_what_changed(thermostat, device):
    assert (thermostat.version, device.version) == (1, 2)
    assert registry.update_device(device, name="New").version == 3
    assert registry.update_device_type("thermostat", description="New").version == 4
    assert fresh(device).version == 3
    assert registry.current_version() == 4


def test_a_change_that_changes_nothing_leaves_the_version(thermostat, device):
    before = registry.current_version()
    registry.update_device(device, name="First", labels={"site": "north"}, device_type="thermostat")
    registry.update_device_type(
        "thermostat",
        name="Thermostat",
        metrics=[
            {"key": "temperature", "unit": "°C", "minimum": -40.0, "maximum": 85.0},
            {"key": "door", "kind": "boolean"},
            {"key": "mode", "kind": "text"},
        ],
    )
    assert registry.current_version() == before


def test_a_refused_change_leaves_the_version(thermostat, device):
    before = registry.current_version()
    with pytest.raises(RegistryConflictError):
        registry.create_device("t1", "thermostat")
    with pytest.raises(RegistryConflictError):
        registry.delete_device_type("thermostat")
    assert registry.current_version() == before


def test_a_type_without_a_name_is_named_by_its_slug():
    assert registry.create_device_type("pump").name == "pump"


def test_a_slug_that_is_taken_is_a_conflict_that_names_the_field(thermostat):
    with pytest.raises(RegistryConflictError) as caught:
        registry.create_device_type("thermostat")
    assert (caught.value.code, caught.value.attr) == ("already_exists", "slug")


def test_metrics_keep_the_order_in_which_they_were_given(thermostat, history):
    assert keys(thermostat) == ["temperature", "door", "mode"]
    registry.update_device_type(
        "thermostat", metrics=[{"key": "mode", "kind": "text"}, {"key": "humidity"}, {"key": "temperature"}]
    )
    assert keys(thermostat) == ["mode", "humidity", "temperature"]


def test_a_metric_that_stays_keeps_its_row(thermostat, history):
    before = thermostat.metrics.get(key="temperature").pk
    registry.update_device_type("thermostat", metrics=[{"key": "temperature", "unit": "K"}])
    kept = thermostat.metrics.get()
    assert (kept.pk, kept.unit, kept.minimum) == (before, "K", None)


@pytest.mark.parametrize(
    "metrics",
    [
        pytest.param([{"key": "door", "kind": "boolean"}], id="removed"),
        pytest.param([{"key": "temperature", "kind": "text"}], id="another kind"),
    ],
)
def test_a_metric_with_readings_neither_goes_nor_changes_its_kind(device, store, metrics):
    store(device, {"temperature": 21.5})
    with pytest.raises(RegistryConflictError) as caught:
        registry.update_device_type("thermostat", metrics=metrics)
    assert (caught.value.code, caught.value.attr) == ("metric_has_data", "metrics")
    assert "temperature" in caught.value.detail
    assert keys(device.device_type) == ["temperature", "door", "mode"]


def test_a_metric_that_no_device_ever_sent_can_go(device, store):
    store(device, {"temperature": 21.5})
    registry.update_device_type("thermostat", metrics=[{"key": "temperature"}])
    assert keys(device.device_type) == ["temperature"]


@pytest.mark.parametrize("key", ["ts", "seq", "values", "1st", "a-b", ""])
def test_a_metric_key_with_another_meaning_or_grammar_is_never_written(key):
    with pytest.raises(ValidationError):
        registry.create_device_type("pump", metrics=[{"key": key}])
    assert not DeviceType.objects.exists()


def test_a_type_with_devices_stays_until_they_are_gone(device):
    with pytest.raises(RegistryConflictError) as caught:
        registry.delete_device_type("thermostat")
    assert caught.value.code == "has_devices"
    assert "1 device;" in caught.value.detail
    registry.delete_device(device)
    registry.delete_device_type("thermostat")
    assert not Metric.objects.exists()


def test_a_learnt_metric_is_added_once_at_the_end(thermostat):
    learnt = registry.learn_metric("thermostat", "humidity", "number")
    again = registry.learn_metric("thermostat", "humidity", "text")
    assert learnt is not None
    assert again == learnt
    assert again.kind == "number"
    assert keys(thermostat) == ["temperature", "door", "mode", "humidity"]
    assert fresh(thermostat).version == registry.current_version() == 2


def test_a_full_type_learns_nothing_more():
    full: list[registry.MetricFields] = [{"key": f"m{number}"} for number in range(MAX_METRICS_PER_TYPE)]
    registry.create_device_type("meter", metrics=full)
    assert registry.learn_metric("meter", "one_more", "number") is None
    assert registry.learn_metric("meter", "m0", "number") is not None


def test_a_type_that_is_gone_learns_nothing():
    assert registry.learn_metric("gone", "humidity", "number") is None


@pytest.mark.parametrize("uid", ["", "-a", "a.b", "a/b", "a+b", "a" * 65, "ä", "a\n"])
def test_an_id_that_could_not_stand_in_a_topic_is_never_written(thermostat, uid):
    with pytest.raises(ValidationError):
        registry.create_device(uid, "thermostat")
    assert not Device.objects.exists()


def test_ids_differ_by_case(thermostat):
    registry.create_device("A", "thermostat")
    registry.create_device("a", "thermostat")
    assert Device.objects.count() == 2


def test_a_device_of_an_unknown_type_is_not_made():
    with pytest.raises(DeviceType.DoesNotExist):
        registry.create_device("t1", "nothing")


def test_labels_are_replaced_as_a_whole(device):
    registry.update_device(device, labels={"floor": "2"})
    assert dict(device.label_set.values_list("key", "value")) == {"floor": "2"}


def test_a_device_moves_to_another_type_while_it_has_no_readings(device, history):
    registry.create_device_type("pump")
    assert registry.update_device(device, device_type="pump").device_type.slug == "pump"


def test_a_device_with_readings_keeps_its_type(device, store):
    registry.create_device_type("pump")
    store(device, {"temperature": 21.5})
    with pytest.raises(RegistryConflictError) as caught:
        registry.update_device(device, device_type="pump", name="lost")
    assert (caught.value.code, caught.value.attr) == ("has_readings", "device_type")
    assert fresh(device).name == "First"


def test_a_deleted_device_leaves_a_tombstone_with_its_key_and_version(device):
    DeviceState.objects.create(device=device, state="online", since_ms=1, because="reading")
    registry.delete_device(device)
    tombstone = Tombstone.objects.get()
    assert (tombstone.device_key, tombstone.uid, tombstone.device_type) == (device.pk, "t1", "thermostat")
    assert tombstone.version == registry.current_version() == 3
    assert not Device.objects.exists()


def test_a_deleted_id_can_be_taken_again_under_a_new_key(device):
    registry.delete_device(device)
    again, _ = registry.create_device("t1", "thermostat")
    assert again.pk > device.pk


def test_a_device_that_is_gone_cannot_be_changed(device):
    registry.delete_device(device)
    with pytest.raises(Device.DoesNotExist):
        registry.update_device(device, name="ghost")
    with pytest.raises(Device.DoesNotExist):
        registry.delete_device(device)
    with pytest.raises(Device.DoesNotExist):
        registry.issue_token(device)
