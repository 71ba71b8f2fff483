"""The corpus of real mails that other tests and the measurements stand on."""

import mailbox
import re

import pytest

from tests import corpus

pytestmark = pytest.mark.skipif(not corpus.available(), reason="the corpus of real mails is not there (python -m tests.corpus)")


def test_the_corpus_is_whole_and_grouped():
    groups = [mail.group for mail in corpus.mails()]
    assert (len(groups), groups.count("ham"), groups.count("spam")) == (corpus.SIZE, 4150, 1896)
    assert all(len(mail.raw) > 100 and not mail.raw.startswith(b"From ") for mail in corpus.mails())


def test_mails_past_the_end_of_the_corpus_have_message_ids_of_their_own():
    first, again = [mail.raw for number, mail in enumerate(corpus.many(corpus.SIZE + 1)) if number in (0, corpus.SIZE)]
    (own,) = re.findall(rb"(?im)^message-id:\s*(<.*>)", first)
    assert again == first.replace(own, own.replace(b"<", b"<copy1."), 1)


def test_a_maildir_has_each_mail_once_with_its_flags(tmp_path):
    assert corpus.build_maildir(tmp_path / "box", 50) == 50
    box = mailbox.Maildir(tmp_path / "box", create=False)
    found = sorted(box.items(), key=lambda item: item[0])
    assert [message.get_flags() for _, message in found] == [corpus.flags(number) for number in range(50)]
    assert {box.get_bytes(key) for key in box.keys()} == {mail.raw for mail in corpus.many(50)}  # noqa: SIM118
