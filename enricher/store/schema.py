"""The tables, written down once, and the way an older file becomes a newer one.

The models below are what a new file gets. A change to them comes with a step at the end of `STEPS`, which does the same
to a file that exists already; the number of steps is what `PRAGMA user_version` counts, so a file says how old it is and
an older program can tell that a file is newer than itself. A step runs in the transaction that stamps its version:
killed half-way, it never happened.

Names are plain words, because people open this file in a database browser. JSON is text a person can read; times are
ISO 8601 in UTC, except `answer.stored_at`, which is computed with (seconds since 1970).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from peewee import (
    SQL,
    AutoField,
    BlobField,
    BooleanField,
    CompositeKey,
    FloatField,
    ForeignKeyField,
    IntegerField,
    Model,
    Node,
    SchemaManager,
    SqliteDatabase,
    TextField,
)

# "enrc" in ASCII: how we know our own files (`PRAGMA application_id`; the `file` command can show it too).
APPLICATION_ID = 0x656E7263

_ZERO: list[Node] = [SQL("DEFAULT 0")]


class Job(Model):
    """One run over a list. `fingerprint` tells whether the same lists with the same options were seen before."""

    id = AutoField()
    pipeline = TextField()
    fingerprint = TextField(unique=True)
    name = TextField()
    options = TextField()
    state = TextField()
    created_at = TextField()
    updated_at = TextField()
    requests = IntegerField(constraints=_ZERO)
    hits = IntegerField(constraints=_ZERO)
    retries = IntegerField(constraints=_ZERO)
    wait_s = FloatField(constraints=_ZERO)
    service_s = FloatField(constraints=_ZERO)
    pid = IntegerField(null=True)

    class Meta:
        """Table names are given, so that a renamed class never renames a table."""

        table_name = "job"


class Source(Model):
    """One list of a job, with the union of its rows' columns (a JSON array) in the order they were met."""

    job = ForeignKeyField(Job, on_delete="CASCADE", index=False)
    position = IntegerField()
    name = TextField()
    columns = TextField()

    class Meta:
        """The key is the order of the lists."""

        table_name = "source"
        primary_key = CompositeKey("job", "position")
        without_rowid = True


class Item(Model):
    """One thing to enrich and what became of it. `position` is the position of the first row that asked for it."""

    id = AutoField()
    job = ForeignKeyField(Job, on_delete="CASCADE", index=False)
    key = TextField()
    position = IntegerField()
    fields = TextField()
    state = TextField(constraints=[SQL("DEFAULT 'pending'")])
    attempts = IntegerField(constraints=_ZERO)
    runs = IntegerField(constraints=_ZERO)
    error = TextField(null=True)
    score = FloatField(null=True)
    record = TextField(null=True)
    candidates = TextField(null=True)
    tries = TextField(null=True)
    updated_at = TextField()

    class Meta:
        """(job, state, position) serves what is open, in order, and counts by state without reading a record."""

        table_name = "item"
        indexes = ((("job", "key"), True), (("job", "state", "position"), False))


class InputRow(Model):
    """One row of a list, its cells (a JSON object) untouched. Without an item, `error` says why."""

    job = ForeignKeyField(Job, on_delete="CASCADE", index=False)
    position = IntegerField()
    source_position = IntegerField()
    line = IntegerField()
    item = ForeignKeyField(Item, on_delete="CASCADE", null=True)
    cells = TextField()
    error = TextField(null=True)

    class Meta:
        """The key is the order of the input, which is the order of the export."""

        table_name = "input_row"
        primary_key = CompositeKey("job", "position")
        without_rowid = True


class SkippedText(Model):
    """Text in a list that is no row."""

    id = AutoField()
    job = ForeignKeyField(Job, on_delete="CASCADE")
    source = TextField()
    line = IntegerField()
    reason = TextField()

    class Meta:
        """One line of a list may be skipped for one reason only, but nothing depends on it."""

        table_name = "skipped"


class Answer(Model):
    """An answer worth remembering, whichever job asked. `size` is what `body` takes here, in bytes."""

    key = TextField(primary_key=True)
    kind = TextField()
    status = IntegerField()
    missing = BooleanField()
    body = BlobField()
    encoding = TextField()
    size = IntegerField()
    stored_at = FloatField()

    class Meta:
        """(stored_at, size) sums and finds the oldest without touching a body."""

        table_name = "answer"
        indexes = ((("stored_at", "size"), False),)


TABLES: tuple[type[Model], ...] = (Job, Source, Item, InputRow, SkippedText, Answer)
TABLE_NAMES = frozenset({"job", "source", "item", "input_row", "skipped", "answer"})

Step = Callable[[SqliteDatabase], None]

STEPS: tuple[Step, ...] = ()
"""The n-th step turns a file of version n into one of version n + 1. Never edit one that was released."""


def version(steps: Sequence[Step] = STEPS) -> int:
    """The version that a file has after all `steps`."""
    return 1 + len(steps)


def bring_up_to_date(database: SqliteDatabase, steps: Sequence[Step] = STEPS) -> None:
    """Make an empty file ours, or take an older one forward. To be called inside a transaction.

    The version is read here, under the write lock: another process may have done the work while we waited for it.
    """
    found = int(database.pragma("user_version"))
    if found == 0:
        for table in TABLES:
            SchemaManager(table, database).create_all()
        database.pragma("application_id", APPLICATION_ID)
    else:
        for step in steps[found - 1 :]:
            step(database)
    database.pragma("user_version", version(steps))
