"""How many of the faults a detector finds: each is planted into a copy of a bank, and the detector is asked.

A detector is given a project's folder and returns its alarms. What it says of the clean bank too is no find.
"""

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from planted.delivery import Delivery, copy_bank
from planted.faults import FAULTS, READ_BY, Fault

WHOLE, ONE_PERCENT = 1.0, 0.01

#: Code, source, column ('' where it is of the table) and message.
Alarm = tuple[str, str, str, str]
Detect = Callable[[Path], Sequence[Alarm]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a detector said of one fault at one share: the alarms that the clean bank does not raise.

    `error` holds what the detector raised instead; that is no find.
    """

    fault: Fault
    share: float
    alarms: tuple[Alarm, ...] = ()
    error: str = ""

    @property
    def caught(self) -> bool:
        return bool(self.alarms)

    @property
    def right(self) -> bool:
        """Whether an alarm names a source that reads the hurt file, and one of the fault's columns."""
        return any(
            source in READ_BY[self.fault.file] and column in self.fault.columns for _, source, column, _ in self.alarms
        )

    @property
    def verdict(self) -> str:
        if self.error:
            return "error"
        return "right column" if self.right else "another column" if self.caught else "undetected"


def run_all(
    bank: Path, detect: Detect, *, faults: Iterable[Fault] = FAULTS, shares: Sequence[float] = (WHOLE, ONE_PERCENT)
) -> list[Outcome]:
    """Plant each fault at each share into a copy of the bank's folder, ask the detector, and return the outcomes.

    The copy holds all that the folder holds, such as a lake that was made of the delivery before (`month_before`).
    It lies beside the folder, one at a time, and is removed. The bank itself stays as it is.
    """
    copy = bank.with_name(f"{bank.name}.planted")
    known = {alarm[:3] for alarm in _asked(bank, copy, detect, lambda _: None)}
    return [
        _outcome(bank, copy, detect, fault, share, known)
        for fault in faults
        for share in shares
        if share == WHOLE or not fault.whole_only
    ]


def _outcome(
    bank: Path, copy: Path, detect: Detect, fault: Fault, share: float, known: set[tuple[str, str, str]]
) -> Outcome:
    try:
        alarms = _asked(bank, copy, detect, lambda delivery: fault.plant(delivery, share, chance_of(fault, share)))
    except Exception as error:  # noqa: BLE001  an hour of outcomes is not lost to one that fails: it is in the table
        return Outcome(fault=fault, share=share, error=f"{type(error).__name__}: {error}")
    return Outcome(fault=fault, share=share, alarms=tuple(alarm for alarm in alarms if alarm[:3] not in known))


def _asked(bank: Path, copy: Path, detect: Detect, plant: Callable[[Delivery], None]) -> Sequence[Alarm]:
    shutil.rmtree(copy, ignore_errors=True)
    try:
        delivery = Delivery(bank / "data")
        plant(delivery)
        copy_bank(bank, copy)
        delivery.write(copy / "data")
        return detect(copy)
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def chance_of(fault: Fault, share: float) -> Random:
    """The draws of a fault, the same in every run and whichever faults are planted."""
    return Random(f"{fault.name} {share}")  # noqa: S311  no secret


def detection_table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes in Markdown: a line a fault, and below it the rates at each share."""
    shares = sorted({outcome.share for outcome in outcomes}, reverse=True)
    heads = [_words(share) for share in shares]
    said = {(outcome.fault.name, outcome.share): outcome for outcome in outcomes}
    lines = [f"| family | fault | {' | '.join(heads)} |", "| --- | --- |" + " --- |" * len(shares)]
    for fault in dict.fromkeys(outcome.fault for outcome in outcomes):
        cells = [_cell(said.get((fault.name, share))) for share in shares]
        lines.append(f"| {fault.family} | {fault.name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *(_rates(share, outcomes) for share in shares)])


def _words(share: float) -> str:
    return "whole file" if share == WHOLE else f"{share:.0%} of the rows"


def _cell(outcome: Outcome | None) -> str:
    if outcome is None:
        return "–"
    codes = sorted({code for code, *_ in outcome.alarms})
    return f"{outcome.verdict} ({', '.join(codes)})" if codes else outcome.verdict


def _rates(share: float, outcomes: Sequence[Outcome]) -> str:
    these = [outcome for outcome in outcomes if outcome.share == share]
    caught, right = sum(outcome.caught for outcome in these), sum(outcome.right for outcome in these)
    failed = sum(bool(outcome.error) for outcome in these)
    return f"{_words(share)}: {caught} of {len(these)} caught, {right} with the right column, {failed} errors."
