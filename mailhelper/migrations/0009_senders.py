"""Senders: what is learned of each, and whom the user trusts."""

from peewee import BlobField, CharField, Database, DateTimeField, ForeignKeyField, IntegerField, Model, SmallIntegerField
from playhouse.migrate import SchemaMigrator, migrate


def up(migrator: SchemaMigrator, db: Database) -> None:
    migrate(
        migrator.add_column("sender", "urgency", SmallIntegerField(null=True)),
        migrator.add_column("sender", "importance", SmallIntegerField(null=True)),
        migrator.add_column("sender", "category", CharField(max_length=20, null=True)),
        migrator.add_column("sender", "kind", CharField(max_length=20, null=True)),
        migrator.add_column("sender", "confidence", SmallIntegerField(null=True)),
        migrator.add_column("sender", "rated", IntegerField(null=True)),
        migrator.add_column("sender", "agreed", IntegerField(null=True)),
        migrator.add_column("sender", "corrected", IntegerField(null=True)),
        migrator.add_column("sender", "scanned", IntegerField(null=True)),
    )

    class User(Model):
        class Meta:
            database = db
            table_name = "user"

    class Account(Model):
        class Meta:
            database = db
            table_name = "account"

    class Trusted(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        account = ForeignKeyField(Account, on_delete="CASCADE", null=True)
        entry = BlobField()
        entry_key = BlobField()
        created_at = DateTimeField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "trusted"
            indexes = ((("user", "entry_key"), True),)

    db.create_tables([Trusted])
