"""The models that ship. A new one is a file with a ModelType, and a line here."""

from typing import Final

from simulators.models.power_meter import POWER_METER
from simulators.models.thermostat import THERMOSTAT
from simulators.models.water_pump import WATER_PUMP
from simulators.spec import ModelType

MODELS: Final[dict[str, ModelType]] = {each.slug: each for each in (THERMOSTAT, POWER_METER, WATER_PUMP)}
