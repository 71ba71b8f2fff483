"""Signs in to an IMAP server, and tells a wrong password from a server that asks for patience."""

import imaplib
import re

from mailhelper import errors
from mailhelper.imapwire import Wire, is_in_use


def sign_in(wire: Wire, username: str, secret: str, encrypted: bool) -> None:
    """LOGIN, or AUTHENTICATE PLAIN (RFC 4616) where LOGIN is off or could not carry the characters.

    Raises BadLogin, Busy, or Refused (login_needs_tls, login_method_missing).
    """
    if wire.state == "AUTH":
        return      # PREAUTH
    if re.search(r"[\r\n\0]", username + secret):
        raise errors.BadLogin(host=wire.host)
    disabled, plain = "LOGINDISABLED" in wire.capabilities, "AUTH=PLAIN" in wire.capabilities
    if disabled and not plain:
        raise errors.Refused("login_method_missing" if encrypted else "login_needs_tls", host=wire.host)
    user, password = username.encode(), secret.encode()
    try:
        if plain and (disabled or not (user.isascii() and password.isascii())):
            wire.authenticate("PLAIN", lambda _: b"\0" + user + b"\0" + password)
        else:
            wire.login_quoted(user, password)
    except imaplib.IMAP4.error as error:
        raise _failure(str(error), wire.host) from None


def _failure(words: str, host: str) -> errors.Error:
    if is_in_use(words):
        return errors.Busy("server_busy", host=host)
    if re.search(r"PRIVACYREQUIRED", words, re.IGNORECASE):
        return errors.Refused("login_needs_tls", host=host)
    if re.search(r"app(lication)?[- ]specific password|app password", words, re.IGNORECASE):
        return errors.BadLogin("login_app_password", host=host)
    return errors.BadLogin(host=host)
