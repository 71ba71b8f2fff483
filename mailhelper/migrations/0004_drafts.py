"""Reply drafts and the styles they are written in; how far a mailbox may use a model, and its signature."""

from peewee import SQL, BlobField, CharField, Database, DateTimeField, ForeignKeyField, Model, SmallIntegerField
from playhouse.migrate import SchemaMigrator, migrate


def up(migrator: SchemaMigrator, db: Database) -> None:
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

    class Style(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        name = CharField(max_length=16)
        content = BlobField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "style"
            indexes = ((("user", "name"), True),)

    class Draft(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        account = ForeignKeyField(Account, on_delete="CASCADE")
        mail = ForeignKeyField(Mail, on_delete="SET NULL", null=True, index=False)
        version = SmallIntegerField(default=1)
        state = CharField(max_length=10)
        style = CharField(max_length=16)
        written_by = CharField(max_length=100)
        people = BlobField()
        subject = BlobField()
        text = BlobField()
        created_at = DateTimeField()
        edited_at = DateTimeField(null=True)

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "draft"
            indexes = ((("mail", "version"), True), (("user", "created_at"), False))

    db.create_tables([Style, Draft])
    # Never by way of "add, fill, forbid NULL": SQLite would build the table anew, and dropping the old one takes all mail with it.
    migrate(
        migrator.add_column("account", "judge", CharField(max_length=8, constraints=[SQL("DEFAULT 'unsure'")]), allow_not_null=True),
        migrator.add_column("account", "judge_from", DateTimeField(null=True)),
        migrator.add_column("account", "signature", BlobField(null=True)))
