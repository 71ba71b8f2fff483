"""Mail HTML to HTML that may be shown in a sandboxed frame: nothing runs, nothing is sent, nothing loads until asked."""
import re
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote

import nh3

from mailhelper import html as readable

MAX_HTML = 3_000_000    # characters
MAX_CSS = 300_000
MAX_DEPTH = 150         # open elements, table cells not counted; newsletters reach 60

_TAGS = frozenset(
    "a abbr acronym address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del details dfn dir "
    "div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd label li main mark nav nobr ol p pre q "
    "rp rt ruby s samp section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr".split())
# Their content goes with them; all other unknown elements leave their content behind.
_DROPPED = frozenset(
    "script style title template iframe frame frameset object embed applet svg math noembed noframes textarea select option audio "
    "video canvas xmp".split())
_EVERYWHERE = frozenset("align bgcolor class dir height id lang role style title valign width".split())
_ATTRIBUTES = {
    "a": {"href", "name"}, "img": {"src", "alt", "border", "hspace", "vspace"}, "font": {"color", "face", "size"}, "ol": {"start", "type"},
    "ul": {"type"}, "li": {"value", "type"}, "table": {"background", "border", "cellpadding", "cellspacing", "summary", "rules", "frame"},
    "td": {"background", "colspan", "rowspan", "nowrap", "abbr"}, "th": {"background", "colspan", "rowspan", "nowrap", "abbr", "scope"},
    "tr": {"background"}, "tbody": {"background"}, "div": {"background"}, "col": {"span"}, "colgroup": {"span"},
    "hr": {"size", "noshade", "color"},
    "blockquote": {"type"}, "time": {"datetime"}, "details": {"open"}, "br": {"clear"},
}
_ALLOWED = {tag: set(_EVERYWHERE | _ATTRIBUTES.get(tag, set())) for tag in _TAGS}
_PROPERTIES = frozenset(
    "background background-color background-image background-position background-repeat background-size border-collapse "
    "border-spacing box-sizing caption-side clear color column-count column-gap columns direction display empty-cells float font "
    "font-family font-size font-style font-variant font-weight gap height hyphens letter-spacing line-height list-style "
    "list-style-position list-style-type max-height max-width min-height min-width object-fit opacity overflow overflow-wrap "
    "overflow-x overflow-y quotes table-layout text-align text-decoration text-decoration-color text-decoration-line text-indent "
    "text-overflow text-shadow text-transform unicode-bidi vertical-align visibility white-space width word-break word-spacing "
    "word-wrap box-shadow".split())
_FAMILIES = ("border", "margin", "padding", "outline", "flex", "align-", "justify-")
_FUNCTIONS = frozenset("rgb rgba hsl hsla calc min max clamp linear-gradient radial-gradient repeating-linear-gradient".split())

_BODY_TAG = re.compile(r"<(/?)body\b", re.I)
_STYLE = re.compile(r"<style\b[^>]*(?:>|\Z)(.*?)(?:</style|\Z)", re.I | re.S)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^>]*(?:>|\Z)")
# Elements that do not nest in themselves, or hold nothing.
_FLAT = frozenset("p li td th tr tbody dt dd option area base basefont br col embed frame hr img input link meta param wbr".split())
_INVISIBLE = re.compile("[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]+")
_LINK = re.compile(r"https?:/*[^/\s]|mailto:", re.I)
_REMOTE = re.compile(r"(?:https?:|ftp:)?/[/\\]|https?:", re.I)
_PICTURE = re.compile(r"data:image/(?:png|jpe?g|gif|webp|bmp|avif);base64,[A-Za-z0-9+/=]+\Z", re.I)
_SAFE_URL = re.compile(r"https?://[\w.~:/?#@!$&*+,;=%\[\]-]+\Z|data:image/[a-z]+;base64,[A-Za-z0-9+/=]+\Z|/[\w./?=&%-]*\Z", re.I)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.S)
_URL = re.compile(r"https?://[\w.~:/?#@!$&*+,;=%\[\]-]+\Z|data:image/[a-z]+;base64,[A-Za-z0-9+/=]+\Z|/[\w./?=&%-]*\Z", re.I)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.S)
_DECLARATION = re.compile(r"""((?:[^;"'(]|"[^"]*"|'[^']*'|\((?:[^()"']|"[^"]*"|'[^']*'|\([^()]*\))*\)|["'(])+)(?:;|\Z)""")
_URL = re.compile(r"""\burl\s*\(\s*(?:"([^"]*)"|'([^']*)'|([^)"']*))\s*\)?""", re.I)
_FUNCTION = re.compile(r"([\w-]*)\s*\(")
_STRING = re.compile(r"""\"[^"<>{}]*\"|'[^'<>{}]*'""")
_GROUP = re.compile(r"\([^()]*\)")
_KEPT = re.compile("\x01(\\d+)\x01")
_BRACE = re.compile(r"[{}]")
_SELECTOR = re.compile(r"""(?:[\w\s.#:,>+~*-]|\([\w\s.#:-]*\)|\[[\w-]+(?:[~|^$*]?=(?:"[\w\s-]*"|'[\w\s-]*'|[\w-]+))?\])+\Z""")
_MEDIA = re.compile(r"@media[\w\s:,.-]*(?:\([\w\s:.-]*\)[\w\s:,.-]*){0,8}\Z", re.I)


class Clean(NamedTuple):
    """HTML to show, how many remote things were kept from loading, and whether text was hidden from the reader."""
    html: str
    blocked: int
    hidden: bool


class _Counter:
    """What to do with resources, and how many were blocked so far."""

    def __init__(self, cids: Mapping[str, str], remote: bool) -> None:
        self.cids, self.remote, self.blocked = cids, remote, 0

    def resource(self, value: str) -> str | None:
        """The address to load a picture from, or None; remote ones are counted unless the reader asked for them."""
        url = _INVISIBLE.sub("", value)
        if url[:4].lower() == "cid:":
            return self.cids.get(unquote(url[4:])) or self.cids.get(url[4:])
        if _PICTURE.match(url):
            return url
        if not _REMOTE.match(url):
            return None
        if not self.remote:
            self.blocked += 1
            return None
        if url.startswith("//"):
            return "https:" + url
        return url if url[:7].lower() == "http://" or url[:8].lower() == "https://" else None


def clean(html: str, *, cids: Mapping[str, str] = {}, remote: bool = False) -> Clean:
    """Safe HTML for a sandboxed frame; `cids` maps Content-IDs to data: URIs or paths; `remote` lets pictures load from the web."""
    html = html[:MAX_HTML]
    counter = _Counter(cids, remote)
    css = "".join(_sheet(sheet[:MAX_CSS], counter) for sheet in _STYLE.findall(html))
    body = nh3.clean(
        _BODY_TAG.sub(r"<\1div", _shallow(html)), tags=set(_TAGS), clean_content_tags=set(_DROPPED), attributes=_ALLOWED,
        attribute_filter=partial(_attribute, counter), strip_comments=True, link_rel="noopener noreferrer nofollow",
        generic_attribute_prefixes=set(), set_tag_attribute_values={"a": {"target": "_blank"}},
        url_schemes={"http", "https", "mailto", "cid", "data"})
    return Clean((f"<style>{css}</style>" if css else "") + body, counter.blocked, readable.hidden(html))


def _attribute(counter: _Counter, tag: str, name: str, value: str) -> str | None:
    """The value an attribute may keep, or None to drop it; called for elements that go away, too."""
    if name not in _ALLOWED.get(tag, ()) and name not in ("rel", "target"):
        return None
    if name == "style":
        return _declarations(value, counter) or None
    if name in ("src", "background"):
        return counter.resource(value)
    if name == "href":
        url = _INVISIBLE.sub("", value)
        return url if _LINK.match(url) else None
    return value


def _declarations(style: str, counter: _Counter) -> str:
    """The harmless declarations of a style attribute or a rule."""
    style = _COMMENT.sub(" ", style[:MAX_CSS]).replace("\x01", "")
    urls: list[str] = []
    if "url" in style.lower():
        style = _URL.sub(partial(_set_aside, urls, counter), style)
    kept = []
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        name, value = name.strip().lower(), " ".join(value.split())
        if value and (name in _PROPERTIES or name.startswith(_FAMILIES) and name.replace("-", "").isalpha()) and _harmless(value):
            kept.append(f"{name}:" + _KEPT.sub(lambda match: urls[int(match[1])], value))
    return ";".join(kept)


def _set_aside(urls: list[str], counter: _Counter, match: re.Match[str]) -> str:
    """A mark in place of url(…), which may hold any sign; what it loads is decided here."""
    found = counter.resource(match[1] or match[2] or match[3] or "")
    urls.append(f'url("{found}")' if found and _SAFE_URL.match(found) else "none")
    return f"\x01{len(urls) - 1}\x01"


def _harmless(value: str) -> bool:
    """Whether a value is whole (no open string or parenthesis that would swallow what follows) and calls only known functions."""
    if "\\" in value:     # escapes can spell anything; no mail needs them
        return False
    rest = _STRING.sub("", value)
    if any(name.lower() not in _FUNCTIONS for name in _FUNCTION.findall(rest)):
        return False
    for _ in range(6):
        rest = _GROUP.sub("", rest)
    return not any(sign in rest for sign in "\"'()<>{}[]:@")


def _sheet(css: str, counter: _Counter) -> str:
    """The harmless rules of a style sheet: plain selectors, @media around them; imports and fonts never load."""
    css = _COMMENT.sub(" ", css).replace("<!--", " ").replace("-->", " ")
    out: list[str] = []
    open_blocks: list[str] = []
    position, selector = 0, ""
    for match in _BRACE.finditer(css):
        text, position = css[position:match.start()].strip(), match.end()
        if match[0] == "{":
            *statements, text = text.split(";")
            counter.blocked += _imports(statements, counter)
            open_blocks.append(_kind(text.strip(), open_blocks))
            selector = text.strip()
            if open_blocks[-1] == "media":
                out.append(selector + "{")
            continue
        kind = open_blocks.pop() if open_blocks else ""
        if kind == "media":
            out.append("}")
        elif kind == "rule" and (kept := _declarations(text, counter)):
            out.append(selector + "{" + kept + "}")
        elif kind == "dropped" and "url" in text.lower():
            _declarations(text, counter)    # a font: counted, not kept
    counter.blocked += _imports(css[position:].split(";"), counter)
    return "".join(out) + "}" * open_blocks.count("media")


def _imports(statements: list[str], counter: _Counter) -> int:
    return 0 if counter.remote else sum(statement.strip().lower().startswith("@import") for statement in statements)


def _kind(prelude: str, around: list[str]) -> str:
    if any(kind != "media" for kind in around) or len(around) > 3 or len(prelude) > 5_000:
        return "dropped"
    if _MEDIA.match(prelude):
        return "media"
    return "rule" if _SELECTOR.match(prelude) else "dropped"


def _shallow(html: str) -> str:
    """HTML without the start tags that lie deeper than any mail needs: the parser's time grows with depth times length."""
    if html.count("<") < MAX_DEPTH:
        return html
    depth = 0

    def keep(match: re.Match[str]) -> str:
        nonlocal depth
        if match[2].lower() in _FLAT:
            return match[0]
        depth = max(0, depth - 1) if match[1] else depth + 1
        return match[0] if depth <= MAX_DEPTH else ""

    return _TAG.sub(keep, html)
