# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of this folder share: they are TAP, and run the command with --json."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

KIND = "6.12-cloud-amd64"
kocoon, modules = sys.argv[1], pathlib.Path(sys.argv[2])
points = 0
failed = 0


def ok(true, name, *more):
    global points, failed
    points += 1
    print(f"{'ok' if true else 'not ok'} {points} - {name}", flush=True)
    if not true:
        failed += 1
        for text in more:
            for line in str(text).splitlines():
                print(f"# {line}")
    return true


def finish():
    print(f"1..{points}")
    sys.exit(1 if failed else 0)


def command(*arguments):
    return [kocoon, "run", "-k", KIND, *map(str, arguments)]


def run(*arguments, stdin=None, **environment):
    """(exit status, the one JSON line as a dictionary, standard error)"""
    done = subprocess.run(command("--json", *arguments), capture_output=True, text=True, input=stdin, check=False,
                          env={**os.environ, **environment}, timeout=300)
    line = done.stdout.splitlines()
    return done.returncode, json.loads(line[0]) if line else {}, done.stderr


def texts(answer):
    return [line["text"] for line in answer.get("log", [])]


def expect(name, arguments, status, result, errno=None, log=()):
    code, answer, said = run(*arguments)
    lines = texts(answer)
    missing = [text for text in log if not any(text in line for line in lines)]
    ok((code, answer.get("result"), answer.get("errno")) == (status, result, errno) and not missing, name,
       f"status {code}, {answer.get('result')}, {answer.get('errno')}, {answer.get('end')}; {said}",
       *(f"not said: {text}" for text in missing), *lines[-40:])
    return answer


@contextlib.contextmanager
def new_cache():
    """The kernels are those of the cache; machines are made anew."""
    with tempfile.TemporaryDirectory() as work:
        cache = pathlib.Path(work) / "cache"
        cache.mkdir()
        usual = pathlib.Path(os.environ.get("KOCOON_CACHE") or
                             pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "kocoon")
        (cache / "kernels").symlink_to(usual / "kernels")
        os.environ["KOCOON_CACHE"] = str(cache)
        yield cache
