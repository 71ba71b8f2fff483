"""Finding mail by words, of which the database knows only keyed hashes."""

import datetime as dt

import pytest

from mailhelper import db, errors, mails, search
from mailhelper.models import Mail
from mailhelper.scope import Scope
from tests.world import account, folder, keep, raw, remove

LETTERS = {
    "contract": raw("Contract for the Café", "Dear Ann, please sign by Friday. Die Straße ist gesperrt.", id="1@x"),
    "newsletter": raw("Weekly news", "Offers and friday deals", "Shop <news@shop.example>", id="2@x", List_Unsubscribe="<https://shop.example/u>"),
    "cat": raw("Photo of the cat", "Miau", "Bob Brown <bob@friends.example>", id="3@x", To="carl@friends.example",
               Date="Mon, 02 Nov 2026 10:00:00 +0000"),
}  # fmt: skip


@pytest.fixture
def names(ann: Scope) -> dict[int, str]:
    """{mail id: name} of LETTERS in one folder; the contract is flagged and read, the cat answered."""
    place = folder(ann, account(ann))
    rows = keep(ann, place, *LETTERS.values())
    ann.update(Mail, seen=True, flagged=True, urgency=3, importance=2).where(Mail.id == rows[0].id).execute()
    ann.update(Mail, answered=True, has_attachments=True, urgency=1, importance=1, kind="person").where(Mail.id == rows[2].id).execute()
    return {row.id: name for row, name in zip(rows, LETTERS, strict=True)}


def find(scope: Scope, names: dict[int, str], q: str) -> set[str]:
    with scope:
        found = mails.find(scope, q, 50, "en")
    assert found.total == len(found.items)
    return {names[row["id"]] for row in found.items}


@pytest.mark.parametrize("q,expected", [
    ("contract", {"contract"}), ("CONTRACT", {"contract"}), ("cafe", {"contract"}), ("Café", {"contract"}), ("STRASSE", {"contract"}),
    ("friday", {"contract", "newsletter"}), ("friday sign", {"contract"}), ("friday -sign", {"newsletter"}), ("-friday", {"cat"}),
    ("-friday -miau", set()), ("nowhere", set()), ("contrac", set()),
    ("from:bob", {"cat"}), ("from:friends.example", {"cat"}), ("From:bob@friends.example", {"cat"}), ("from:carl", set()),
    ("to:carl", {"cat"}), ("to:ann", {"contract", "newsletter"}), ("-to:ann", {"cat"}), ("subject:cat", {"cat"}), ("subject:miau", set()),
    ("body:miau", {"cat"}), ("body:cat", set()), ('subject:"weekly news"', {"newsletter"}), ("-subject:news friday", {"contract"}),
    ("is:unread", {"newsletter", "cat"}), ("is:read", {"contract"}), ("-is:read", {"newsletter", "cat"}), ("is:flagged", {"contract"}),
    ("is:answered", {"cat"}), ("has:attachment", {"cat"}), ("-has:attachment friday", {"contract", "newsletter"}),
    ("before:2026-11-03", {"cat"}), ("after:2026-11-03", {"contract", "newsletter"}), ("after:2026-11-02 before:2026-11-03", {"cat"}),
    ("urgency:3", {"contract"}), ("importance:1 kind:person", {"cat"}), ("friday is:unread", {"newsletter"}), ("-friday is:answered", {"cat"}),
    ("Re: contract", set()), ("IS:Unread friday", {"newsletter"}), ("https://shop.example", set()), ("10:30", set()),
])  # fmt: skip
def test_what_is_found(ann: Scope, names: dict[int, str], q: str, expected: set[str]) -> None:
    assert find(ann, names, q) == expected


@pytest.mark.parametrize("q,code", [
    ("", "search_empty"), (" . ", "search_empty"), ("-", "search_empty"), ('"open', "search_quote"), ("colour:red", "search_operator"),
    ("is:blue", "search_value"), ("has:wings", "search_value"), ("before:soon", "search_value"), ("after:2026-13-01", "search_value"),
    ("urgency:4", "search_value"), ("importance:high", "search_value"), ("kind:nonsense", "search_value"), ("from:", "search_value"),
    ("subject:...", "search_value"),
])  # fmt: skip
def test_a_bad_query_is_answered_with_a_sentence(q: str, code: str) -> None:
    with pytest.raises(errors.Invalid) as caught:
        search.parse(q)
    assert caught.value.code == code
    for lang in ("en", "de"):
        assert caught.value.sentence(lang) != errors.sentence(lang, "internal")


@pytest.mark.parametrize("q", ["a" * 5_000, "word " * 3_000, " ".join(f"w{n}" for n in range(3_000)), "' OR 1=1 --", 'x"" OR "y"', "NOT AND OR NEAR(",
                               "*", "sender:x*" * 2, "(", "{body}", "\x00zero", "\ud800", "%s ? %(x)s", "^foo", "🐈 -🐈"])
def test_no_query_is_a_crash(ann: Scope, names: dict[int, str], q: str) -> None:
    try:
        find(ann, names, q)
    except errors.Invalid as error:
        assert error.code.startswith("search_")


def test_hits_in_subject_or_people_come_before_hits_in_the_text(ann: Scope) -> None:
    place = folder(ann, account(ann))
    keep(ann, place, raw("Harbour", "nothing", id="1@x", Date="Mon, 02 Nov 2026 10:00:00 +0000"), raw("Other", "harbour harbour harbour", id="2@x"))
    assert [row["subject"] for row in mails.find(ann, "harbour", 10, "en").items] == ["Harbour", "Other"]


def test_the_total_counts_what_the_limit_cuts_off(ann: Scope) -> None:
    keep(ann, folder(ann, account(ann)), *(raw(f"Harbour {n}", id=f"{n}@x") for n in range(7)))
    found = mails.find(ann, "harbour", 3, "en")
    assert (len(found.items), found.total, found.next) == (3, 7, None)


def test_highlights_are_the_words_that_matched(ann: Scope, names: dict[int, str]) -> None:
    [row] = mails.find(ann, "cafe miriam -miau", 10, "en").items
    assert {"Café", "Miriam"} <= set(row["highlights"]) and "Contract" not in row["highlights"]


def test_another_users_words_are_not_found(ann: Scope, bob: Scope, names: dict[int, str]) -> None:
    with bob:
        keep(bob, folder(bob, account(bob)), raw("Harbour", "nothing", id="b@x"))
    for q in ("contract", "-harbour", "-harbour is:unread", "is:unread -nowhere"):
        with bob:
            assert {row["subject"] for row in mails.find(bob, q, 10, "en").items} <= {"Harbour"}
            assert mails.find(bob, q, 10, "en").total == (0 if "-harbour" in q or q == "contract" else 1)
    assert find(ann, names, "harbour") == set()


def test_an_exclusion_is_not_drowned_by_other_peoples_mail(ann: Scope, bob: Scope) -> None:
    with bob:
        keep(bob, folder(bob, account(bob)), *(raw(f"Harbour {n}", id=f"{n}@x") for n in range(50)))
    keep(ann, folder(ann, account(ann)), raw("Mine", id="m@x"))
    assert [row["subject"] for row in mails.find(ann, "-nowhere is:unread", 1, "en").items] == ["Mine"]


def test_the_index_holds_no_word(ann: Scope, names: dict[int, str]) -> None:
    rows = db.db.execute_sql("SELECT * FROM mail_words").fetchall()
    assert len(rows) == 3
    stored = str(rows).lower()
    for word in ("contract", "cafe", "friday", "miriam", "example", "straße", "strasse", "miau"):
        assert word not in stored
    if db.is_postgres():
        tokens = db.db.execute_sql("SELECT unnest(tsvector_to_array(words)) FROM mail_words").fetchall()
        assert tokens and all(len(token) == 7 for token, in tokens)


def test_two_people_have_other_tokens_for_the_same_word(ann: Scope, bob: Scope) -> None:
    one, two = search.Index(ann), search.Index(bob)
    assert one.token("contract") == search.Index(ann).token("contract") != two.token("contract")
    assert one.token("contract").isalpha() and len(one.token("contract")) == 7


def test_deleting_a_mail_takes_its_words_without_a_key(ann: Scope, names: dict[int, str]) -> None:
    gone = next(id for id, name in names.items() if name == "cat")
    ann.__exit__()
    try:
        Scope(ann.user, bytes(32)).delete(Mail).where(Mail.id == gone).execute()
    finally:
        ann.__enter__()
    assert find(ann, names, "miau") == set() and find(ann, names, "friday") == {"contract", "newsletter"}
    assert db.db.execute_sql("SELECT COUNT(*) FROM mail_words").fetchone()[0] == 2


def test_a_mail_that_gets_the_number_of_a_deleted_one_is_found_by_its_own_words(ann: Scope) -> None:
    """SQLite gives the highest number again."""
    box = account(ann)
    keep(ann, folder(ann, box), raw("Old", id="1@x"))
    remove(ann, box.id)
    [new] = keep(ann, folder(ann, account(ann)), raw("New", id="2@x"))
    assert find(ann, {new.id: "new"}, "new") == {"new"} and find(ann, {new.id: "new"}, "old") == set()


def test_a_mail_of_very_many_words_is_kept_and_found(ann: Scope) -> None:
    text = "\n".join(f"word{n} x{n}" for n in range(60_000))
    [row] = keep(ann, folder(ann, account(ann)), raw("Huge", text, id="1@x"))
    assert find(ann, {row.id: "huge"}, "word9000 subject:huge") == {"huge"}


def test_a_day_begins_at_midnight(ann: Scope) -> None:
    [row] = keep(ann, folder(ann, account(ann)), raw(id="1@x", Date="Fri, 20 Nov 2026 00:00:00 +0000"))
    assert row.date == dt.datetime(2026, 11, 20)
    assert find(ann, {row.id: "it"}, "after:2026-11-20") == {"it"} and find(ann, {row.id: "it"}, "before:2026-11-20") == set()
