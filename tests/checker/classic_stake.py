"""Passes over the blocks of a proof-of-stake chain as the system in Java had them, one JSON text a line, and knows nothing but that
system's rule, that a block names the hash of the block before; with the hash over all of the block, where that system's was over the
sum of its amounts:

    kcat -C -e -q -b BROKERS -t TOPIC | python3 classic_stake.py          exit 0: valid, 1: the first block that is not
"""

import hashlib
import json
import sys

FIELDS = {"Index", "Timestamp", "Transactions", "PreviousHash", "Validator"}
last = None
for line in sys.stdin:
    block = json.loads(line)
    previous = "0" if last is None else hashlib.sha256(json.dumps(last, sort_keys=True).encode()).hexdigest()
    valid = set(block) == FIELDS and (block["Validator"] is None) == (last is None)
    valid &= block["Index"] == (0 if last is None else last["Index"] + 1) and block["PreviousHash"] == previous
    valid &= all(set(one) == {"Amount", "Recipient", "Sender"} for one in block["Transactions"])
    if not valid:
        sys.exit(f"not valid: {line}")
    last = block
print(last["Index"] + 1 if last else 0, "blocks")
