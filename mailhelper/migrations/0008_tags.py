"""Tags: what the user files mail under, on which mails, where not, and the words that ratings suggest."""

from peewee import BlobField, BooleanField, CharField, Database, DateTimeField, ForeignKeyField, IntegerField, Model
from playhouse.migrate import SchemaMigrator


def up(migrator: SchemaMigrator, db: Database) -> None:
    del migrator

    class User(Model):
        class Meta:
            database = db
            table_name = "user"

    class Mail(Model):
        class Meta:
            database = db
            table_name = "mail"

    class Tag(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        name = BlobField()
        name_key = BlobField()
        colour = CharField(max_length=10)
        description = BlobField(null=True)
        automatic = BooleanField(default=False)
        profile = BlobField(null=True)
        created_at = DateTimeField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "tag"
            indexes = ((("user", "name_key"), True),)

    class MailTag(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        mail = ForeignKeyField(Mail, on_delete="CASCADE", index=False)
        tag = ForeignKeyField(Tag, on_delete="CASCADE")
        by = CharField(max_length=8)
        at = DateTimeField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "mail_tag"
            indexes = ((("mail", "tag"), True),)

    class TagRefusal(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        mail = ForeignKeyField(Mail, on_delete="CASCADE", index=False)
        tag = ForeignKeyField(Tag, on_delete="CASCADE")
        at = DateTimeField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "tag_refusal"
            indexes = ((("mail", "tag"), True),)

    class TagSuggestion(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        name = BlobField()
        name_key = BlobField()
        count = IntegerField(default=0)
        first_at = DateTimeField()
        last_at = DateTimeField()
        state = CharField(max_length=10, default="open")
        tag = ForeignKeyField(Tag, on_delete="CASCADE", null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "tag_suggestion"
            indexes = ((("user", "name_key"), True),)

    db.create_tables([Tag, MailTag, TagRefusal, TagSuggestion])
