"""Every table, and what of it a thief of the database could read.

    plain        ids, dates, sizes, flags, uids, ratings, states, counts, progress; and these words of our own making:
                 User.name .language .timezone .theme .density · Grant.purpose .scopes · Account.kind .mode .judge .error · Folder.role .error ·
                 Mail.layer .category .kind · Rating.layer .category .kind .rated_by .error · Style.name · Draft.state .style .written_by ·
                 Job.kind .state .claimed_by .message .error · JobLog.code · Act.what .state .by .error · Egress.purpose .reason ·
                 Watch.way .holder · AiProvider.base_mode .optimize_mode .error · Usage.kind ·
                 Tag.colour · MailTag.by · TagSuggestion.state · Invite.method .answer ·
                 Outgoing.state .copy .error · Sender.category .kind ·
                 Rule.error · RuleHit.what .state .error · Farewell.state .error
    sealed       Grant.label · Account.name .address .imap .smtp .filters .authserv .signature · Folder.name · Mail.head .keywords · Raw.data ·
                 Body.content · Rating.detail · Sender.address · Style.content · Draft.people .subject .text · Job.note .params .result
                 .error_params · JobLog.params · Act.detail · Egress.host · Asked.reasons · AiProvider.detail · Usage.model ·
                 Tag.name .description .profile · TagSuggestion.name · Invite.content ·
                 Enclosure.name .mime · Piece.data · Outgoing.detail .error_params ·
                 Trusted.entry · Rule.content · RuleHit.detail
    wrapped key  User.wrapped_key by the password; Grant.wrapped by the holder's secret or the instance key
    instance key AiProvider.offered: what an administrator offers to all (address, API key, models), since every user's jobs need it;
                 whoever has database and instance key can read it
    hash         Grant.secret_hash, Throttle.bucket
    keyed hash   beside a sealed value, where SQL must find it: Message-ID and References (Mail.message_key, ThreadKey.key), a subject together
                 with a person (ThreadSubject.key), sender address and domain (Mail.sender_key, Sender.address_key .domain_key .name_key),
                 the sender of a list that was left (Farewell.sender_key),
                 Folder.name_key, Account.address_key, words (mail_words, see search.py), the bytes of imported mail (Mail.uid of local
                 accounts), the server's own ids (Mail.object_key, Folder.mailbox_key), events (Invite.uid_key),
                 tag names (Tag.name_key, TagSuggestion.name_key), trusted senders (Trusted.entry_key)

Sealed columns open only inside their owner's Scope; no query here.  The table is true: tests/test_migrations.py.
"""

from peewee import (
    SQL,
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    DateField,
    DateTimeField,
    FloatField,
    ForeignKeyField,
    IntegerField,
    SmallIntegerField,
    TextField,
)

from mailhelper.db import Sealed, SealedBytes, SealedJSON, Table, now


class User(Table):
    """Somebody who signs in."""
    name = CharField(max_length=64, unique=True)
    wrapped_key = TextField()                               # the data key under the password: crypto.wrap_by_password
    admin = BooleanField(default=False)
    disabled = BooleanField(default=False)
    language = CharField(max_length=5, default="")          # "": what the browser asks for
    timezone = CharField(max_length=40, default="UTC")      # IANA name
    theme = CharField(max_length=10, default="auto")        # auto, light, dark
    density = CharField(max_length=12, default="comfortable")
    idle_minutes = IntegerField(default=30)                 # a session ends after this silence
    local_only = BooleanField(null=True)                    # "no cloud": egress.Policy.local_only
    daily_tokens = IntegerField(null=True)                  # what the user's models may use a day; null: no limit
    created_at = DateTimeField(default=now)
    seen_at = DateTimeField(null=True)                      # last sign-in
    leave_unread = BooleanField(null=True)                  # opening a mail does not mark it as read; null: no


class Throttle(Table):
    """How often something was tried: sign-ins by name and address block, calls by user."""
    bucket = CharField(max_length=64, primary_key=True)     # hash of what is counted; no address is kept
    count = IntegerField(default=0)
    until = DateTimeField(index=True)                       # the count is void afterwards


class Owned(Table):
    """A row that belongs to one user.  Reached only through a Scope."""
    user = ForeignKeyField(User, on_delete="CASCADE", backref="+", index=False)


class Grant(Owned):
    """A secret that opens the user's data key for one purpose until it expires ("service token")."""
    purpose = CharField(max_length=10)                      # session, api: the holder has the secret; job, background: the instance key opens
    secret_hash = BlobField(null=True, unique=True)         # SHA-256 of the holder's random secret
    wrapped = BlobField()                                   # the data key
    subject = IntegerField(default=0)                       # job: job id; background: account id
    scopes = CharField(max_length=40, default="")           # api: words of read, triage, write, admin
    label = Sealed(null=True)                               # api: the person's name for it; session: the browser
    created_at = DateTimeField(default=now)
    used_at = DateTimeField(default=now)                    # written at most once a minute
    expires_at = DateTimeField(index=True)

    class Meta:
        indexes = ((("user", "purpose", "subject"), False),)


REMOVED = "removed"         # role of the folders of a mailbox that is being deleted


class Account(Owned):
    """One mailbox of a user: on a server, or a local import."""
    name = Sealed()
    address = Sealed()
    address_key = BlobField()                               # keyed hash
    kind = CharField(max_length=8, default="imap")          # imap, local
    imap = SealedJSON(null=True)                            # {host, port, security, username, password, fingerprint}
    smtp = SealedJSON(null=True)                            # the same
    mode = CharField(max_length=16, default="builtin")      # none, builtin, llm_anonymized, llm_original
    judge = CharField(max_length=8, default="unsure", constraints=[SQL("DEFAULT 'unsure'")])      # where a model is asked: unsure, all
    judge_from = DateTimeField(null=True)                   # when a model was allowed: mail received before is left alone
    signature = Sealed(null=True)                           # under replies from this mailbox; wins over the style's
    filters = SealedJSON(null=True)                         # {include, exclude, since, unseen, newest, total, largest (MB of a mail)}
    background = BooleanField(default=False)                # the owner opted in to syncing while logged out
    authserv = Sealed(null=True)                            # authserv-id of the account's own mail server, learned (RFC 8601)
    synced_at = DateTimeField(null=True)                    # end of the last sync without error
    error = CharField(max_length=40, null=True)             # code of the last sync's failure
    created_at = DateTimeField(default=now)
    interval = IntegerField(null=True)                      # minutes between syncs that nobody asked for; null: pace.INTERVAL
    removed_at = DateTimeField(null=True)                   # its owner removed it: no Scope finds it any more, and a job deletes it

    class Meta:
        indexes = ((("user", "address_key"), False),)


class Watch(Owned):
    """How a mailbox is followed while nobody asks: when it is synced next, and which process listens to its server meanwhile."""
    account = ForeignKeyField(Account, on_delete="CASCADE", backref="+", primary_key=True)
    due = DateTimeField(default=now)                        # not synced by itself before
    tried_at = DateTimeField(null=True)                     # when a sync last ended, however it did
    failures = IntegerField(default=0)                      # syncs in a row that failed; the wait grows with them
    way = CharField(max_length=4, default="")               # idle: its server tells of new mail; poll: it cannot; "": not known yet
    holder = CharField(max_length=100, null=True)           # who listens: runner.me() of the watcher
    leased_until = DateTimeField(null=True)                 # another watcher may listen from then on

    class Meta:
        indexes = ((("user",), False),)


class Folder(Owned):
    """A folder of an account, as last seen."""
    account = ForeignKeyField(Account, on_delete="CASCADE", backref="+", index=False)
    name = Sealed()
    name_key = BlobField()
    role = CharField(max_length=8, default="")              # inbox, sent, drafts, trash, junk, archive, all, flagged or "", or REMOVED
    uidvalidity = BigIntegerField(default=0)                # 0: never scanned
    uidnext = BigIntegerField(null=True)                    # with `total` and `modseq` what the server said at the last scan that left nothing open:
    total = IntegerField(null=True)                         # while it says the same, nothing has changed there; null: look at everything
    modseq = BigIntegerField(null=True)                     # HIGHESTMODSEQ (RFC 7162); 0 where the server counts no changes
    mailbox_key = BlobField(null=True)                      # keyed hash of MAILBOXID (RFC 8474), which a renamed folder keeps
    scanned_at = DateTimeField(null=True)                   # last complete scan without error
    error = CharField(max_length=40, null=True)             # code of the last scan's failure
    gone_at = DateTimeField(null=True)                      # the server no longer lists it

    class Meta:
        indexes = ((("account", "name_key"), True), (("user",), False))


class Thread(Owned):
    """Mails joined by Message-ID and References."""
    latest = DateTimeField()                                # date of its newest mail

    class Meta:
        indexes = ((("user", "latest"), False),)


class ThreadKey(Owned):
    """A Message-ID that some mail of the thread has or names, so that a reply fetched months later joins."""
    thread = ForeignKeyField(Thread, on_delete="CASCADE", backref="+")
    key = BlobField()

    class Meta:
        indexes = ((("user", "key"), True),)


class ThreadSubject(Owned):
    """That a thread speaks with somebody under a subject: how an answer that names no Message-ID finds it."""
    thread = ForeignKeyField(Thread, on_delete="CASCADE", backref="+")
    key = BlobField()
    at = DateTimeField()                                    # date of the newest such mail of the thread
    bare = BooleanField(default=False)                      # it is itself such an answer, and what it answers has not come yet

    class Meta:
        indexes = ((("user", "key"), True),)


class Mail(Owned):
    """One message in one folder of one account, as lists show it; text and bytes are in Raw and Body.

    The columns from `layer` on repeat what counts of the rating layers (Rating), so that lists can sort and filter.
    """
    account = ForeignKeyField(Account, on_delete="CASCADE", backref="+", index=False)
    folder = ForeignKeyField(Folder, on_delete="CASCADE", backref="+", index=False)
    uid = BigIntegerField()                                 # IMAP UID under the folder's UIDVALIDITY; local: 53 bits of the keyed hash of the bytes
    thread = ForeignKeyField(Thread, on_delete="SET NULL", null=True, backref="+")
    message_key = BlobField(null=True, index=True)
    sender_key = BlobField(null=True)
    received = DateTimeField()                              # INTERNALDATE
    date = DateTimeField()                                  # the Date field where believable, else `received`
    size = IntegerField()
    seen = BooleanField()
    flagged = BooleanField()
    answered = BooleanField()
    has_attachments = BooleanField()
    defective = BooleanField(default=False)                 # something was wrong with its bytes; shown as such
    keywords = SealedJSON(null=True)                        # names of its keywords on the server, sorted; null: none
    object_key = BlobField(null=True)                       # keyed hash of EMAILID (RFC 8474) or X-GM-MSGID, which a mail keeps wherever it goes
    partial = BooleanField(null=True)                       # true: a large mail of which only header and text are here
    done_at = DateTimeField(null=True)                      # the owner has dealt with it
    head = SealedJSON()                                     # {subject, from: [name, address], to: [[name, address], …], snippet}
    layer = CharField(max_length=8, null=True)              # which Rating counts; null: not rated
    urgency = SmallIntegerField(null=True)
    importance = SmallIntegerField(null=True)
    score = SmallIntegerField(default=0)                    # 2·urgency + importance; 0: not rated
    category = CharField(max_length=16, null=True)
    kind = CharField(max_length=16, null=True)
    needs_reply = BooleanField(null=True)

    class Meta:
        indexes = (
            (("folder", "uid"), True),
            (("account", "date"), False),
            (("user", "date"), False),
            (("user", "score", "date"), False),
            (("user", "thread", "date", "folder"), False),      # the newest mail of each thread, and how many threads there are
            # What stands beside each page is counted in this index alone; rows are large, since they hold sealed subjects.
            (("user", "folder", "done_at", "urgency", "importance", "seen", "needs_reply"), False),
        )


Mail.add_index(Mail.index(Mail.account, Mail.object_key, where=Mail.object_key.is_null(False), name="mail_object"))


class Raw(Owned):
    """The bytes of a mail as they came.  Apart, so that nothing but reading touches them."""
    mail = ForeignKeyField(Mail, on_delete="CASCADE", backref="+", primary_key=True)
    data = SealedBytes()


class Body(Owned):
    """What reading a large mail shows, taken out when it came: its page must not open 25 MB to print a name."""
    mail = ForeignKeyField(Mail, on_delete="CASCADE", backref="+", primary_key=True)
    content = SealedJSON()                                  # mails.content's shape


class Rating(Owned):
    """One layer of a mail's triage; what counts is user > rule > optimize > base > pattern > builtin."""
    mail = ForeignKeyField(Mail, on_delete="CASCADE", backref="+", index=False)
    layer = CharField(max_length=8)
    urgency = SmallIntegerField(null=True)                  # null: a failed rating, or (layer user) a field not corrected
    importance = SmallIntegerField(null=True)
    category = CharField(max_length=16, null=True)
    kind = CharField(max_length=16, null=True)
    spam = BooleanField(null=True)
    needs_reply = BooleanField(null=True)
    confidence = FloatField(default=0)
    rated_by = CharField(max_length=100)                    # builtin, pattern, rule, llm:<model>, user
    error = CharField(max_length=40, null=True)             # failed: why; never feeds learning
    detail = SealedJSON()                                   # {summary, tags, reasons: [[code, params], …], note?}
    created_at = DateTimeField(default=now)
    due = DateField(null=True)                              # the day on which this mail is urgent, by its own deadline; ratings.age looks here

    class Meta:
        indexes = ((("mail", "layer"), True), (("due",), False))


class Asked(Owned):
    """That a mail the user wrote asks for an answer, so that its thread awaits one until somebody else writes."""
    mail = ForeignKeyField(Mail, on_delete="CASCADE", backref="+", primary_key=True)
    reasons = SealedJSON()                                  # [[code, params], …] as in Rating.detail

    class Meta:
        indexes = ((("user",), False),)


class Sender(Owned):
    """What is known of somebody who writes: counts, and how their mail is usually rated (habits.py)."""
    address = Sealed()
    address_key = BlobField()
    domain_key = BlobField()
    name_key = BlobField(null=True)                         # of the full name they were last seen with
    received = IntegerField(default=0)                      # mails from them
    written = IntegerField(default=0)                       # mails of the user to them, seen in Sent
    first_at = DateTimeField()
    last_at = DateTimeField()
    urgency = SmallIntegerField(null=True)                  # from here on null: nothing is learned
    importance = SmallIntegerField(null=True)
    category = CharField(max_length=20, null=True)
    kind = CharField(max_length=20, null=True)
    confidence = SmallIntegerField(null=True)               # 40–95
    rated = IntegerField(null=True)                         # ratings that it was learned from
    agreed = IntegerField(null=True)                        # those of them that said the same
    corrected = IntegerField(null=True)                     # times the user said so
    scanned = IntegerField(null=True)                       # id of the last mail that a scan has counted

    class Meta:
        indexes = ((("user", "address_key"), True), (("user", "domain_key"), False), (("user", "name_key"), False))


class Trusted(Owned):
    """Whom the user trusts: an address, or all of a domain."""
    account = ForeignKeyField(Account, on_delete="CASCADE", null=True, backref="+")        # for mail of this mailbox; null: of all
    entry = Sealed()                                        # a@b.example, @b.example (that host alone), b.example (and hosts below)
    entry_key = BlobField()                                 # keyed hash of account and entry
    created_at = DateTimeField(default=now)

    class Meta:
        indexes = ((("user", "entry_key"), True),)


class Style(Owned):
    """How the user's replies of one style are written; a style without a row is as styles.PLAIN says."""
    name = CharField(max_length=16)                         # professional, formal, friendly, brief, decline
    content = SealedJSON()                                  # {address, greeting, closing, signature, instructions}

    class Meta:
        indexes = ((("user", "name"), True),)


class Draft(Owned):
    """A mail that is being written.  A new answer of a model is a new row, so that what a person edited stays."""
    account = ForeignKeyField(Account, on_delete="CASCADE", backref="+")           # whom it will be from
    mail = ForeignKeyField(Mail, on_delete="SET NULL", null=True, backref="+", index=False)       # which it answers; null: none, or it is gone
    version = SmallIntegerField(default=1)                  # counts up by answered mail
    state = CharField(max_length=10, default="draft")
    style = CharField(max_length=16, default="")            # in which a model was asked to write it
    written_by = CharField(max_length=100)                  # llm:<model>, user
    people = SealedJSON()                                   # {to, cc, bcc}: [[name, address], …] each
    subject = Sealed()
    text = Sealed()
    created_at = DateTimeField(default=now)
    edited_at = DateTimeField(null=True)                    # when a person last changed it

    class Meta:
        indexes = ((("mail", "version"), True), (("user", "created_at"), False))


QUEUED, RUNNING, RETRYING, WAITING = "queued", "running", "retrying", "waiting"
COMPLETED, FAILED, CANCELLED = "completed", "failed", "cancelled"
ACTIVE = (QUEUED, RUNNING, RETRYING, WAITING)


class Job(Owned):
    """A piece of background work.  The row is the truth; the queue only wakes a worker."""
    kind = CharField(max_length=40)
    subject = IntegerField(default=0)                       # the account or mail it works on; 0: the user as a whole
    state = CharField(max_length=10, default=QUEUED)
    claim = IntegerField(default=0)                         # fence: raised by each worker that takes the job
    claimed_by = CharField(max_length=100, null=True)       # host, pid and start of that process, so that its death is seen at once
    failures = IntegerField(default=0)                      # retryable errors so far; a killed worker is none
    losses = IntegerField(default=0)                        # killed workers since the job last moved
    moved = IntegerField(default=0)                         # `done` at the last loss: a job that kills its worker must end too
    progress = SmallIntegerField(default=0)                 # 0-100
    done = IntegerField(default=0)
    total = IntegerField(default=0)
    message = CharField(max_length=40, null=True)           # catalogue key job.message.<this>
    note = SealedJSON(null=True)                            # its params
    params = SealedJSON(null=True)                          # what was asked
    result = SealedJSON(null=True)
    error = CharField(max_length=40, null=True)
    error_params = SealedJSON(null=True)
    due = DateTimeField(default=now)                        # not before
    touched = DateTimeField(default=now)                    # heartbeat of the running worker
    woken = DateTimeField(default=now)                      # when a message for it was last put into the queue
    created_at = DateTimeField(default=now)
    started_at = DateTimeField(null=True)
    finished_at = DateTimeField(null=True)

    class Meta:
        indexes = ((("user", "created_at"), False), (("state", "due"), False))


Job.add_index(Job.index(Job.user, Job.kind, Job.subject, unique=True, where=(Job.state << ACTIVE), name="job_one_active"))


class JobLog(Owned):
    """What happened to a job, for its page."""
    job = ForeignKeyField(Job, on_delete="CASCADE", backref="+")
    at = DateTimeField(default=now)
    code = CharField(max_length=40)                         # catalogue key job.log.<this>
    params = SealedJSON(null=True)


PENDING, DONE, REFUSED, UNDONE = "pending", "done", "refused", "undone"


class Act(Owned):
    """A line of the journal: something done to a mail here at once, and told to its server by a job."""
    account = ForeignKeyField(Account, on_delete="CASCADE", backref="+", index=False)
    mail = ForeignKeyField(Mail, on_delete="SET NULL", null=True, backref="+")       # null: the mail is no longer here
    what = CharField(max_length=10)                         # seen, flagged, answered, keyword, move, trash, archive, undelete; sent
    value = BooleanField(null=True)                         # of a flag or keyword: what it was set to; it was the other before
    state = CharField(max_length=10, default=PENDING)       # done only when the server has confirmed it
    sent = BooleanField(default=False)                      # the server may have heard of it: an answer that got lost is looked for
    by = CharField(max_length=10, default="user")           # user, rule, job
    reference = IntegerField(null=True)                     # the rule or job that did it; no foreign key: the journal outlives them
    batch = IntegerField(null=True)                         # the first act of those done by one click; null of that one itself
    told = BooleanField(null=True)                          # its owner has read that it was refused
    detail = SealedJSON()                                   # {subject, from: place, to?: place, next?, undoes?, …}; see journal.py
    error = CharField(max_length=40, null=True)             # why it was refused, or what is not quite right though done
    at = DateTimeField(default=now)
    done_at = DateTimeField(null=True)                      # when it left `pending`

    class Meta:
        indexes = ((("user", "at"), False), (("account", "state"), False))


Act.add_index(Act.index(Act.user, where=(Act.state == REFUSED) & Act.told.is_null(), name="act_untold"))


class Snooze(Owned):
    """A mail that lists leave out for a while."""
    mail = ForeignKeyField(Mail, on_delete="CASCADE", backref="+", primary_key=True)
    until = DateTimeField()                                 # from then on it is back; the row stays until its owner has seen it
    answer = BooleanField(default=False)                    # it is back with the first answer in its thread, too
    answered = BooleanField(null=True)                      # which came
    created_at = DateTimeField(default=now)

    class Meta:
        indexes = ((("user", "until"), False),)


class Invite(Owned):
    """What the calendar part of a mail says."""
    mail = ForeignKeyField(Mail, on_delete="CASCADE", backref="+", primary_key=True)
    uid_key = BlobField()                                   # keyed hash of the event's UID, RECURRENCE-ID and organizer
    method = CharField(max_length=14)                       # request, reply, cancel, …
    sequence = IntegerField(default=0)
    stamp = DateTimeField(null=True)                        # DTSTAMP
    answer = CharField(max_length=10, null=True)            # what the owner answered: accepted, tentative, declined
    content = SealedJSON()                                  # invitations._content's shape

    class Meta:
        indexes = ((("user", "uid_key"), False),)


class Occasion(Owned):
    """When an event of a mail is: once, or for each of the first occurrences of a series."""
    mail = ForeignKeyField(Mail, on_delete="CASCADE", backref="+")
    start = DateTimeField()
    end = DateTimeField()

    class Meta:
        indexes = ((("user", "end"), False),)


class Enclosure(Owned):
    """A file enclosed with a draft; its bytes are in Piece."""
    draft = ForeignKeyField(Draft, on_delete="CASCADE", backref="+")
    name = Sealed()
    mime = Sealed()
    size = IntegerField()


class Piece(Owned):
    """A part of an enclosed file."""
    enclosure = ForeignKeyField(Enclosure, on_delete="CASCADE", backref="+", index=False)
    number = IntegerField()
    data = SealedBytes()

    class Meta:
        indexes = ((("enclosure", "number"), True),)


class Outgoing(Owned):
    """A mail on its way out; what is to be sent is its draft."""
    account = ForeignKeyField(Account, on_delete="CASCADE", backref="+")
    draft = ForeignKeyField(Draft, on_delete="SET NULL", null=True, backref="+")      # null: sent and filed, so it is no draft any more
    mail = ForeignKeyField(Mail, on_delete="SET NULL", null=True, backref="+")        # which it answers
    state = CharField(max_length=10, default="waiting")     # waiting, sending, handing, sent, failed, unknown, undone; see outbox.py
    copy = CharField(max_length=8, null=True)               # in Sent: filed by us, there already, failed; null: not looked after yet
    detail = SealedJSON()                                   # {message_id, date, subject, to: [address, …], answer?, calendar?}
    error = CharField(max_length=40, null=True)             # why it was not sent
    error_params = SealedJSON(null=True)
    created_at = DateTimeField(default=now)
    sent_at = DateTimeField(null=True)

    class Meta:
        indexes = ((("user", "state"), False),)


class Egress(Owned):
    """One outbound connection, or one that was refused."""
    at = DateTimeField()
    host = Sealed()
    port = IntegerField()
    purpose = CharField(max_length=16)                      # imap, smtp, ai, unsubscribe
    sent = BigIntegerField()
    received = BigIntegerField()
    refused = BooleanField()
    reason = CharField(max_length=40)

    class Meta:
        indexes = ((("user", "at"), False),)


class AiProvider(Owned):
    """An AI server that speaks OpenAI's protocol."""
    detail = SealedJSON()                                   # {name, base_url, api_key, base_model, optimize_model, embedding_model, prices}
    offered = BlobField(null=True)                          # the same under the instance key, while an administrator offers it to all
    local = BooleanField(default=False)                     # its owner wants it to be on this machine or LAN: refused wherever else it turns up
    timeout = IntegerField(default=120)                     # seconds that one question may take
    budget = IntegerField(default=0)                        # tokens a day for each other user it is offered to; 0: no limit
    base_mode = CharField(max_length=60, default="")        # ai.Mode: how base_model answers, learned; written by whoever asks
    optimize_mode = CharField(max_length=60, default="")
    error = CharField(max_length=40, null=True)             # code of the last question's failure
    created_at = DateTimeField(default=now)

    class Meta:
        indexes = ((("user",), False),)


class Usage(Owned):
    """One question to a model and what it took: an estimate while it is under way, so that budgets hold, then what the server says."""
    provider = IntegerField()                               # AiProvider.id; it may be another user's who offers it, or gone
    kind = CharField(max_length=10)                         # base, optimize, reply, embed, test
    model = Sealed()
    tokens_in = IntegerField()
    tokens_out = IntegerField()
    cost = BigIntegerField(default=0)                       # millionths of whatever currency the prices are in
    at = DateTimeField(default=now)

    class Meta:
        indexes = ((("user", "at"), False),)


class Tag(Owned):
    """A word that the user files mail under."""
    name = Sealed()
    name_key = BlobField()                                  # of the folded name: "Straße" and "strasse" are one tag
    colour = CharField(max_length=10)                       # one of tags.COLOURS
    description = Sealed(null=True)                         # what belongs under it; compared with mails until enough are tagged
    automatic = BooleanField(default=False)                 # the owner wants it put on by itself
    profile = SealedJSON(null=True)                         # {learned, refused: {keyed word: weight}, mails}: likeness.Profile
    created_at = DateTimeField(default=now)

    class Meta:
        indexes = ((("user", "name_key"), True),)


class MailTag(Owned):
    """A tag on a mail."""
    mail = ForeignKeyField(Mail, on_delete="CASCADE", backref="+", index=False)
    tag = ForeignKeyField(Tag, on_delete="CASCADE", backref="+")
    by = CharField(max_length=8)                            # user, rule, auto; what was put on by itself teaches nothing
    at = DateTimeField(default=now)

    class Meta:
        indexes = ((("mail", "tag"), True),)


class TagRefusal(Owned):
    """The user does not want this tag on this mail: it is not suggested there again, and less for what is like it."""
    mail = ForeignKeyField(Mail, on_delete="CASCADE", backref="+", index=False)
    tag = ForeignKeyField(Tag, on_delete="CASCADE", backref="+")
    at = DateTimeField(default=now)

    class Meta:
        indexes = ((("mail", "tag"), True),)


OPEN, REJECTED, MERGED = "open", "rejected", "merged"


class TagSuggestion(Owned):
    """A word that ratings file mail under, and what the user thinks of it as a tag; counted on, whatever that is."""
    name = Sealed()
    name_key = BlobField()
    count = IntegerField(default=0)                         # ratings that suggested it
    first_at = DateTimeField()
    last_at = DateTimeField()
    state = CharField(max_length=10, default=OPEN)          # open, rejected, merged; approved ones are tags
    tag = ForeignKeyField(Tag, on_delete="CASCADE", null=True, backref="+")      # merged: what it stands for

    class Meta:
        indexes = ((("user", "name_key"), True),)


class Rule(Owned):
    """What the user wants done with mail that meets conditions."""
    content = SealedJSON()                                  # {name, match, threshold, conditions, actions}: rules.checked
    priority = IntegerField()                               # lower ones come first
    enabled = BooleanField()
    hits = IntegerField(default=0)                          # mails that it did something to
    hit_at = DateTimeField(null=True)
    error = CharField(max_length=40, null=True)             # why it was left out of a run: rule_slow; until it is changed
    created_at = DateTimeField(default=now)

    class Meta:
        indexes = ((("user", "priority"), False),)


class RuleHit(Owned):
    """A line of the rules' log: what a rule did to a mail."""
    rule = ForeignKeyField(Rule, on_delete="SET NULL", null=True, backref="+")
    mail = ForeignKeyField(Mail, on_delete="SET NULL", null=True, backref="+")
    act = ForeignKeyField(Act, on_delete="SET NULL", null=True, backref="+")        # what the server is told; its state counts, not ours
    what = CharField(max_length=16)                         # one of rules.ACTIONS
    state = CharField(max_length=10)                        # done, refused, undone; of an act: as it was when it was begun
    error = CharField(max_length=40, null=True)             # refused: why
    detail = SealedJSON()                                   # {rule: name, subject, value, before: what a rule had set there}
    at = DateTimeField(default=now)

    class Meta:
        indexes = ((("user", "at"), False),)


class RuleCursor(Owned):
    """Up to which mail of an account rules have seen what arrived."""
    account = ForeignKeyField(Account, on_delete="CASCADE", backref="+", unique=True)
    after = IntegerField()                                  # id of a mail; the column says no more than the order in which mails came


class Farewell(Owned):
    """That the user left the list of a sender, and what their server said."""
    sender_key = BlobField()                                # Mail.sender_key of the list's mail
    state = CharField(max_length=10)                        # done, refused
    error = CharField(max_length=40, null=True)             # refused: why
    at = DateTimeField(default=now)

    class Meta:
        indexes = ((("user", "sender_key"), True),)


TABLES = [User, Throttle, Grant, Account, Folder, Thread, ThreadKey, Mail, Raw, Body, Rating, Sender, Style, Draft, Job, JobLog, Act, Egress]
TABLES += [Watch, ThreadSubject, Asked, AiProvider, Usage]
TABLES += [Tag, MailTag, TagRefusal, TagSuggestion, Rule, RuleHit, RuleCursor, Farewell]
TABLES += [Snooze, Invite, Occasion, Enclosure, Piece, Outgoing]
TABLES += [Trusted]
