"""What a sync remembers of a folder so that it need not look again, and of a mail so that it is known wherever it goes."""

from peewee import BigIntegerField, BlobField, BooleanField, Database, IntegerField
from playhouse.migrate import SchemaMigrator, migrate


def up(migrator: SchemaMigrator, db: Database) -> None:
    # All nullable: SQLite would have to rebuild the tables otherwise, and dropping the old one takes along what refers to it.
    migrate(
        migrator.add_column("folder", "uidnext", BigIntegerField(null=True)),
        migrator.add_column("folder", "total", IntegerField(null=True)),
        migrator.add_column("folder", "modseq", BigIntegerField(null=True)),
        migrator.add_column("folder", "mailbox_key", BlobField(null=True)),
        migrator.add_column("mail", "keywords", BlobField(null=True)),
        migrator.add_column("mail", "object_key", BlobField(null=True)),
        migrator.add_column("mail", "partial", BooleanField(null=True)),
    )
    db.execute_sql('CREATE INDEX mail_object ON mail ("account_id", "object_key") WHERE "object_key" IS NOT NULL')
