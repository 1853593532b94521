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
    dropped_by_broker = models.BigIntegerField(
        null=True, help_text="messages that the broker dropped for any client since it started"
    )
    types = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"bridge {self.slot}"


class BridgeLease(models.Model):
    """Who holds a slot; the others wait. Changed only by UPDATEs that name what they saw.

    `holder` is "" while nobody holds it. `beat` moves at every renewal: that it stands still is how an
    end is noticed, so no clock is in the row. The rest says which process it is.
    """

    slot = models.CharField(max_length=64, unique=True)
    holder = models.CharField(max_length=32, blank=True)
    beat = models.BigIntegerField(default=0)
    host = models.CharField(max_length=255, blank=True)
    machine = models.CharField(max_length=128, blank=True)
    pid = models.IntegerField(default=0)
    process_started = models.CharField(max_length=32, blank=True)

    def __str__(self) -> str:
        return f"slot {self.slot}: {self.holder or 'free'}"
