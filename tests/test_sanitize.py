"""Mail HTML made safe for a sandboxed frame."""

import re
import time

import pytest

from mailhelper.sanitize import clean

NASTY = [
    "<script>alert(1)</script>",
    "<scr<script>ipt>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    '<a href="javascript:alert(1)">x</a>',
    '<a href="java\nscript:alert(1)">x</a>',
    '<a href=" &#1;javascript:alert(1)">x</a>',
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href=vbscript:x>x</a>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=x></object><embed src=x>",
    "<body onload=alert(1)>",
    "<form action=https://evil.example><input name=a><button formaction=x>b</button></form>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    '<p style="width:expression(alert(1))">',
    "<p onclick=alert(1)>x",
    '<p style="behavior:url(#x)">',
    '<p style="-moz-binding:url(https://evil.example)">',
    '<p style="b\\61 ckground:url(https://evil.example)">',
    '<p style="background:u/**/rl(https://evil.example)">',
    "<p style=\"background:image-set('https://evil.example' 1x)\">",
    '<p style="position:fixed;top:0">',
    "<style>@import 'https://evil.example';</style>",
    "<style>p{background:url(https://evil.example)}</style>",
    "<style></style><img src=x onerror=alert(1)></style>",
    '<style>a[b="{color:red}q{font-family:"x}body{background:url(https://evil.example)}"}</style>',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "<template><script>alert(1)</script></template>",
    "<textarea><script>alert(1)</textarea>",
    "<img srcset='https://evil.example 1x'>",
    "<video src=https://evil.example autoplay>",
    "<svg><image href=https://evil.example /></svg>",
    "<table background=https://evil.example>",
    "<img src=//evil.example/p.gif>",
    "<img src='\\\\evil.example/p'>",
    "<input type=image src=https://evil.example>",
    '<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">',
    "<a href=x ping=https://evil.example>x</a>",
    "<p style='background:url(\"https://evil.example\");'>",
    "<style>@font-face{font-family:x;src:url(https://evil.example)}</style>",
    "<xmp><script>alert(1)</script></xmp>",
]


@pytest.mark.parametrize("source", [*NASTY, "".join(NASTY)])
def test_nothing_runs_and_nothing_loads(source):
    found = clean(source).html
    # What stands in quotes or between tags is text; only tags and style sheets act.
    tags = " ".join(re.findall(r"<[^>]*>|<style>.*?</style>", found, re.S)).lower()
    assert not re.search(r"<(?:script|iframe|object|embed|form|input|button|meta|base|link|svg|math|template|video|noscript|textarea|body)\b", tags)
    assert not re.search(
        r"\son\w+\s*=|javascript:|vbscript:|data:text|expression|behavior|binding|position:|srcset|ping=|formaction|@import|@font-face", tags
    )
    assert "evil.example" not in tags
    assert sorted(clean(found).html) == sorted(found)  # the order of rel and target varies


def test_remote_pictures_are_counted_and_load_when_asked():
    source = (
        '<img src="https://x.de/a.png"><table background="http://x.de/b"></table><p style="background:red url(https://x.de/c) no-repeat">'
        "<style>b{background:url(https://x.de/d)} @import url(https://x.de/e); @font-face{src:url(https://x.de/f)}</style>"
    )
    blocked = clean(source)
    assert blocked.blocked == 6 and "x.de" not in blocked.html and "background:red none no-repeat" in blocked.html
    shown = clean(source, remote=True)
    assert shown.blocked == 0 and 'src="https://x.de/a.png"' in shown.html and "https://x.de/c" in shown.html and "x.de/e" not in shown.html


def test_inline_pictures_come_from_the_mail():
    source = '<img src="cid:a%40x"><img src="CID:b@x"><p style="background:url(cid:a@x)"><img src="data:image/png;base64,AAAA"><img src="data:image/svg+xml,x">'  # noqa: E501
    found = clean(source, cids={"a@x": "data:image/gif;base64,R0lG", "b@x": "/mail/5/b.png"})
    assert found.html.count("data:image/gif;base64,R0lG") == 2 and 'src="/mail/5/b.png"' in found.html and "image/png;base64,AAAA" in found.html
    assert "svg" not in found.html and found.blocked == 0


def test_links_open_elsewhere_and_only_for_web_and_mail():
    found = clean(
        '<a href="https://x.de/?a=1&amp;b" target=_self rel=opener>x</a><a href="mailto:a@b.de">m</a><a href="/rel">r</a><a href="ftp://x">f</a>'
    ).html
    assert found.count("href=") == 2 and found.count('target="_blank"') == 4 and found.count('rel="noopener noreferrer nofollow"') == 4
    assert "opener>" not in found and "_self" not in found


def test_the_look_of_a_mail_stays():
    found = clean(
        '<body bgcolor="#eee" style="margin:0"><style>@media (max-width:600px){.m{display:none!important}} h1{color:red}</style><h1 class="m">A</h1>'
        "<font face='Arial, sans'>b</font><p style=\"font-family:'Open Sans',Arial;padding:1px 2px;color:rgb(1,2,3)\">c</p>"
    ).html
    for piece in (
        '<div bgcolor="#eee" style="margin:0">',
        "@media (max-width:600px){.m{display:none!important}}",
        "h1{color:red}",
        'class="m"',
        "font-family:'Open Sans',Arial;padding:1px 2px;color:rgb(1,2,3)",
        "<font face=",
    ):
        assert piece in found


def test_hidden_text_is_reported():
    assert clean("<p style='display:none'>geheim</p>x").hidden and not clean("<p>x</p>").hidden


@pytest.mark.parametrize(
    "hostile",
    [
        "<div>" * 200_000,
        "<style" * 200_000,
        "<style>" + "{" * 200_000,
        "<style>a{" + "url(" * 50_000,
        "<p style='" + "(" * 200_000,
        "<p style='" + "/*" * 100_000,
        "<style>" + "a," * 40_000 + "!{",
        "<a" * 200_000,
        "<b><p>" * 50_000,
    ],
)
def test_hostile_html_takes_linear_time(hostile):
    begin = time.process_time()
    clean(hostile)
    assert time.process_time() - begin < 5
