"""Passes over the blocks of a proof-of-work chain in Python, one JSON text a line, and knows nothing but that system's rules:

    kcat -C -e -q -b BROKERS -t TOPIC | python3 classic_work.py [ZEROS]          exit 0: valid, 1: the first block that is not
"""

import hashlib
import json
import sys

zeros = "0" * int(sys.argv[1] if sys.argv[1:] else 4)
last = None
for line in sys.stdin:
    block = json.loads(line)
    if last is None:
        valid = (block["index"], block["proof"], block["previous_hash"]) == (1, 100, 1)
    else:
        guess = f"{last['proof']}{block['proof']}".encode()
        valid = block["index"] == last["index"] + 1
        valid &= block["previous_hash"] == hashlib.sha256(json.dumps(last, sort_keys=True).encode()).hexdigest()
        valid &= hashlib.sha256(guess).hexdigest().startswith(zeros)
        valid &= [one["sender"] for one in block["transactions"]].count("0") <= 1
    if not valid:
        sys.exit(f"not valid: {line}")
    last = block
print(last["index"] if last else 0, "blocks")
