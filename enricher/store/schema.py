"""The tables, twice: as models to query and to read, and as the history of statements that makes them.

A file's history is `FIRST` and then each of `STEPS`, one version further each. A new file is made by going through all of
it, an older one by what it lacks: so both are the same, and a test holds the models to what comes out. `PRAGMA
user_version` says how far a file is, so an older program can tell that a file is newer than itself. A step runs in the
transaction that stamps its version: killed half-way, it never happened. The statements are SQL because a new file is
made at the start of many a command, and peewee would take longer to build them than SQLite to run them.

Names are plain words, because people open this file in a database browser. JSON is text a person can read; times are
ISO 8601 in UTC, except `answer.stored_at`, `batch.created` and those of `sent`, which are computed with (seconds since
1970). Money is in billionths of its currency's unit (`_nano`).
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
    """An answer worth remembering, whichever job asked. `size` is what `body` takes here, in bytes.

    `headers` is a JSON object of those that were kept with it.
    """

    key = TextField(primary_key=True)
    kind = TextField()
    status = IntegerField()
    missing = BooleanField()
    body = BlobField()
    encoding = TextField()
    size = IntegerField()
    stored_at = FloatField()
    headers = TextField(null=True)

    class Meta:
        """(stored_at, size) sums and finds the oldest without touching a body."""

        table_name = "answer"
        indexes = ((("stored_at", "size"), False),)


class Batch(Model):
    """What was handed to a provider by the hundred (`batches`). `provider_id` is how the provider calls it."""

    id = AutoField()
    job = ForeignKeyField(Job, on_delete="CASCADE", index=False)
    provider = TextField()
    service = TextField()
    state = TextField()
    provider_id = TextField(null=True)
    created_at = TextField()
    created = FloatField()
    updated_at = TextField()

    class Meta:
        """A job has few of them: they need no index."""

        table_name = "batch"


class Call(Model):
    """An attempt that costs money (`ledger`): booked at `worst_nano`, settled at `cost_nano`. `key` is its answer's."""

    id = AutoField()
    job = ForeignKeyField(Job, null=True, on_delete="SET NULL", index=False)
    batch = ForeignKeyField(Batch, null=True, on_delete="SET NULL", index=False)
    provider = TextField()
    model = TextField()
    state = TextField()
    key = TextField()
    tokens_in = IntegerField(constraints=_ZERO)
    tokens_out = IntegerField(constraints=_ZERO)
    tokens_cached = IntegerField(constraints=_ZERO)
    worst_nano = IntegerField()
    cost_nano = IntegerField(constraints=_ZERO)
    currency = TextField()
    started_at = TextField()
    settled_at = TextField(null=True)

    class Meta:
        """The index has all that a job's spending is summed from."""

        table_name = "call"
        indexes = ((("job", "state", "batch", "worst_nano", "cost_nano"), False),)


class BatchItem(Model):
    """One request of a batch. `charge` is a JSON object: the price that was agreed, and the most that it could take."""

    batch = ForeignKeyField(Batch, on_delete="CASCADE", index=False)
    custom_id = TextField()
    key = TextField()
    kind = TextField()
    charge = TextField()
    call = ForeignKeyField(Call, on_delete="CASCADE", index=False)

    class Meta:
        """The key is what the provider tells requests apart by."""

        table_name = "batch_item"
        primary_key = CompositeKey("batch", "custom_id")
        without_rowid = True


class Sent(Model):
    """What was sent to an API lately (`sent`). `requests` and `tokens` are JSON arrays of times and counts."""

    account = TextField()
    writer = TextField()
    service = TextField()
    horizon_s = FloatField()
    requests = TextField()
    tokens = TextField()
    written_at = FloatField()

    class Meta:
        """There is a row for each process that has sent anything lately: few."""

        table_name = "sent"
        primary_key = CompositeKey("account", "writer")
        without_rowid = True


TABLES: tuple[type[Model], ...] = (Job, Source, Item, InputRow, SkippedText, Answer, Batch, Call, BatchItem, Sent)
TABLE_NAMES = frozenset(
    {"job", "source", "item", "input_row", "skipped", "answer", "batch", "call", "batch_item", "sent"},
)

FIRST = (
    """CREATE TABLE job (
        id INTEGER NOT NULL PRIMARY KEY,
        pipeline TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        name TEXT NOT NULL,
        options TEXT NOT NULL,
        state TEXT NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        requests INTEGER NOT NULL DEFAULT 0,
        hits INTEGER NOT NULL DEFAULT 0,
        retries INTEGER NOT NULL DEFAULT 0,
        wait_s REAL NOT NULL DEFAULT 0,
        service_s REAL NOT NULL DEFAULT 0,
        pid INTEGER
    )""",
    "CREATE UNIQUE INDEX job_fingerprint ON job (fingerprint)",
    """CREATE TABLE source (
        job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        name TEXT NOT NULL,
        columns TEXT NOT NULL,
        PRIMARY KEY (job_id, position)
    ) WITHOUT ROWID""",
    """CREATE TABLE item (
        id INTEGER NOT NULL PRIMARY KEY,
        job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
        "key" TEXT NOT NULL,
        position INTEGER NOT NULL,
        fields TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'pending',
        attempts INTEGER NOT NULL DEFAULT 0,
        runs INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        score REAL,
        record TEXT,
        candidates TEXT,
        tries TEXT,
        updated_at TEXT NOT NULL
    )""",
    'CREATE UNIQUE INDEX item_job_id_key ON item (job_id, "key")',
    "CREATE INDEX item_job_id_state_position ON item (job_id, state, position)",
    """CREATE TABLE input_row (
        job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        source_position INTEGER NOT NULL,
        line INTEGER NOT NULL,
        item_id INTEGER REFERENCES item (id) ON DELETE CASCADE,
        cells TEXT NOT NULL,
        error TEXT,
        PRIMARY KEY (job_id, position)
    ) WITHOUT ROWID""",
    "CREATE INDEX inputrow_item_id ON input_row (item_id)",
    """CREATE TABLE skipped (
        id INTEGER NOT NULL PRIMARY KEY,
        job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
        source TEXT NOT NULL,
        line INTEGER NOT NULL,
        reason TEXT NOT NULL
    )""",
    "CREATE INDEX skippedtext_job_id ON skipped (job_id)",
    """CREATE TABLE answer (
        "key" TEXT NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL,
        status INTEGER NOT NULL,
        missing INTEGER NOT NULL,
        body BLOB NOT NULL,
        encoding TEXT NOT NULL,
        size INTEGER NOT NULL,
        stored_at REAL NOT NULL
    )""",
    "CREATE INDEX answer_stored_at_size ON answer (stored_at, size)",
)
"""The statements of version 1."""

_HEADERS_LEDGER_AND_BATCHES = (
    "ALTER TABLE answer ADD COLUMN headers TEXT",
    """CREATE TABLE batch (
        id INTEGER NOT NULL PRIMARY KEY,
        job_id INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
        provider TEXT NOT NULL,
        service TEXT NOT NULL,
        state TEXT NOT NULL,
        provider_id TEXT,
        created_at TEXT NOT NULL,
        created REAL NOT NULL,
        updated_at TEXT NOT NULL
    )""",
    """CREATE TABLE call (
        id INTEGER NOT NULL PRIMARY KEY,
        job_id INTEGER REFERENCES job (id) ON DELETE SET NULL,
        batch_id INTEGER REFERENCES batch (id) ON DELETE SET NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        state TEXT NOT NULL,
        "key" TEXT NOT NULL,
        tokens_in INTEGER NOT NULL DEFAULT 0,
        tokens_out INTEGER NOT NULL DEFAULT 0,
        tokens_cached INTEGER NOT NULL DEFAULT 0,
        worst_nano INTEGER NOT NULL,
        cost_nano INTEGER NOT NULL DEFAULT 0,
        currency TEXT NOT NULL,
        started_at TEXT NOT NULL,
        settled_at TEXT
    )""",
    """CREATE INDEX call_job_id_state_batch_id_worst_nano_cost_nano
        ON call (job_id, state, batch_id, worst_nano, cost_nano)""",
    """CREATE TABLE batch_item (
        batch_id INTEGER NOT NULL REFERENCES batch (id) ON DELETE CASCADE,
        custom_id TEXT NOT NULL,
        "key" TEXT NOT NULL,
        kind TEXT NOT NULL,
        charge TEXT NOT NULL,
        call_id INTEGER NOT NULL REFERENCES call (id) ON DELETE CASCADE,
        PRIMARY KEY (batch_id, custom_id)
    ) WITHOUT ROWID""",
)

_SENT = (
    """CREATE TABLE sent (
        account TEXT NOT NULL,
        writer TEXT NOT NULL,
        service TEXT NOT NULL,
        horizon_s REAL NOT NULL,
        requests TEXT NOT NULL,
        tokens TEXT NOT NULL,
        written_at REAL NOT NULL,
        PRIMARY KEY (account, writer)
    ) WITHOUT ROWID""",
)

Step = Callable[[SqliteDatabase], None]


def _running(statements: Sequence[str]) -> Step:
    def step(database: SqliteDatabase) -> None:
        for statement in statements:
            database.execute_sql(statement)  # type: ignore[no-untyped-call]

    return step


STEPS: tuple[Step, ...] = (_running(_HEADERS_LEDGER_AND_BATCHES), _running(_SENT))
"""The n-th step turns a file of version n into one of version n + 1. Never edit one that was released."""


def version(steps: Sequence[Step] = STEPS) -> int:
    """The version that a file has after all `steps`."""
    return 1 + len(steps)


def bring_up_to_date(database: SqliteDatabase, steps: Sequence[Step] = STEPS) -> None:
    """Take an empty file, or an older one of ours, through what it lacks of the history. To be called inside a transaction.

    The version is read here, under the write lock: another process may have done the work while we waited for it.
    """
    history = (_running(FIRST), *steps)
    found = int(database.pragma("user_version"))
    if found == 0:
        database.pragma("application_id", APPLICATION_ID)
    for step in history[found:]:
        step(database)
    database.pragma("user_version", len(history))
