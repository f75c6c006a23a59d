"""Verifies every DKIM signature of a message with dkimpy.

Usage: verify.py MESSAGE MODE NAME=RECORD...

MODE is "normal", "tlsrpt" or "strict" (key records must have s=tlsrpt). Prints one line for each
signature, in the message's order: "pass" or "fail: " and the reason.
"""

import sys

import dkim

MODES = {"normal": False, "tlsrpt": True, "strict": "strict"}


def main():
    with open(sys.argv[1], "rb") as file:
        message = file.read()
    records = dict(argument.split("=", 1) for argument in sys.argv[3:])

    def lookup(name, timeout=5):
        return records[name.decode().rstrip(".")].encode()

    verifier = dkim.DKIM(message, minkey=1024, tlsrpt=MODES[sys.argv[2]])
    count = sum(1 for name, _ in verifier.headers if name.lower() == b"dkim-signature")
    for index in range(count):
        try:
            print("pass" if verifier.verify(idx=index, dnsfunc=lookup) else "fail: mismatch")
        except dkim.DKIMException as error:
            print("fail:", error)


main()
