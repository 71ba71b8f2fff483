"""Rules, the log of what they did, and up to where they have seen what arrived."""

from peewee import BlobField, BooleanField, CharField, Database, DateTimeField, ForeignKeyField, IntegerField, Model
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
        class Meta:
            database = db
            table_name = "act"

    class Rule(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        content = BlobField()
        priority = IntegerField()
        enabled = BooleanField()
        hits = IntegerField(default=0)
        hit_at = DateTimeField(null=True)
        error = CharField(max_length=40, null=True)
        created_at = DateTimeField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "rule"
            indexes = ((("user", "priority"), False),)

    class RuleHit(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        rule = ForeignKeyField(Rule, on_delete="SET NULL", null=True)
        mail = ForeignKeyField(Mail, on_delete="SET NULL", null=True)
        act = ForeignKeyField(Act, on_delete="SET NULL", null=True)
        what = CharField(max_length=16)
        state = CharField(max_length=10)
        error = CharField(max_length=40, null=True)
        detail = BlobField()
        at = DateTimeField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "rule_hit"
            indexes = ((("user", "at"), False),)

    class RuleCursor(Model):
        user = ForeignKeyField(User, on_delete="CASCADE", index=False)
        account = ForeignKeyField(Account, on_delete="CASCADE", unique=True)
        after = IntegerField()

        class Meta:
            database = db
            legacy_table_names = False
            table_name = "rule_cursor"

    db.create_tables([Rule, RuleHit, RuleCursor])
