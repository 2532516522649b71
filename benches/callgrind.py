"""What the benches share that count instructions."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def build(bench):
    """The path of a bench's program, built. Exits with 77 if there is no valgrind to run it."""
    if not shutil.which("valgrind"):
        print("valgrind is needed")
        sys.exit(77)
    command = ["cargo", "bench", "--locked", f"--bench={bench}", "--no-run", "--message-format=json"]
    messages = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for message in map(json.loads, messages.splitlines()):
        if message.get("target", {}).get("name") == bench and message.get("executable"):
            return message["executable"]
    sys.exit("cargo built no program")


def run(options, *command, environment=None):
    """What callgrind says of a program that succeeds."""
    command = ["valgrind", "--tool=callgrind", *options, *command]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | (environment or {}))
    if done.returncode or "Collected" not in done.stderr:
        sys.exit(done.stderr)
    return done.stderr


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
