"""New rows: those of a source's new files, beside the rows that are staged; what they change of them is made anew.

```
staged     key 7  known 3 Jan ─────────────────────────────────►        lies in file 0
new                                  key 7  known 5 Feb ───────►
after      key 7  known 3 Jan ───────┊ known until 5 Feb                file 0 is written again
                                     key 7  known 5 Feb ───────►        beside the new rows
```
The rows are those of staging the whole: a key decides alone which rows are its versions, so keys that no new row has
keep theirs.
"""

from __future__ import annotations

from tenure.define.project import Project
from tenure.define.source import Source
from tenure.sql.expressions import (
    any_of,
    coalesce,
    count_where,
    differs,
    each_of,
    listed,
    named,
    of,
    over_partitions,
)
from tenure.sql.query import Cte, Join, Query, Select, union_all
from tenure.tables.staging import in_order
from tenure.tables.visible import same

#: The relations that are read: the new rows as staging makes them, the staged rows whose keys they have, with the
#: number of the file that each lies in, and the rows of those files that are written again.
NEW, MET, AGAIN = "new_rows", "met_rows", "rows_again"

#: What the two sides come to: each version of a key that both have.
VERSIONS = "versions_now"

#: The number of the file of a row that lies in none yet.
_NO_FILE = -1


def file_relation(number: int) -> str:
    """Return the relation of one staged file."""
    return f"staged_file_{number}"


def met(source: Source, files: int) -> Select:
    """Return the staged rows whose key a new row has: file_number, key, known_time and known_until."""
    columns = [*source.keys, "known_time", "known_until"]
    of_files = [
        Query(columns=[named(str(number), "file_number"), *columns], source=file_relation(number))
        for number in range(files)
    ]
    made = Query(
        ctes=[Cte("staged_rows", "every staged row, with the number of its file", union_all(of_files))],
        columns=each_of("s", ["file_number", *columns]),
        source="staged_rows",
        alias="s",
        joins=[Join(NEW, alias="n", kind="SEMI", on=same(source.keys, "s", "n"))],
    )
    return made.as_table(MET, reads=[NEW])


def rivals(source: Source) -> Query:
    """Return one row: how many new rows, `rivals`, claim the place of a staged row and differ from it.

    Reads AGAIN, the rows of the files that MET names.
    """
    names = [column.name for column in source.columns]
    is_other = any_of(*(differs(of("n", name), of("a", name)) for name in names))
    return Query(
        columns=[named(coalesce(count_where(is_other), 0), "rivals")],
        source=NEW,
        alias="n",
        joins=[Join(AGAIN, alias="a", on=same(_place(source), "n", "a"))],
    )


def versions_now(source: Source) -> Select:
    """Return each version of the keys that both sides have: file_number, key, known_time, and known_until as it was and
    as it is now.
    """
    columns = [*source.keys, "known_time", "known_until"]
    staged = Query(columns=["file_number", *columns], source=MET)
    added = Query(
        columns=[named(str(_NO_FILE), "file_number"), *each_of("n", columns)],
        source=NEW,
        alias="n",
        joins=[
            Join(MET, alias="k", kind="SEMI", on=same(source.keys, "n", "k")),
            Join(MET, alias="m", kind="ANTI", on=same(_place(source), "n", "m")),
        ],
    )
    made = Query(
        ctes=[Cte("versions", "of keys that both sides have", union_all([staged, added]))],
        columns=["file_number", *source.keys, "known_time", named("known_until", "until_before")],
        lines=[named(over_partitions("LEAD(known_time)", source.keys, ["known_time"]), "until_now")],
        source="versions",
    )
    return made.as_table(VERSIONS, reads=[NEW, MET])


def files_again() -> Query:
    """Return the numbers of the files, `file_number`, with a row whose next version is new, in order."""
    return Query(
        distinct=True,
        columns=["file_number"],
        source=VERSIONS,
        where=[f"file_number <> {_NO_FILE}", differs("until_before", "until_now")],
        order_by=["file_number"],
    )


def written(project: Project, source: Source) -> Select:
    """Return the rows that are written, in the order of staged rows: those of AGAIN and the new ones, each known until
    its next version is.
    """
    names = [column.name for column in source.columns]
    times = ["event_time", "known_time"]
    until = named(coalesce(of("v", "until_now"), of("r", "known_until")), "known_until")
    of_version = Join(VERSIONS, alias="v", kind="LEFT", on=same([*source.keys, "known_time"], "r", "v"))
    again = Query(columns=[*each_of("r", [*names, *times]), until], source=AGAIN, alias="r", joins=[of_version])
    added = Query(
        columns=[*each_of("r", [*names, *times]), until],
        source=NEW,
        alias="r",
        joins=[Join(MET, alias="m", kind="ANTI", on=same(_place(source), "r", "m")), of_version],
    )
    made = Query(
        ctes=[Cte("versions", "rows of the files that change, and new ones", union_all([again, added]))],
        columns=[listed([*names, *times, "known_until"])],
        source="versions",
        order_by=in_order(project, source),
    )
    return made.as_table(source.name, reads=[AGAIN, NEW, MET, VERSIONS])


def _place(source: Source) -> list[str]:
    """What one row alone may have: a key, or a key at a time of knowledge where the source tells that."""
    return [*source.keys, *(["known_time"] if source.known_time else [])]
