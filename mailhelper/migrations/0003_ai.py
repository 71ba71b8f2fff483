"""AI servers, what was asked of them, and the two switches of a user about them."""

from peewee import BigIntegerField, BlobField, BooleanField, CharField, Database, DateTimeField, ForeignKeyField, IntegerField, Model
from playhouse.migrate import SchemaMigrator, migrate


def up(migrator: SchemaMigrator, db: Database) -> None:
    # Both may be null: for anything else SQLite would copy the table and drop the old one, and all that refers to it.
    migrate(
        migrator.add_column("user", "local_only", BooleanField(null=True)),
        migrator.add_column("user", "daily_tokens", IntegerField(null=True)),
    )

    class User(Model):
        class Meta:
            database = db
            table_name = "user"

    class AiProvider(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        detail = BlobField()
        offered = BlobField(null=True)
        local = BooleanField(default=False)
        timeout = IntegerField(default=120)
        budget = IntegerField(default=0)
        base_mode = CharField(max_length=60, default="")
        optimize_mode = CharField(max_length=60, default="")
        error = CharField(max_length=40, null=True)
        created_at = DateTimeField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "ai_provider"
            indexes = ((("user",), False),)

    class Usage(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        provider = IntegerField()
        kind = CharField(max_length=10)
        model = BlobField()
        tokens_in = IntegerField()
        tokens_out = IntegerField()
        cost = BigIntegerField(default=0)
        at = DateTimeField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "usage"
            indexes = ((("user", "at"), False),)

    db.create_tables([AiProvider, Usage])
