"""The journal: what was done to mails, and whether their server was told."""

from peewee import BlobField, BooleanField, CharField, Database, DateTimeField, ForeignKeyField, Model
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    del migrator

    class User(Model):
        class Meta:
            database = db
            table_name = "user"

    class Account(Model):
        class Meta:
            database = db
            table_name = "account"

    class Mail(Model):
        class Meta:
            database = db
            table_name = "mail"

    class Act(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        account = ForeignKeyField(Account, on_delete="CASCADE", index=False)
        mail = ForeignKeyField(Mail, on_delete="SET NULL", null=True)
        what = CharField(max_length=10)
        value = BooleanField(null=True)
        state = CharField(max_length=10)
        sent = BooleanField(default=False)
        by = CharField(max_length=10)
        detail = BlobField()
        error = CharField(max_length=40, null=True)
        at = DateTimeField()
        done_at = DateTimeField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "act"
            indexes = ((("user", "at"), False), (("account", "state"), False))

    db.create_tables([Act])
