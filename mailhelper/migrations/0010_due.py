"""The day on which a rating is urgent by the mail's own deadline, and by which name a sender is known."""

from peewee import BlobField, Database, DateField
from playhouse.migrate import SchemaMigrator, migrate


def up(migrator: SchemaMigrator, db: Database) -> None:
    del db
    # Nullable: SQLite would have to rebuild the tables otherwise.
    migrate(
        migrator.add_column("rating", "due", DateField(null=True)),
        migrator.add_column("sender", "name_key", BlobField(null=True)),
        migrator.add_index("rating", ("due",)),
        migrator.add_index("sender", ("user_id", "name_key")),
    )
