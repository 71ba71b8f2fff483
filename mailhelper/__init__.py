"""A mail helper: fetches mail from IMAP, rates it on urgency and importance, and shows it calmly."""

__version__ = "0.1.0"

# Bottom to top.  A module may import only modules that stand before it (tests/test_layers.py).
ORDER = """
config logs process language errors text passwords crypto db models scope limits
egress headers html message calendars sanitize mailhosts
imapfolders imapwire imapfetch imaplarge imapidle imapcheck imaplogin imapstate imapwrite imap
smtp letter
aireply aiwire ai
lists deadline reading phishing bulk asks gist triage likeness
rules unsubscribing
checksums patterns namewords names anonymize concealed tongue local chatter answers prompts
queue jobs runner
users senders subjects habits trusted threads pace accounts removal usage endpoints providers search relink
tags tagging
invitations intake filters mails largemail later
styles drafts enclosures compose
ageing
rulebook rulefacts newsletters
ratings places journal acts
ruling trial
brief judge replies batch
preparer prefetch folders state sync preview outbox rsvp importer samplemail sample
threadlist watch status diagnosis
web.form web.compress web.render web.session web.routing web.side
web.tags web.ruleform web.senders
web.people web.styles web.matrix web.inbox web.drafts web.invitations web.judge
web.welcome
web.email web.largemail web.acts web.later web.outbox
web.journal web.threads web.accounts web.filters web.diagnosis web.providers web.jobs web.rules web.newsletters web.ops web.openapi
web.examples web.routes web.app
worker serve demo doctor cli __main__
""".split()
