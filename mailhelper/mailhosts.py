"""Where the common mail providers have their servers: a proposal that a person may change."""

from typing import NotRequired, TypedDict


class Endpoint(TypedDict):
    """One server; security is "tls", "starttls" or "none"."""
    host: str
    port: int
    security: str


class Proposal(TypedDict):
    """`hint` is the code of a sentence provider.<hint> of the catalogue, for providers with a peculiarity."""
    imap: Endpoint
    smtp: Endpoint
    hint: NotRequired[str]


# Host, and port with encryption: "993" and "465" mean TLS from the start, "143" and "587" STARTTLS.  Then the hint.
# As the providers' own help pages name them.
PROVIDERS = """
imap.gmail.com:993          smtp.gmail.com:465              app_password  gmail.com googlemail.com
outlook.office365.com:993   smtp-mail.outlook.com:587       oauth_only    outlook.com outlook.de outlook.fr outlook.at hotmail.com hotmail.de hotmail.fr hotmail.co.uk live.com live.de live.fr live.at msn.com
imap.gmx.net:993            mail.gmx.net:465                enable_imap   gmx.de gmx.net gmx.at gmx.ch gmx.org gmx.info gmx.eu
imap.gmx.com:993            mail.gmx.com:465                enable_imap   gmx.com gmx.li gmx.us gmx.co.uk gmx.fr gmx.es
imap.web.de:993             smtp.web.de:465                 enable_imap   web.de email.de
secureimap.t-online.de:993  securesmtp.t-online.de:465      mail_password t-online.de magenta.de
posteo.de:993               posteo.de:465                   -             posteo.de posteo.net posteo.org posteo.at posteo.ch posteo.eu posteo.me
imap.mailbox.org:993        smtp.mailbox.org:465            -             mailbox.org
imap.mail.me.com:993        smtp.mail.me.com:587            app_password  icloud.com me.com mac.com
imap.mail.yahoo.com:993     smtp.mail.yahoo.com:465         app_password  yahoo.com yahoo.de yahoo.fr yahoo.at yahoo.ch yahoo.co.uk yahoo.it yahoo.es ymail.com rocketmail.com
imap.aol.com:993            smtp.aol.com:465                app_password  aol.com aol.de aim.com
imap.fastmail.com:993       smtp.fastmail.com:465           app_password  fastmail.com fastmail.fm fastmail.de
imaps.bluewin.ch:993        smtpauths.bluewin.ch:465        -             bluewin.ch bluemail.ch
imap.hispeed.ch:993         smtp.hispeed.ch:465             -             hispeed.ch
imap.sunrise.ch:993         smtp.sunrise.ch:465             -             sunrise.ch
127.0.0.1:1143              127.0.0.1:1025                  bridge        protonmail.com protonmail.ch proton.me pm.me
imap.ionos.de:993           smtp.ionos.de:465               -             ionos.de
imap.strato.de:993          smtp.strato.de:465              -             strato.de
mx.freenet.de:993           mx.freenet.de:587               enable_imap   freenet.de freenetmail.de
securemail.a1.net:993       securemail.a1.net:587           -             a1.net aon.at
imap.zoho.eu:993            smtp.zoho.eu:465                enable_imap   zoho.eu zohomail.eu
imap.zoho.com:993           smtp.zoho.com:465               enable_imap   zoho.com zohomail.com
mail.infomaniak.com:993     mail.infomaniak.com:465         -             ik.me ikmail.com etik.com infomaniak.com infomaniak.ch
imap.hostpoint.ch:993       asmtp.mail.hostpoint.ch:465     -             hostpoint.ch
imap.migadu.com:993         smtp.migadu.com:465             -             migadu.com
imap.vodafonemail.de:993    smtp.vodafonemail.de:465        -             vodafonemail.de vodafone.de arcor.de
imap.1und1.de:993           smtp.1und1.de:465               -             1und1.de online.de onlinehome.de
imap.orange.fr:993          smtp.orange.fr:465              -             orange.fr wanadoo.fr
imap.free.fr:993            smtp.free.fr:465                -             free.fr
imap.laposte.net:993        smtp.laposte.net:465            -             laposte.net
imap.sfr.fr:993             smtp.sfr.fr:465                 -             sfr.fr neuf.fr
imap.mail.de:993            smtp.mail.de:465                -             mail.de
imap.mailfence.com:993      smtp.mailfence.com:465          -             mailfence.com
imap.yandex.com:993         smtp.yandex.com:465             app_password  yandex.com yandex.ru
imap.mail.ru:993            smtp.mail.ru:465                app_password  mail.ru
disroot.org:993             disroot.org:465                 -             disroot.org
mail.riseup.net:993         mail.riseup.net:465             -             riseup.net
mail.systemli.org:993       mail.systemli.org:465           -             systemli.org
""".strip().splitlines()      # noqa: E501

STARTTLS_PORTS = {143, 587, 1143, 1025}
BY_DOMAIN = {domain: line.split()[:3] for line in PROVIDERS for domain in line.split()[3:]}


def propose(address: str) -> Proposal:
    """Servers for an address: the provider's where it is known, else the usual names below its own domain."""
    domain = address.strip().rpartition("@")[2].rstrip(".").lower()
    imap, smtp, hint = BY_DOMAIN.get(domain, [f"imap.{domain}:993", f"smtp.{domain}:465", "-"])
    proposal: Proposal = {"imap": _endpoint(imap), "smtp": _endpoint(smtp)}
    if hint != "-":
        proposal["hint"] = hint
    return proposal


def _endpoint(text: str) -> Endpoint:
    host, _, port = text.rpartition(":")
    return {"host": host, "port": int(port), "security": "starttls" if int(port) in STARTTLS_PORTS else "tls"}
