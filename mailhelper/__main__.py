"""Where the program starts: `--data` decides where everything else is, so it is read before anything else is imported."""

import os
import signal
import sys
import tempfile
from collections.abc import Sequence


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code: 0, 1 failure, 2 usage."""
    words = list(sys.argv[1:] if args is None else args)
    for place, word in enumerate(words):
        if word == "--data" and place + 1 < len(words):
            os.environ["MAILHELPER_DATA"] = words[place + 1]
            del words[place:place + 2]
            break
        if word.startswith("--data="):
            os.environ["MAILHELPER_DATA"] = word.removeprefix("--data=")
            del words[place]
            break
    return _thrown_away(words) if words[:1] == ["demo"] else _command(words)


def _command(words: Sequence[str]) -> int:
    try:
        from mailhelper import cli
    except ValueError as error:         # config.BadSetting
        print(f"mailhelper: {error}", file=sys.stderr)
        return 2
    return cli.main(words)


def _thrown_away(words: Sequence[str]) -> int:
    """Run a command with a data directory of its own, which is gone afterwards, and without any setting of the user's instance."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, frame: sys.exit(0))
    for name in [name for name in os.environ if name.startswith(("MAILHELPER_", "DATABASE_URL", "REDIS_URL"))]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="mailhelper-demo-", ignore_cleanup_errors=True) as data:
        os.environ |= {"MAILHELPER_DATA": data, "MAILHELPER_LOG_LEVEL": "WARNING"}
        return _command(words)


if __name__ == "__main__":
    sys.exit(main())
