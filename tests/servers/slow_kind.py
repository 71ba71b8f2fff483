"""A worker as `mailhelper worker` starts it, with one more kind of jobs: `python -m tests.servers.slow_kind worker`.

The job counts up in a file, a line a step, and goes on from there when it is run again.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

from mailhelper import jobs
from mailhelper.__main__ import main
from mailhelper.models import Job
from mailhelper.runner import Step
from mailhelper.scope import Scope


@jobs.kind("count_slowly", retries=1)
def count(scope: Scope, job: Job, step: Step) -> dict[str, Any]:
    asked = jobs.params(job)
    path = Path(asked["path"])
    for number in range(len(path.read_text().splitlines()), asked["total"]):
        step(number, asked["total"])
        with path.open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(asked["pause"])
    return {"counted": asked["total"]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
