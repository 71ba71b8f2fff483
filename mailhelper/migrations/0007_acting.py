"""Acting: what an act was done for, acts done together, refusals that were read; opened mail that stays unread;
mail put off; invitations; mail on its way out."""

from peewee import BlobField, BooleanField, CharField, Database, DateTimeField, ForeignKeyField, IntegerField, Model
from playhouse.migrate import SchemaMigrator, migrate


def up(migrator: SchemaMigrator, db: Database) -> None:
    migrate(
        migrator.add_column("act", "reference", IntegerField(null=True)),
        migrator.add_column("act", "batch", IntegerField(null=True)),
        migrator.add_column("act", "told", BooleanField(null=True)),
        migrator.add_column("user", "leave_unread", BooleanField(null=True)),
    )
    db.execute_sql("CREATE INDEX act_untold ON act (user_id) WHERE state = 'refused' AND told IS NULL")

    class User(Model):
        class Meta:
            database = db
            table_name = "user"

    class Mail(Model):
        class Meta:
            database = db
            table_name = "mail"

    class Snooze(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        mail = ForeignKeyField(Mail, on_delete="CASCADE", primary_key=True)
        until = DateTimeField()
        answer = BooleanField(default=False)
        answered = BooleanField(null=True)
        created_at = DateTimeField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "snooze"
            indexes = ((("user", "until"), False),)

    class Invite(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        mail = ForeignKeyField(Mail, on_delete="CASCADE", primary_key=True)
        uid_key = BlobField()
        method = CharField(max_length=14)
        sequence = IntegerField(default=0)
        stamp = DateTimeField(null=True)
        answer = CharField(max_length=10, null=True)
        content = BlobField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "invite"
            indexes = ((("user", "uid_key"), False),)

    class Occasion(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        mail = ForeignKeyField(Mail, on_delete="CASCADE")
        start = DateTimeField()
        end = DateTimeField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "occasion"
            indexes = ((("user", "end"), False),)

    class Account(Model):
        class Meta:
            database = db
            table_name = "account"

    class Draft(Model):
        class Meta:
            database = db
            table_name = "draft"

    class Enclosure(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        draft = ForeignKeyField(Draft, on_delete="CASCADE")
        name = BlobField()
        mime = BlobField()
        size = IntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "enclosure"

    class Piece(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        enclosure = ForeignKeyField(Enclosure, on_delete="CASCADE", index=False)
        number = IntegerField()
        data = BlobField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "piece"
            indexes = ((("enclosure", "number"), True),)

    class Outgoing(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        account = ForeignKeyField(Account, on_delete="CASCADE")
        draft = ForeignKeyField(Draft, on_delete="SET NULL", null=True)
        mail = ForeignKeyField(Mail, on_delete="SET NULL", null=True)
        state = CharField(max_length=10)
        copy = CharField(max_length=8, null=True)
        detail = BlobField()
        error = CharField(max_length=40, null=True)
        error_params = BlobField(null=True)
        created_at = DateTimeField()
        sent_at = DateTimeField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "outgoing"
            indexes = ((("user", "state"), False),)

    db.create_tables([Snooze, Invite, Occasion, Enclosure, Piece, Outgoing])
