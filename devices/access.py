"""Who may see and change what: the one place where it is decided, for REST, pages and WebSocket alike."""

from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from devices.models import Device, DeviceType, Rejection
from hub.accounts.models import User


@dataclass(frozen=True, slots=True)
class Viewer:
    """What a user sees of the registry. Every active signed-in user sees and changes all of it."""

    user: User | AnonymousUser

    def device_types(self) -> QuerySet[DeviceType]:
        """The types that this user may see."""
        return DeviceType.objects.all() if self._is_known else DeviceType.objects.none()

    def devices(self) -> QuerySet[Device]:
        """The devices that this user may see."""
        return Device.objects.all() if self._is_known else Device.objects.none()

    def rejections(self) -> QuerySet[Rejection]:
        """Rejections of visible devices, and of ids that no device has."""
        return Rejection.objects.all() if self._is_known else Rejection.objects.none()

    def sees_type(self, slug: str) -> bool:
        """Whether there is such a type and this user may see it."""
        return self.device_types().filter(slug=slug).exists()

    @property
    def may_change(self) -> bool:
        """Whether this user may register, change and delete."""
        return self._is_known

    @property
    def _is_known(self) -> bool:
        return self.user.is_authenticated and self.user.is_active
