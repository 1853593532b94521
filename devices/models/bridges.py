"""Bridges as everybody else sees them: who holds a slot, and what it last said of itself."""

from django.db import models


class BridgeReport(models.Model):
    """The newest report of the bridge of a slot, written every 2 s. Times are Unix ms."""

    slot = models.CharField(max_length=64, unique=True)
    source = models.CharField(max_length=100)
    at_ms = models.BigIntegerField()
    receiving = models.BooleanField()
    receiving_since_ms = models.BigIntegerField()
    storing = models.BooleanField()
    storing_since_ms = models.BigIntegerField()
    lag_ms = models.IntegerField(default=0)
    types = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"bridge {self.slot}"
