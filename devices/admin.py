"""The registry in Django's admin: lists for looking, forms whose changes go through `devices.registry`."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin, messages
from django.db import models
from django.db.models import Count, QuerySet
from django.forms import BaseModelFormSet, ModelForm
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect

from devices import registry
from devices.models import BridgeReport, Device, DeviceType, Label, Metric, Rejection

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    Form = ModelForm[Any]
    Formset = BaseModelFormSet[Any, Any]
else:
    # Django's own classes take no type arguments at run time.
    ModelAdmin, TabularInline, Form, Formset = (
        admin.ModelAdmin,
        admin.TabularInline,
        ModelForm,
        BaseModelFormSet,
    )

V = TypeVar("V", bound=Callable[..., HttpResponseBase])


class RegistryAdmin(ModelAdmin):
    """What the registry refuses is a message on the page, and nothing was changed."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return _told(request, super().changeform_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return _told(request, super().delete_view, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return _told(request, super().changelist_view, *args, **kwargs)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self.delete_model(request, row)


class ReadOnlyAdmin(ModelAdmin):
    """Written by the bridge; here to be looked at."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


class MetricInline(TabularInline):
    model = Metric
    fields = ("key", "name", "kind", "unit", "minimum", "maximum", "precision")
    extra = 0


class LabelInline(TabularInline):
    model = Label
    extra = 0


@admin.register(DeviceType)
class DeviceTypeAdmin(RegistryAdmin):
    list_display = (
        "slug",
        "name",
        "devices_count",
        "expected_interval_s",
        "retention_days",
        "unknown_metrics",
    )
    search_fields = ("slug", "name")
    inlines = (MetricInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        types: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = types.annotate(num_devices=Count("devices"))
        return counted

    @admin.display(description="devices", ordering="num_devices")
    def devices_count(self, device_type: Any) -> int:
        return int(device_type.num_devices)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("slug",)

    def save_model(self, request: HttpRequest, obj: Any, form: Form, change: bool) -> None:
        fields = form.cleaned_data
        if change:
            registry.update_device_type(obj.slug, **fields)
        else:
            _adopt(obj, registry.create_device_type(**fields))

    def save_formset(self, request: HttpRequest, form: Form, formset: Formset, change: bool) -> None:
        names = MetricInline.fields
        metrics = [{name: row[name] for name in names} for row in _kept(formset)]
        registry.update_device_type(form.instance.slug, metrics=metrics)  # type: ignore[arg-type]
        _nothing_saved(formset)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        registry.delete_device_type(obj.slug)


@admin.register(Device)
class DeviceAdmin(RegistryAdmin):
    """A token is never shown: a new device gets one over REST, `POST devices/{id}/token/`."""

    list_display = ("uid", "device_type", "name", "enabled", "created_at")
    list_filter = ("device_type", "enabled")
    list_select_related = ("device_type",)
    search_fields = ("uid", "name")
    inlines = (LabelInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("uid",)

    def save_model(self, request: HttpRequest, obj: Any, form: Form, change: bool) -> None:
        fields = {**form.cleaned_data, "device_type": form.cleaned_data["device_type"].slug}
        if change:
            registry.update_device(obj, **fields)
        else:
            created, _ = registry.create_device(**fields)
            _adopt(obj, created)

    def save_formset(self, request: HttpRequest, form: Form, formset: Formset, change: bool) -> None:
        labels = {row["key"]: row["value"] for row in _kept(formset)}
        registry.update_device(form.instance, labels=labels)
        _nothing_saved(formset)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        registry.delete_device(obj)


@admin.register(Rejection)
class RejectionAdmin(ReadOnlyAdmin):
    list_display = ("uid", "device_type", "reason", "metric", "count", "detail", "last_ms")
    list_filter = ("reason",)
    search_fields = ("uid",)
    exclude = ("payload",)
    readonly_fields = ("payload_text",)
    show_full_result_count = False

    @admin.display(description="payload")
    def payload_text(self, rejection: Any) -> str:
        return bytes(rejection.payload).decode(errors="replace")


@admin.register(BridgeReport)
class BridgeReportAdmin(ReadOnlyAdmin):
    list_display = ("slot", "source", "at_ms", "receiving", "storing", "lag_ms")


def _told(request: HttpRequest, view: V, *args: Any, **kwargs: Any) -> HttpResponseBase:
    try:
        return view(request, *args, **kwargs)
    except registry.RegistryConflictError as error:
        messages.error(request, error.detail)
        return HttpResponseRedirect(request.get_full_path())


def _adopt(form_row: models.Model, created: models.Model) -> None:
    """Make the form's row be the one that the registry wrote."""
    form_row.pk = created.pk
    form_row._state.adding = False


def _kept(formset: Formset) -> Iterable[dict[str, Any]]:
    """The rows of a formset that are neither empty nor to be deleted."""
    rows = [form.cleaned_data for form in formset.forms if form.cleaned_data]
    return [row for row in rows if not row.get("DELETE")]


def _nothing_saved(formset: Formset) -> None:
    """What the admin's log asks a formset after saving."""
    formset.new_objects = []
    formset.changed_objects = []
    formset.deleted_objects = []
