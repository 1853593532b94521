"""What tests of stores that several use at once share."""

import threading
from collections.abc import Callable

from hub.history.store import HistoryStore

FOREVER = 2**62


def assert_both_laws_hold(store: HistoryStore, devices: range) -> None:
    for device, ledger in store.ledger(devices).items():
        assert ledger.received == ledger.stored + ledger.updated + ledger.duplicate + ledger.rejected
        assert ledger.stored - ledger.pruned == len(store.rows_page(device, 0, FOREVER, 0, 5_000))


def together(*calls: Callable[[], object]) -> None:
    """Call them at the same time, each in a thread; the first error of any."""
    errors: list[BaseException] = []

    def run(call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
