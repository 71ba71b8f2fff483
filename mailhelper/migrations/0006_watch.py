"""Unattended sync and who listens to a server, mailboxes that are being removed, threads by subject, and what awaits an answer."""

from peewee import BlobField, BooleanField, CharField, Database, DateTimeField, ForeignKeyField, IntegerField, Model
from playhouse.migrate import SchemaMigrator, migrate


def up(migrator: SchemaMigrator, db: Database) -> None:
    # Both may be null: for anything else SQLite would copy the table and drop the old one, and all mail with it.
    migrate(
        migrator.add_column("account", "interval", IntegerField(null=True)),
        migrator.add_column("account", "removed_at", DateTimeField(null=True)),
    )

    class User(Model):
        class Meta:
            database = db
            table_name = "user"

    class Account(Model):
        class Meta:
            database = db
            table_name = "account"

    class Thread(Model):
        class Meta:
            database = db
            table_name = "thread"

    class Mail(Model):
        class Meta:
            database = db
            table_name = "mail"

    class Watch(Model):
        account = ForeignKeyField(Account, primary_key=True, on_delete="CASCADE")
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        due = DateTimeField()
        tried_at = DateTimeField(null=True)
        failures = IntegerField(default=0)
        way = CharField(max_length=4, default="")
        holder = CharField(max_length=100, null=True)
        leased_until = DateTimeField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "watch"
            indexes = ((("user",), False),)

    class ThreadSubject(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        thread = ForeignKeyField(Thread, on_delete="CASCADE")
        key = BlobField()
        at = DateTimeField()
        bare = BooleanField(default=False)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "thread_subject"
            indexes = ((("user", "key"), True),)

    class Asked(Model):
        mail = ForeignKeyField(Mail, primary_key=True, on_delete="CASCADE")
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        reasons = BlobField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "asked"
            indexes = ((("user",), False),)

    db.create_tables([Watch, ThreadSubject, Asked])
    migrate(migrator.add_index("mail", ("user_id", "thread_id", "date", "folder_id")))
