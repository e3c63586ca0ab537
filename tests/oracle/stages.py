#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""stages.py ANSWERS

Reads what `ask --log` wrote and prints its lines for modules, with a third field: the stage that the
kernel's messages of that load tell of, by the name that kocoon has for it. Nothing where a refusal
was silent, as many are.
"""

import re
import sys

# The first message that fits decides, in the order of the messages. Facts: what each check of the
# kernel's loader prints.
MESSAGES = [
    (r"decompression failed with status", "decompress"),
    (r"PKCS#?7|not signed with|Loading of (unsigned )?module |unsigned module loading is restricted"
     r"|Unsupported digest algo", "signature"),
    (r"Invalid ELF |ELF Spec violation|empty section name table|Exactly one \.gnu\.linkonce"
     r"|Only one \.modinfo|\.gnu\.linkonce\.this_module |section size must match"
     r"|Invalid architecture in ELF|has no symbols \(stripped\?\)", "elf"),
    (r"is blacklisted$", "blacklist"),
    (r"(disagrees about version of|no symbol version for) (symbol )?module_layout$", "modversion"),
    (r"version magic '", "vermagic"),
    (r"has invalid WRITE\|EXEC flags", "rwx"),
    (r"unable to allocate memory$", "layout"),
    (r"percpu data$|percpu: allocation failed|for percpu allocation", "percpu"),
    (r"exports duplicate symbol", "formation"),
    (r"Unknown symbol |disagrees about version of symbol|no symbol version for|but does not import it"
     r"|from proprietary module|please compile with -fno-common|has an invalid section index",
     "symbols"),
    (r"Unknown rela relocation|REL relocation unsupported|Invalid relocation target"
     r"|overflow in relocation type|not compiled with -mcmodel=kernel|incorrectly formatted name",
     "relocations"),
    (r"^BPF: ", "btf"),
    (r"module is already loaded$|attempted to be registered with empty name|cannot create duplicate filename", "sysfs"),
    (r"Unknown parameter|invalid for parameter|parameter '", "parameters"),
]
# Said of modules that go on all the same.
HARMLESS = re.compile(r"per-cpu alignment|inheriting taint|^Spectre V2")


def stage_of(messages):
    """The stage that a refusal's messages tell of; None: they tell of none."""
    for text in messages:
        if HARMLESS.search(text):
            continue
        for pattern, stage in MESSAGES:
            if re.search(pattern, text):
                return stage
    return None


def read_answers(path):
    """(answer, path, messages) of each module that was asked about."""
    answers = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            line = line.rstrip("\n")
            if line.startswith("\t"):
                answers[-1][2].append(line[1:])
            elif "\t" in line:
                answers.append((*line.split("\t", 1), []))
    return answers


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for answer, path, messages in read_answers(sys.argv[1]):
        stage = stage_of(messages) if answer != "0" else None
        print("\t".join([answer, path, *([stage] if stage else [])]))


if __name__ == "__main__":
    main()
