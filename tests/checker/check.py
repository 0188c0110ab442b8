#!/usr/bin/env python3
"""Checks a chain of blocks with nothing but Python's standard library, after docs/encoding.md.

Reads one record of the blockchain topic per line on standard input, from height 0 or any other on, in ascending
order, as

    {"header":..}               or, with the record's key before it (a tab, or a colon, a bar or spaces between):
    17  {"header":..}

and checks, of each block: that the value is byte for byte the one rendering of what it says; block hash, parent,
genesis, history, version, active height, transactions and operations roots, ranges and offsets that go on from block to
block, every code and every bound; of block 0 the hashes of genesis, parameters and validators. `history` and the
schedule of versions are checked of chains that are read from block 0.

Not checked, for it needs the curves: signatures of accounts and validators, reveals, possessions. Not checked either:
whether the transactions topic says the same. A name with a character that this Python's Unicode does not know yet
(python3 -c "import unicodedata; print(unicodedata.unidata_version)") passes.

    --dense            also: no offset may be missing within or between blocks (for a topic without transaction markers)
    --execute          also, from block 0: executes every transaction after docs/ledger-rules.md and compares cuts,
                       receipts, operations and the state root; and seeds, draws, quorums and evidence after
                       docs/consensus.md. Whether an account's signature is right is taken from the receipts, all
                       others are taken for granted
    --self-test PAGE   instead: computes everything that the worked example of docs/encoding.md shows

Exit 0: intact. Exit 1: prints the height and the reason of the first breach. Exit 2: wrong usage. Exit 3: a block was
made by a newer program, or what it takes to go on was pruned.
"""

import json
import os
import re
import sys
import unicodedata

# Nothing is written beside the scripts.
sys.dont_write_bytecode = True

from encoding import (  # noqa: E402
    ascending, body, Breach, character_flaw, domain_hash, entry, equal, fields, Frontier, genesis, hash_, header,
    HEIGHT_MAX, is_applied, leaf, merkle_root, operation, parameters, refuse_newer, rendering, seal_shape, sha256,
    signing_bytes, size_bytes, Unknown, validator_set, VERSION, ZEROS,
)


# ---- 6. to 8. What must hold of a block and of its place in the chain ---------------------------------------------


def ranges_of(entries):
    """The ranges that the entries have; within the block the offsets of a partition ascend."""
    found = {}
    for value in entries:
        partition, offset = value["partition"], value["offset"]
        one = found.setdefault(partition, {"partition": partition, "first": offset, "last": offset - 1, "count": 0})
        if offset <= one["last"]:
            raise Breach(f"partition {partition}: offset {offset} comes after offset {one['last']}")
        one["last"], one["count"] = offset, one["count"] + 1
    return [one for _, one in sorted(found.items())]


def check_block_0(block):
    """Section 7, "Block 0"."""
    head, start = block["header"], block.get("genesis")
    if block["seal"] is not None or start is None:
        raise Breach("block 0 has a genesis and no seal")
    equal("genesis hash", head["genesis"], domain_hash("cairn/genesis/1", genesis(start)))
    equal("parameters hash", head["parameters"], domain_hash("cairn/params/1", parameters(start)))
    equal("validators hash", head["validators"], domain_hash("cairn/vals/1", validator_set(start["validators"])))
    expected = {
        "active_height": 0, "time_ms": start["created_ms"], "parent": ZEROS, "history": Frontier().root(),
        "window": None, "cut": "genesis", "ranges": [], "transactions_root": Frontier().root(),
        "operations_root": Frontier().root(), "author": {"kind": "genesis"}, "extensions": [],
    }
    for field, value in expected.items():
        equal(field, head[field], value)


def check_later_block(block):
    head = block["header"]
    if block["seal"] is None or "genesis" in block:
        raise Breach("only block 0 has a genesis and no seal")
    if head["author"]["kind"] == "genesis" or head["cut"] == "genesis":
        raise Breach("only block 0 has the author and the cut genesis")
    seal_shape(block["seal"])


class Chain:
    """What is known of the blocks so far: of their number only the logarithm is kept."""

    def __init__(self, dense, execution=None):
        self.dense, self.execution = dense, execution
        self.previous = None
        self.covered = {}
        self.history = None
        self.versions = []
        self.blocks = self.pruned = self.foreign = 0

    def add(self, block):
        refuse_newer(block.get("header"), block.get("seal"))
        is_pruned = "transactions" not in block and "operations" not in block
        shape = ["header", "hash", "seal"] + ([] if is_pruned else ["transactions", "operations", "genesis"])
        head, block_hash, seal, *rest = fields(block, shape, ["genesis"])
        encoded = header(head)
        self.check_version(head, block)
        if self.previous:
            self.check_link(head)
        elif head["height"] == 0:
            self.history = Frontier()
        equal("header hash", block_hash, domain_hash("cairn/header/1", encoded))
        if is_pruned and head["height"] == 0:
            raise Breach("block 0 is never pruned")
        if not is_pruned:
            self.check_body(head, *rest[:2])
        check_block_0(block) if head["height"] == 0 else check_later_block(block)
        self.check_active_height(head, None if is_pruned else rest[0])
        self.check_offsets(head["ranges"])
        if self.execution:
            if is_pruned:
                raise Unknown("the body of the block was pruned: it cannot be executed")
            self.execution.add(block)
        self.take(block, is_pruned)

    def check_version(self, head, block):
        """`version` is the one that the genesis schedules. Block 0 brings the schedule."""
        start = block.get("genesis")
        if head["height"] == 0 and start is not None:
            genesis(start)
            self.versions = start["versions"]
        scheduled = [one["version"] for one in self.versions if one["from_height"] <= head["height"]] or [VERSION]
        equal("version", head["version"], scheduled[-1])

    def check_link(self, head):
        parent = self.previous["header"]
        height = parent["height"]
        if head["height"] != height + 1:
            raise Breach(f"height {head['height']} follows height {height}")
        equal("parent", head["parent"], self.previous["hash"])
        equal("genesis", head["genesis"], parent["genesis"])
        if self.history:
            equal("history", head["history"], self.history.root())

    def check_body(self, head, entries, operations):
        for what, values in (("transactions", entries), ("operations", operations)):
            if type(values) is not list:
                raise Breach(f"{what} is not an array")
        equal("transactions root", head["transactions_root"], merkle_root(map(entry, entries)))
        equal("operations root", head["operations_root"], merkle_root(map(operation, operations)))
        equal("ranges", head["ranges"], ranges_of(entries))

    def check_active_height(self, head, entries):
        if not self.previous:
            return
        before = self.previous["header"]["active_height"]
        if entries is None:
            if head["active_height"] not in (before, before + 1):
                raise Breach(f"active_height is {head['active_height']}, that of the block before {before}")
        else:
            equal("active_height", head["active_height"], before + any(map(is_applied, entries)))

    def check_offsets(self, ranges):
        ascending([one["partition"] for one in ranges], "ranges")
        for one in ranges:
            partition, first, last, count = one["partition"], one["first"], one["last"], one["count"]
            if partition < 0 or first < 0:
                raise Breach(f"partition {partition}: offset {first}: no log has such a place")
            if last < first or not 0 < count <= last - first + 1:
                raise Breach(f"partition {partition}: {count} offsets from {first} to {last}")
            before = self.covered.get(partition)
            if before is not None and first <= before:
                raise Breach(f"partition {partition}: offset {first} comes after offset {before}")
            if self.dense and (count != last - first + 1 or before is not None and first != before + 1):
                raise Breach(f"partition {partition}: of the offsets up to {last} some are in no block")

    def take(self, block, is_pruned):
        self.covered.update((one["partition"], one["last"]) for one in block["header"]["ranges"])
        if self.history:
            self.history.append(hash_(block["hash"]))
        self.blocks, self.pruned = self.blocks + 1, self.pruned + is_pruned
        self.previous = {"header": block["header"], "hash": block["hash"]}


# ---- 8. JSON: records ---------------------------------------------------------------------------------------------


def split_record(line):
    """The record's height, if it has a key, and its value; a value of None: the record is foreign."""
    if line.startswith(b"{"):
        return None, line
    key, separator, value = line.partition(b"\t")
    if not separator and (match := re.match(rb"([0-9]+)[ :,|]+(.*)", line)):
        key, value = match.groups()
    if re.fullmatch(rb"0|[1-9][0-9]{0,19}", key) and int(key) <= HEIGHT_MAX:
        return int(key), value
    return None, None


def read(value):
    """JSON of any shape: whether it is the one rendering is asked later, for a newer program may render otherwise."""
    try:
        block = json.loads(value.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise Breach(f"not JSON: {error}") from None
    if type(block) is not dict:
        raise Breach("not an object")
    return block


def check_rendering(block, value):
    """Of a block whose shape was checked."""
    expected = rendering(block).encode()
    if expected != value:
        same = os.path.commonprefix([expected, value])
        raise Breach(f"not the one rendering of the block: byte {len(same)} differs")


def check_stream(lines, chain):
    """The exit code, and what to print."""
    for line in filter(bytes.strip, lines):
        height, value = split_record(line[:-1] if line.endswith(b"\n") else line)
        if value is None:
            chain.foreign += 1
            continue
        try:
            block = read(value)
            if type(block.get("header")) is dict and type(block["header"].get("height")) is int:
                key, height = height, block["header"]["height"]
                if key not in (None, height):
                    raise Breach(f"the record's key is {key}")
            chain.add(block)
            check_rendering(block, value)
        except (Breach, Unknown) as reason:
            after = f"after height {chain.previous['header']['height']}" if chain.previous else "the first line"
            place = f"unknown ({after})" if height is None else height
            return 3 if type(reason) is Unknown else 1, f"height {place}: {reason}"
    if chain.previous is None:
        return 1, "no blocks"
    last = chain.previous
    report = f"intact: {chain.blocks} blocks, to height {last['header']['height']}, hash {last['hash']}"
    if chain.pruned:
        report += f"\npruned: {chain.pruned} blocks, whose transactions are not there to be checked"
    if chain.foreign:
        report += f"\nforeign: {chain.foreign} records, whose keys are no heights"
    if chain.history is None:
        report += "\nread from the middle: history and versions were not checked"
    return 0, report


# ---- 10. A worked example -----------------------------------------------------------------------------------------


def self_test(page):
    """What is computed here must be what the page shows."""
    blocks = [line for line in page.split("\n") if line.startswith('{"header":{"version":')]
    exit_code, report = check_stream([line.encode() for line in blocks], Chain(dense=True))
    if exit_code or len(blocks) < 2:
        return 1, report
    block_0, block_1 = map(json.loads, blocks)
    start, head, first = block_0["genesis"], block_1["header"], block_1["transactions"][0]
    shown = [
        ("cairn/params/1", parameters(start)), ("cairn/vals/1", validator_set(start["validators"])),
        ("cairn/genesis/1", genesis(start)), ("cairn/header/1", header(block_0["header"])),
        ("cairn/header/1", header(head)),
    ]
    pairs = [(content, domain_hash(domain, content)) for domain, content in shown]
    leaves = [*map(entry, block_1["transactions"]), *map(operation, block_1["operations"])]
    pairs += [(content, leaf(content).hex()) for content in leaves]
    expected = [f"{content.hex()}\n{hashed}\n" for content, hashed in pairs]
    expected.append(domain_hash("cairn/body/1", body(first)))
    expected.append("are {}, {} and {} bytes".format(*map(size_bytes, block_1["transactions"])))
    public_key = start["validators"][0]["ed25519"]
    expected.append(f"\n{signing_bytes(head['genesis'], public_key, first).hex()}\n")
    if unicodedata.unidata_version.startswith("18."):
        expected.append(sha256(bytes(map(character_flaw, map(chr, range(0x110000))))).hex())
    for value in expected:
        if value not in page:
            return 1, f"the page does not show {value}"
    return 0, f"the worked example is intact: {len(blocks)} blocks, {len(expected)} values"


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--self-test":
        with open(arguments[1], encoding="utf-8") as file:
            exit_code, report = self_test(file.read())
    elif set(arguments) <= {"--dense", "--execute"}:
        execution = None
        if "--execute" in arguments:
            from rules import Execution

            execution = Execution()
        exit_code, report = check_stream(sys.stdin.buffer, Chain("--dense" in arguments, execution))
    elif "--help" in arguments or "-h" in arguments:
        sys.stdout.write(__doc__)
        return 0
    else:
        sys.stderr.write(__doc__)
        return 2
    sys.stdout.buffer.write(report.encode("utf-8", "backslashreplace") + b"\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
