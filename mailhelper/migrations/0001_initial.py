"""All tables of the first version, and the word index of each database (mailhelper/search.py)."""

from peewee import (
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    Database,
    DateTimeField,
    FloatField,
    ForeignKeyField,
    IntegerField,
    Model,
    PostgresqlDatabase,
    SmallIntegerField,
    TextField,
)
from playhouse.migrate import SchemaMigrator

SQLITE = [
    """CREATE VIRTUAL TABLE mail_words USING fts5(sender, people, subject, body, tokenize="ascii", detail=column)""",
    # Deleting must work while the owner is signed out: the row goes with its mail, no key needed.
    "CREATE TRIGGER mail_words_delete AFTER DELETE ON mail BEGIN DELETE FROM mail_words WHERE rowid = old.id; END",
]
POSTGRES = [
    "CREATE TABLE mail_words (mail_id integer PRIMARY KEY REFERENCES mail (id) ON DELETE CASCADE, words tsvector NOT NULL)",
    "CREATE INDEX mail_words_words ON mail_words USING gin (words)",
]


def up(migrator: SchemaMigrator, db: Database) -> None:
    del migrator

    class User(Model):
        name = CharField(unique=True, max_length=64)
        wrapped_key = TextField()
        admin = BooleanField(default=False)
        disabled = BooleanField(default=False)
        language = CharField(max_length=5, default="")
        timezone = CharField(max_length=40, default="UTC")
        theme = CharField(max_length=10, default="auto")
        density = CharField(max_length=12, default="comfortable")
        idle_minutes = IntegerField(default=30)
        created_at = DateTimeField()
        seen_at = DateTimeField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "user"

    class Throttle(Model):
        bucket = CharField(primary_key=True, max_length=64)
        count = IntegerField(default=0)
        until = DateTimeField(index=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "throttle"

    class Grant(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        purpose = CharField(max_length=10)
        secret_hash = BlobField(unique=True, null=True)
        wrapped = BlobField()
        subject = IntegerField(default=0)
        scopes = CharField(max_length=40, default="")
        label = BlobField(null=True)
        created_at = DateTimeField()
        used_at = DateTimeField()
        expires_at = DateTimeField(index=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "grant"
            indexes = ((("user", "purpose", "subject"), False),)

    class Account(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        name = BlobField()
        address = BlobField()
        address_key = BlobField()
        kind = CharField(max_length=8, default="imap")
        imap = BlobField(null=True)
        smtp = BlobField(null=True)
        mode = CharField(max_length=16, default="builtin")
        filters = BlobField(null=True)
        background = BooleanField(default=False)
        authserv = BlobField(null=True)
        synced_at = DateTimeField(null=True)
        error = CharField(null=True, max_length=40)
        created_at = DateTimeField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "account"
            indexes = ((("user", "address_key"), False),)

    class Folder(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        account = ForeignKeyField(Account, on_delete="CASCADE", index=False)
        name = BlobField()
        name_key = BlobField()
        role = CharField(max_length=8, default="")
        uidvalidity = BigIntegerField(default=0)
        scanned_at = DateTimeField(null=True)
        error = CharField(null=True, max_length=40)
        gone_at = DateTimeField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "folder"
            indexes = ((("account", "name_key"), True), (("user",), False))

    class Thread(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        latest = DateTimeField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "thread"
            indexes = ((("user", "latest"), False),)

    class ThreadKey(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        thread = ForeignKeyField(Thread, on_delete="CASCADE")
        key = BlobField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "thread_key"
            indexes = ((("user", "key"), True),)

    class Mail(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        account = ForeignKeyField(Account, on_delete="CASCADE", index=False)
        folder = ForeignKeyField(Folder, on_delete="CASCADE", index=False)
        uid = BigIntegerField()
        thread = ForeignKeyField(Thread, null=True, on_delete="SET NULL")
        message_key = BlobField(index=True, null=True)
        sender_key = BlobField(null=True)
        received = DateTimeField()
        date = DateTimeField()
        size = IntegerField()
        seen = BooleanField()
        flagged = BooleanField()
        answered = BooleanField()
        has_attachments = BooleanField()
        defective = BooleanField(default=False)
        done_at = DateTimeField(null=True)
        head = BlobField()
        layer = CharField(null=True, max_length=8)
        urgency = SmallIntegerField(null=True)
        importance = SmallIntegerField(null=True)
        score = SmallIntegerField(default=0)
        category = CharField(null=True, max_length=16)
        kind = CharField(null=True, max_length=16)
        needs_reply = BooleanField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "mail"
            indexes = ((("folder", "uid"), True), (("account", "date"), False), (("user", "date"), False), (("user", "score", "date"), False),
                       (("user", "folder", "done_at", "urgency", "importance", "seen", "needs_reply"), False))

    class Raw(Model):
        mail = ForeignKeyField(Mail, primary_key=True, on_delete="CASCADE")
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        data = BlobField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "raw"

    class Body(Model):
        mail = ForeignKeyField(Mail, primary_key=True, on_delete="CASCADE")
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        content = BlobField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "body"

    class Rating(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        mail = ForeignKeyField(Mail, on_delete="CASCADE", index=False)
        layer = CharField(max_length=8)
        urgency = SmallIntegerField(null=True)
        importance = SmallIntegerField(null=True)
        category = CharField(null=True, max_length=16)
        kind = CharField(null=True, max_length=16)
        spam = BooleanField(null=True)
        needs_reply = BooleanField(null=True)
        confidence = FloatField(default=0)
        rated_by = CharField(max_length=100)
        error = CharField(null=True, max_length=40)
        detail = BlobField()
        created_at = DateTimeField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "rating"
            indexes = ((("mail", "layer"), True),)

    class Sender(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        address = BlobField()
        address_key = BlobField()
        domain_key = BlobField()
        received = IntegerField(default=0)
        written = IntegerField(default=0)
        first_at = DateTimeField()
        last_at = DateTimeField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "sender"
            indexes = ((("user", "address_key"), True), (("user", "domain_key"), False))

    class Job(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        kind = CharField(max_length=40)
        subject = IntegerField(default=0)
        state = CharField(max_length=10, default="queued")
        claim = IntegerField(default=0)
        claimed_by = CharField(null=True, max_length=100)
        failures = IntegerField(default=0)
        losses = IntegerField(default=0)
        moved = IntegerField(default=0)
        progress = SmallIntegerField(default=0)
        done = IntegerField(default=0)
        total = IntegerField(default=0)
        message = CharField(null=True, max_length=40)
        note = BlobField(null=True)
        params = BlobField(null=True)
        result = BlobField(null=True)
        error = CharField(null=True, max_length=40)
        error_params = BlobField(null=True)
        due = DateTimeField()
        touched = DateTimeField()
        woken = DateTimeField()
        created_at = DateTimeField()
        started_at = DateTimeField(null=True)
        finished_at = DateTimeField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "job"
            indexes = ((("user", "created_at"), False), (("state", "due"), False))

    class JobLog(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        job = ForeignKeyField(Job, on_delete="CASCADE")
        at = DateTimeField()
        code = CharField(max_length=40)
        params = BlobField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "job_log"

    class Egress(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        at = DateTimeField()
        host = BlobField()
        port = IntegerField()
        purpose = CharField(max_length=16)
        sent = BigIntegerField()
        received = BigIntegerField()
        refused = BooleanField()
        reason = CharField(max_length=40)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "egress"
            indexes = ((("user", "at"), False),)

    db.create_tables([User, Throttle, Grant, Account, Folder, Thread, ThreadKey, Mail, Raw, Body, Rating, Sender, Job, JobLog, Egress])
    db.execute_sql(
        """CREATE UNIQUE INDEX job_one_active ON job ("user_id", "kind", "subject") WHERE "state" IN ('queued', 'running', 'retrying', 'waiting')""")
    for sql in POSTGRES if isinstance(db, PostgresqlDatabase) else SQLITE:
        db.execute_sql(sql)
