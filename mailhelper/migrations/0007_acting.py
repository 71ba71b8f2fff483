"""Acting: what an act was done for, acts done together, refusals that were read; opened mail that stays unread."""

from peewee import BooleanField, Database, IntegerField
from playhouse.migrate import SchemaMigrator, migrate


def up(migrator: SchemaMigrator, db: Database) -> None:
    migrate(
        migrator.add_column("act", "reference", IntegerField(null=True)),
        migrator.add_column("act", "batch", IntegerField(null=True)),
        migrator.add_column("act", "told", BooleanField(null=True)),
        migrator.add_column("user", "leave_unread", BooleanField(null=True)),
    )
    db.execute_sql("CREATE INDEX act_untold ON act (user_id) WHERE state = 'refused' AND told IS NULL")
