"""HTML mail to readable text: what a reader would see, the links, and whether something was hidden from the eye."""
import re
from functools import lru_cache
from html import unescape
from typing import NamedTuple

from mailhelper import text as strings

MAX_LINKS = 2_000
MAX_CROSSED = 60         # elements that one end tag may close

_PARAGRAPHS = frozenset("p h1 h2 h3 h4 h5 h6 blockquote pre ul ol table hr".split())
_BLOCKS = frozenset("address article aside body caption center dd details dir div dl dt fieldset figcaption figure footer form header html li "
                    "main menu nav option section summary tbody tfoot thead title tr".split())
# What an opening or closing tag leaves in the text: words of different blocks never glue together.
_BREAKS = {**dict.fromkeys(_BLOCKS, "\n"), **dict.fromkeys(_PARAGRAPHS, "\n\n"), "br": "\n", "li": "\n- ", "td": " ", "th": " "}
_SPECIAL = frozenset(("a", "area", "img"))
_VOID = frozenset("area base basefont bgsound br col embed frame hr img input link meta param source track wbr".split())

# Comments and elements whose content nobody reads, in one pass: whichever begins first ends the other's meaning.
_UNREAD = re.compile(r"<!--(.*?)(?:--!?>|\Z)|<(script|style|title|textarea|template|iframe|noembed|object|applet|svg|math|audio|video|xmp)"
                     r"\b[^>]*(?:>|\Z).*?(?:</\2\b[^>]*(?:>|\Z)|\Z)", re.I | re.S)
_UNREAD_BEGINS = re.compile(r"<(?:!--|[satiomnvx])", re.I)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]*)([^>]*)>?([^<]*(?:<(?![a-zA-Z/!?])[^<]*)*)|<[/!?][^>]*>?([^<]*)")
_PRE = re.compile(r"<pre\b.*?(?:</pre|\Z)", re.I | re.S)

_PROPERTY = re.compile(r"\b(display|visibility|opacity|font-size|font|color|background-color|background|bgcolor|max-height|height|max-width"
                       r"|width|overflow|text-indent|left|top)\s*[:=]\s*[\"']?\s*([^;\"'<>]{0,60})")
_HIDDEN_ATTRIBUTE = re.compile(r"\shidden(?:\s|=|$|/)")
_ZERO = re.compile(r"[01]?(?:\.\d+)?(?:px|pt)?(?:\s|!|/|$)|\.?0+(?:\.0*)?[a-z%]*(?:\s|!|/|$)", re.I)
_NOTHING = re.compile(r"0+(?:\.0*)?(?:px|pt|em|rem|%)?(?:\s|!|$)|\.0+(?:\s|$)", re.I)
_FAR_AWAY = re.compile(r"-\d{3,}")
_WHITE = frozenset(("#fff", "#ffffff", "white", "rgb(255,255,255)", "rgb(255, 255, 255)"))
_SIZE_OF_FONT = re.compile(r"(?:^|\s)(\d*\.?\d+[a-z%]*)(?:\s|/|$)", re.I)
_HREF = re.compile(r"\bhref\s*=\s*(?:\"([^\"]*)\"?|'([^']*)'?|([^\s>\"']+))", re.I)
_ALT = re.compile(r"\balt\s*=\s*(?:\"([^\"]*)\"?|'([^']*)'?|([^\s>\"']+))", re.I)
# Templates are full of comments; one that talks to a machine reader is meant to stay unseen by people.
_ADDRESSED = re.compile(r"\b(?:ignore|disregard|instructions?|assistant|prompt|language model|needs_reply|"
                        r"ignoriere?|anweisung(?:en)?|assistent)\b", re.I)

_GAPS = re.compile(r"\n{3,}")


class Link(NamedTuple):
    """What a link shows, and where it leads."""
    text: str
    href: str


class Rendered(NamedTuple):
    """Visible text with line breaks, the links in order, and whether text was hidden from the reader."""
    text: str
    links: tuple[Link, ...]
    hidden: bool


class _Look(NamedTuple):
    """How text looks at a place: removed from the page, too small to read, its colour on what background."""
    gone: bool = False
    tiny: bool = False
    color: str = ""
    background: str = ""
    unseen: bool = False


def render(html: str) -> Rendered:
    """Reads HTML as a browser's reader would; linear in its length, never fails."""
    scanner = _Scanner(html)
    scanner.run()
    return Rendered(_tidy("".join(scanner.out)), tuple(scanner.links), scanner.hidden)


def text(html: str) -> str:
    """The readable text alone."""
    return render(html).text


def links(html: str) -> list[tuple[str, str]]:
    """(text, href) of each link, in order; at most 2,000."""
    return [(link.text, link.href) for link in render(html).links]


def hidden(html: str) -> bool:
    """Whether the mail carries text that its reader cannot see (display:none, font-size:0, white on white, …)."""
    return render(html).hidden


class _Scanner:
    """One pass over the tags; `out` collects text pieces and line breaks."""

    def __init__(self, html: str) -> None:
        self.out: list[str] = []
        self.links: list[Link] = []
        self.hidden = False
        self.anchor: tuple[str, int] | None = None   # target of the open link, and where its text begins in `out`
        self.looks: dict[str, tuple[_Look, _Look]] = {}  # attributes → (look around, look inside)
        if "<" in html and _UNREAD_BEGINS.search(html):
            html = _UNREAD.sub(self.unread, html)
        if "\n" in html:
            if _PRE.search(html):
                html = _PRE.sub(lambda match: match[0].replace("\n", "<br>"), html)
            html = html.replace("\n", " ")
        self.html = html

    def run(self) -> None:
        html, append = self.html, self.out.append
        names: list[str] = []           # open elements, and the look around each
        looks: list[_Look] = []
        look = _Look(background="" if "background" in html or "bgcolor" in html.lower() else "#fff")
        seen = True
        first = _TAG.search(html)
        append(html[:first.start()] if first else html)
        for slash, name, attributes, data, other in _TAG.findall(html, first.start()) if first else ():
            name = name.lower()
            if name in _BREAKS:
                append("\n" if slash and name == "li" else _BREAKS[name])
            if slash:
                if name == "a":
                    self.close_link()
                # Elements that were never closed end with the one around them.
                if names and names[-1] == name or name in names[-MAX_CROSSED:]:
                    while names.pop() != name:
                        looks.pop()
                    look = looks.pop()
                    seen = not look.unseen
            elif name:
                if name not in _VOID:
                    names.append(name)
                    looks.append(look)
                if attributes:
                    if attributes.count('"') & 1 and '"' in data:
                        attributes, data = _mended(attributes, data)
                    if name in _SPECIAL:
                        self.special(name, attributes, seen)
                    low = attributes.lower()
                    if ("style" in low or "color" in low or "hidden" in low) and name not in _VOID:
                        look = self.styled(look, low)
                        seen = not look.unseen
            else:
                data = other
            if data:
                if seen:
                    append(data)
                elif not self.hidden and any(map(str.isalnum, data[:500])):
                    self.hidden = True
        self.close_link()

    def unread(self, match: re.Match[str]) -> str:
        comment = match[1]
        if comment and "<" not in comment and "{" not in comment and _ADDRESSED.search(comment[:2000]):
            self.hidden = True
        return " " if match[2] else ""

    def special(self, name: str, attributes: str, seen: bool) -> None:
        """A link begins, or a picture says what it shows."""
        if name == "img":
            if seen and (match := _ALT.search(attributes)):
                self.out.append(f" {match[1] or match[2] or match[3] or ''} ")
            return
        self.close_link()
        if (match := _HREF.search(attributes)) and len(self.links) < MAX_LINKS:
            self.anchor = (match[1] or match[2] or match[3] or "", len(self.out))
            if name == "area":
                self.close_link()

    def close_link(self) -> None:
        if self.anchor:
            href, begin = self.anchor
            self.links.append(Link(" ".join(unescape("".join(self.out[begin:])).split()), unescape(href).strip()))
            self.anchor = None

    def styled(self, outer: _Look, attributes: str) -> _Look:
        """The look inside an element with these attributes (lower case); newsletters say the same thousands of times."""
        known = self.looks.get(attributes)
        if known and known[0] is outer:
            return known[1]
        gone, tiny, color, background = _effects(attributes)
        gone = gone or outer.gone
        tiny = outer.tiny if tiny is None else tiny
        color = outer.color if color is None else color
        background = outer.background if background is None else background
        unseen = gone or tiny or color == "transparent" or bool(color) and color == background
        look = _Look(gone, tiny, color, background, unseen)
        self.looks[attributes] = (outer, look)
        return look


@lru_cache(maxsize=4096)
def _effects(attributes: str) -> tuple[bool, bool | None, str | None, str | None]:
    """What attributes (lower case) say of an element: gone, tiny, colour and background; None where they say nothing."""
    found = dict(_PROPERTY.findall(attributes))
    get = found.get
    gone = get("display", "").startswith("none") or get("visibility", "").startswith("hidden") or bool(_NOTHING.match(get("opacity", "")))
    if not gone and get("overflow", "").startswith("hidden"):
        gone = any(_NOTHING.match(get(name, "")) for name in ("max-height", "height", "max-width", "width"))
    gone = gone or any(name in found and _FAR_AWAY.match(found[name]) for name in ("text-indent", "left", "top"))
    gone = gone or "hidden" in attributes and bool(_HIDDEN_ATTRIBUTE.search(attributes))
    size = get("font-size", "")
    if not size and "font" in found and (match := _SIZE_OF_FONT.search(found["font"])):
        size = match[1]
    background = next((_color(found[name]) for name in ("background-color", "background", "bgcolor") if name in found), None)
    return bool(gone), bool(_ZERO.match(size)) if size else None, _color(found["color"]) if "color" in found else None, background


def _color(value: str) -> str:
    """A colour in one spelling; "" where a picture or a gradient makes it unknown."""
    value = value.replace("!important", "").strip()
    if value in _WHITE:
        return "#fff"
    if "url" in value or "gradient" in value or value == "inherit":
        return ""
    return value.split(" ")[0] if value[:1] == "#" else value


def _mended(attributes: str, data: str) -> tuple[str, str]:
    """A ">" within a quoted value did not end the tag."""
    more, _, rest = data.partition('"')
    tail, _, data = rest.partition(">")
    return f'{attributes}>{more}"{tail}', data


def _tidy(raw: str) -> str:
    if "&" in raw:
        raw = unescape(raw)
    lines = [" ".join(line.split()) for line in strings.visible(raw).split("\n")]
    return _GAPS.sub("\n\n", "\n".join(lines)).strip()
