"""Registers device types and devices through the REST interface, exactly as a user would. Idempotent."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hub.limits.simulators import SIMULATOR_REGISTER_CONCURRENCY
from simulators.hub_api import Account, HubApi, HubError, KnownType, Latest
from simulators.spec import ModelType

SIMULATED: Final = {"simulated": "true"}
"""The label that says that a device is ours. Only such a device is ever given a new token."""

_SITES: Final = ("north", "south", "harbour")
_CENTRE: Final = (52.52, 13.405)
_SPREAD_DEGREES: Final = 0.08


@dataclass(frozen=True, slots=True)
class Plan:
    """A device that is wanted: `number` counts from 1 within its type, `index` from 0 over the fleet."""

    device_id: str
    number: int
    index: int
    model_type: ModelType


@dataclass(frozen=True, slots=True)
class Registered:
    """A device that the hub knows, with its account and what the hub had of it before."""

    plan: Plan
    account: Account
    latest: Latest


def plan_fleet(types: Sequence[ModelType], count: int, prefix: str) -> list[Plan]:
    """`count` devices of each type, named prefix, type and number, mixed so that all types start early."""
    pairs = [(number, each) for number in range(1, count + 1) for each in types]
    return [
        Plan(f"{prefix}{each.slug}-{number:03d}", number, index, each)
        for index, (number, each) in enumerate(pairs)
    ]


def type_body(model_type: ModelType, interval_s: float) -> dict[str, Any]:
    """What `POST device-types/` takes."""
    return {
        "slug": model_type.slug,
        "name": model_type.name,
        "description": model_type.description,
        "expected_interval_s": round(interval_s) if float(interval_s).is_integer() else interval_s,
        "metrics": [metric.as_json() for metric in model_type.metrics],
    }


def device_body(plan: Plan, seed: int) -> dict[str, Any]:
    """What `POST devices/` takes. Site and place on the map follow from the seed."""
    rng = random.Random(f"{seed}:{plan.device_id}:place")
    latitude, longitude = (round(each + rng.uniform(-1, 1) * _SPREAD_DEGREES, 5) for each in _CENTRE)
    return {
        "id": plan.device_id,
        "device_type": plan.model_type.slug,
        "name": plan.model_type.place(plan.number),
        "labels": {**SIMULATED, "site": rng.choice(_SITES)},
        "enabled": True,
        "latitude": latitude,
        "longitude": longitude,
    }


async def register_type(api: HubApi, model_type: ModelType, interval_s: float) -> None:
    """Make the device type, or find that the one there can take our readings.

    Raises: HubError when the type on the hub lacks a metric or has it in another kind.
    """
    known = await api.device_type(model_type.slug)
    if known is None:
        if await api.create_device_type(type_body(model_type, interval_s)):
            return
        known = await api.device_type(model_type.slug)
    difference = type_difference(model_type, known)
    if difference:
        raise HubError(difference)


def type_difference(model_type: ModelType, known: KnownType | None) -> str | None:
    """A sentence about what keeps the hub's type from taking the model's readings; None when nothing does."""
    kinds = {} if known is None else {metric.key: metric.kind for metric in known.metrics}
    for metric in model_type.metrics:
        if metric.key not in kinds:
            problem = f"has no metric {metric.key!r}"
        elif kinds[metric.key] != metric.kind:
            problem = f"has {metric.key!r} as {kinds[metric.key]}, where the simulator sends a {metric.kind}"
        else:
            continue
        return (
            f"The device type {model_type.slug!r} on the hub {problem}. Add the metric to the type, "
            f"or delete the type so that the simulator can make it again."
        )
    return None


async def register_device(api: HubApi, plan: Plan, seed: int) -> Registered:
    """Make the device, or take it over when a simulator made it before.

    Raises: HubError, also when a device of this id is there that no simulator made.
    """
    account = await api.create_device(device_body(plan, seed))
    if account is not None:
        return Registered(plan, account, Latest())
    known = await api.device(plan.device_id)
    if known.device_type != plan.model_type.slug:
        raise HubError(
            f"The device {plan.device_id!r} is there already, with the type {known.device_type!r}. "
            "Choose other names with --prefix."
        )
    if known.labels.get("simulated") != "true":
        raise HubError(
            f"The device {plan.device_id!r} is there already without the label simulated=true, so it may be "
            "a real one: it keeps its token. Choose other names with --prefix."
        )
    latest = await api.latest(plan.device_id)
    return Registered(plan, await api.new_token(plan.device_id), latest)


async def register_fleet(
    api: HubApi,
    plans: Sequence[Plan],
    seed: int,
    interval_s: float | None,
    taken: Callable[[Registered], None],
) -> list[Registered]:
    """Register all types, then all devices, about in the order of `plans`; `taken` is told each at once.

    Raises: HubError, the first one met; what was not begun by then is left.
    """
    for model_type in {plan.model_type.slug: plan.model_type for plan in plans}.values():
        await register_type(api, model_type, interval_s or model_type.expected_interval_s)
    # A device to its end before the next one: the first of them measure while the last are registered.
    gate = asyncio.Semaphore(SIMULATOR_REGISTER_CONCURRENCY)

    async def one(plan: Plan) -> Registered:
        async with gate:
            registered = await register_device(api, plan, seed)
        taken(registered)
        return registered

    tasks = [asyncio.create_task(one(plan), name=f"register {plan.device_id}") for plan in plans]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
