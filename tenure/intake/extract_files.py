"""The files of an extract: gone since the last one, without an end to their last line, or missed by a path.

```
now            payments-01.csv, payments-02.csv, whose last line has no end, and beside them Payments-04.CSV, not read
last time      payments-01.csv, payments-02.csv, payments-03.csv, which is gone
```
A file's name may hold a person's: what was read is kept as digests of names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256

from tenure.errors import choices
from tenure.faults.redact import file_shape
from tenure.intake.completeness import Finding


def noted_names(names: Iterable[str]) -> str:
    """Return the digests of the names of a source's files, to be compared with the next staging's."""
    return " ".join(sorted({sha256(name.encode()).hexdigest()[:12] for name in names}))


def of_files(now: str, before: str, without_end: Iterable[str], missed: Iterable[str]) -> Iterator[Finding]:
    """Yield what is to be said of a source's files.

    `now` and `before` are the digests of their names in this staging and in the last one.
    """
    gone = len(set(before.split()) - set(now.split())) if now else 0
    if gone:
        many = "1 file" if gone == 1 else f"{gone:,} files"
        yield Finding("TEN-I011", "warning", f"{many} of the last staging {'is' if gone == 1 else 'are'} not there")
    for name in without_end:
        yield Finding("TEN-I012", "note", f"the last line of {name} has no end; it may be cut off")
    names = [_shown(name) for name in missed]
    if names:
        lie = "lies" if len(names) == 1 else "lie"
        yield Finding("TEN-I013", "warning", f"beside its files {lie} {choices(names, 3)}, which its path misses")


def _shown(name: str) -> str:
    return f"'{name}'" if re.fullmatch(r"[A-Za-z]+[-_.0-9A-Za-z() ]*", name) else file_shape(name)
