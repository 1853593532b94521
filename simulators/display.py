"""What a person, or a program, sees of a running fleet."""

import sys
import time
from typing import Any, Final, Protocol, TextIO

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from simulators.tally import Tally

_PLAIN_LINE_EVERY_S: Final = 10.0


class Display(Protocol):
    """Told the stages before (`stage`), the counters meanwhile (`live`) and at the end (`end`)."""

    def stage(self, what: str, done: int, total: int) -> None: ...
    def live(self, tally: Tally, readings_per_s: float) -> None: ...
    def trouble(self, sentence: str) -> None: ...
    def end(self, tally: Tally) -> None: ...
    def close(self) -> None: ...


class QuietDisplay:
    """Says nothing but trouble, and that on standard error."""

    def __init__(self, errors: TextIO | None = None) -> None:
        self._errors = errors or sys.stderr

    def stage(self, what: str, done: int, total: int) -> None:
        pass

    def live(self, tally: Tally, readings_per_s: float) -> None:
        pass

    def trouble(self, sentence: str) -> None:
        print(f"simulators: {sentence}", file=self._errors, flush=True)

    def end(self, tally: Tally) -> None:
        pass

    def close(self) -> None:
        pass


class JsonDisplay:
    """One JSON object a line on standard output, each with an `event`."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout

    def stage(self, what: str, done: int, total: int) -> None:
        self._write("stage", {"stage": what, "done": done, "total": total})

    def live(self, tally: Tally, readings_per_s: float) -> None:
        self._write("live", {**tally.as_json(), "readings_per_s": round(readings_per_s, 1)})

    def trouble(self, sentence: str) -> None:
        self._write("trouble", {"detail": sentence})

    def end(self, tally: Tally) -> None:
        self._write("end", tally.as_json())

    def close(self) -> None:
        pass

    def _write(self, event: str, members: dict[str, Any]) -> None:
        line = msgspec.json.encode({"event": event, "at_ms": time.time_ns() // 1_000_000, **members})
        print(line.decode(), file=self._out, flush=True)


class RichDisplay:
    """A line that moves in a terminal; without one, a plain line every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._line = Live(console=console, refresh_per_second=4, transient=True)
        self._stage = ""
        self._spoken_s = -_PLAIN_LINE_EVERY_S
        if console.is_terminal:
            self._line.start()

    def stage(self, what: str, done: int, total: int) -> None:
        text = f"{what} {done} of {total} devices"
        if self._console.is_terminal:
            self._line.update(Text.assemble((_bar(done, total), "cyan"), "  ", text))
        elif what != self._stage:
            self._console.print(text, highlight=False)
        self._stage = what
        if done == total and self._console.is_terminal:
            self._console.print(Text.assemble(("✓ ", "green"), text))

    def live(self, tally: Tally, readings_per_s: float) -> None:
        text = live_line(tally, readings_per_s)
        if self._console.is_terminal:
            self._line.update(text)
        elif time.monotonic() - self._spoken_s >= _PLAIN_LINE_EVERY_S:
            self._spoken_s = time.monotonic()
            self._console.print(text, soft_wrap=True)

    def trouble(self, sentence: str) -> None:
        self._console.print(Text.assemble(("! ", "bold yellow"), sentence), soft_wrap=True)

    def end(self, tally: Tally) -> None:
        self.close()
        self._console.print(
            f"{tally.devices} devices measured {tally.measured:,} readings; {tally.acknowledged:,} of "
            f"{tally.published:,} sent were acknowledged (the past included), {tally.stored:,} are unsent, "
            f"{tally.dropped:,} were dropped, {tally.rejected:,} rejected.",
            highlight=False,
            soft_wrap=True,
        )

    def close(self) -> None:
        self._line.stop()


def live_line(tally: Tally, readings_per_s: float) -> Text:
    """The counters in one line; what calls for attention stands out by a word and a colour."""
    text = Text.assemble(
        (f"{tally.connected}", "green" if tally.connected == tally.devices else "yellow"),
        f" of {tally.devices} connected · {readings_per_s:,.1f} readings/s · ",
        f"{tally.acknowledged:,} acknowledged · {tally.unacknowledged:,} under way",
    )
    if tally.filled < tally.filling:
        text.append(
            f" · past filled for {tally.filled} of {tally.filling} ({tally.filled_readings:,} readings)",
            "cyan",
        )
    if tally.stored:
        text.append(f" · {tally.stored:,} kept by devices", "yellow")
    if tally.dropped:
        text.append(f" · {tally.dropped:,} dropped", "red")
    if tally.refused:
        text.append(f" · {tally.refused} refused by the broker", "red")
    if tally.rejected:
        text.append(f" · {tally.rejected:,} rejected, last {tally.last_rejection}", "red")
    return text


def _bar(done: int, total: int, width: int = 20) -> str:
    filled = width * done // max(1, total)
    return "━" * filled + "─" * (width - filled)
