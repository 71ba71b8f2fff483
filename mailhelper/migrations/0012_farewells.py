"""Mailing lists that the user left."""

from peewee import BlobField, CharField, Database, DateTimeField, ForeignKeyField, Model
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    del migrator

    class User(Model):
        class Meta:
            database = db
            table_name = "user"

    class Farewell(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        sender_key = BlobField()
        state = CharField(max_length=10)
        error = CharField(max_length=40, null=True)
        at = DateTimeField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "farewell"
            indexes = ((("user", "sender_key"), True),)

    db.create_tables([Farewell])
