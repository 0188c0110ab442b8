#!/usr/bin/env python3
"""Checks a chain of blocks with nothing but Python's standard library, after docs/encoding.md.

Reads one block per line on standard input, from height 0 or any other on, in ascending order, as

    {"header":..}                     or, with the record's key before it (a tab, a colon or spaces between):
    17  {"header":..}

Recomputes: block hashes, parent links, transactions and operations roots, ranges and the order of offsets; for block 0
the genesis, parameter and validator hashes. Does not look at signatures, state roots or the transactions topic.

    --dense   also: no offset may be missing within or between blocks (for a topic written without transactions)

Exit 0: intact. Exit 1: prints the height and the reason of the first breach.
"""

import hashlib
import json
import re
import sys

CUTS = ["genesis", "window", "transactions", "bytes", "age", "end"]
KINDS = ["transfer", "stake", "unstake", "key", "parameter"]
SIGNATURES = ["required", "when_keyed", "off"]
COMMITTEES = ["local"]
REFUSALS = [None, "does_not_follow_from_the_input", "does_not_re_execute"]
STUBS = [
    None, "null_value", "too_large", "not_utf8", "not_json", "not_an_object", "nested_too_deep", "lone_surrogate",
    "duplicate_field", "missing_field", "wrong_type", "amount_not_a_number", "amount_negative", "amount_not_an_integer",
    "amount_too_large", "name_empty", "name_too_long", "name_control_character", "name_bad_key", "bad_id", "bad_memo",
    "bad_integer", "bad_authorization", "unknown_version", "unknown_kind", "bad_asset", "name_not_normalized",
    "name_forbidden_character", "compressed_frame",
]
REJECTIONS = [
    None, "insufficient_funds", "duplicate", "conflict", "bad_nonce", "bad_signature", "signature_required", "expired",
    "reserved_name", "unknown_kind", "too_large", "unknown_asset", "balance_overflow", "fee_too_low", "replayable",
    "validity_too_long",
]
AMOUNT_MAX = 2**53 - 1


class Breach(Exception):
    """What is wrong with a block."""


# ---- canonical bytes ----------------------------------------------------------------------------------------------


def integer(value, size, signed=False, maximum=None):
    if type(value) is not int:
        raise Breach(f"{value!r} is not an integer")
    if maximum is not None and value > maximum:
        raise Breach(f"{value} is more than {maximum}")
    try:
        return value.to_bytes(size, "little", signed=signed)
    except OverflowError:
        raise Breach(f"{value} does not fit into {size} bytes") from None


def u8(value):
    return integer(value, 1)


def u16(value):
    return integer(value, 2)


def u32(value):
    return integer(value, 4)


def u64(value):
    return integer(value, 8)


def i32(value):
    return integer(value, 4, signed=True)


def i64(value):
    return integer(value, 8, signed=True)


def amount(value):
    return integer(value, 8, maximum=AMOUNT_MAX)


def boolean(value):
    if type(value) is not bool:
        raise Breach(f"{value!r} is not true or false")
    return bytes([value])


def fixed(size):
    def encode(value):
        if type(value) is not str or not re.fullmatch(f"[0-9a-f]{{{2 * size}}}", value):
            raise Breach(f"{value!r} is not {2 * size} lower-case hex digits")
        return bytes.fromhex(value)

    return encode


sha = fixed(32)


def blob(value):
    if type(value) is not str or len(value) % 2 or not re.fullmatch("[0-9a-f]*", value):
        raise Breach(f"{value!r} is not lower-case hex")
    return u32(len(value) // 2) + bytes.fromhex(value)


def text(value, low=0, high=2**32 - 1, printable=False):
    if type(value) is not str:
        raise Breach(f"{value!r} is not a string")
    try:
        encoded = value.encode("utf-8")
    except UnicodeEncodeError:
        raise Breach(f"{value!r} is not Unicode") from None
    if not low <= len(encoded) <= high:
        raise Breach(f"{value!r} has {len(encoded)} bytes, not {low} to {high}")
    if printable and re.search("[\x00-\x1f\x7f-\x9f]", value):
        raise Breach(f"{value!r} contains a control character")
    return u32(len(encoded)) + encoded


def name(value):
    encoded = text(value, 1, 128, printable=True)
    if value.startswith("ed25519:") and not re.fullmatch("[0-9a-f]{64}", value[8:]):
        raise Breach(f"{value!r} is not a keyed account")
    return encoded


def identity(value):
    return text(value, 1, 128, printable=True)


def memo(value):
    return text(value, 0, 256)


def validator_id(value):
    if type(value) is not str or not (re.fullmatch("[a-z0-9._-]{1,64}", value) or value == "$genesis"):
        raise Breach(f"{value!r} is not the id of a validator")
    return text(value)


def bitmap(value):
    encoded = blob(value)
    if value.endswith("00"):
        raise Breach(f"{value!r}: the last byte of a bitmap is not zero")
    return encoded


def code(texts):
    def encode(value):
        if value is None or value not in texts:
            raise Breach(f"{value!r} is not one of {', '.join(filter(None, texts))}")
        return bytes([texts.index(value)])

    return encode


def option(encode, value):
    return b"\0" if value is None else b"\1" + encode(value)


def items(encode, values):
    if type(values) is not list:
        raise Breach(f"{values!r} is not an array")
    return u32(len(values)) + b"".join(map(encode, values))


def fields(value, required, optional=()):
    """The values of an object's fields: those required, then those that may be left out (None)."""
    if type(value) is not dict:
        raise Breach(f"{value!r} is not an object")
    for field in required:
        if field not in value:
            raise Breach(f"field {field} is missing")
    for field, content in value.items():
        if field not in required and field not in optional:
            raise Breach(f"unknown field {field}")
        if field in optional and content is None:
            raise Breach(f"field {field} is null")
    return [value[field] for field in required] + [value.get(field) for field in optional]


# ---- the parts of a block -----------------------------------------------------------------------------------------

TRANSACTION = [
    "version", "kind", "asset", "from", "to", "amount", "fee", "id", "nonce", "valid_until_height", "memo",
    "public_key", "signature",
]


def transaction(entry):
    given = [entry.get(field) for field in TRANSACTION]
    version, kind, asset, sender, to, units, fee, own_id, nonce, valid, note, public_key, signature = given
    encoded = u8(1 if version is None else version)
    if encoded != b"\1":
        raise Breach(f"unknown transaction version {version}")
    encoded += code(KINDS)("transfer" if kind is None else kind) + u32(0 if asset is None else asset)
    encoded += name(sender) + name(to) + amount(units)
    encoded += option(amount, fee) + option(identity, own_id) + option(u64, nonce) + option(u64, valid) + option(memo, note)
    if public_key is None and signature is None:
        return encoded + b"\0"
    return encoded + b"\1" + fixed(32)(public_key) + fixed(64)(signature)


def receipt(value):
    outcome, from_balance, to_balance, reason = fields(value, ["outcome", "from_balance", "to_balance"], ["reason"])
    if outcome == "applied" and reason is None:
        encoded = b"\0"
    elif outcome == "rejected":
        encoded = code(REJECTIONS)(reason)
    else:
        raise Breach(f"outcome {outcome!r} with reason {reason!r}")
    return encoded + i64(from_balance) + i64(to_balance)


def entry(value):
    if type(value) is not dict:
        raise Breach(f"{value!r} is not an object")
    origin = ["partition", "offset", "timestamp_ms", "original"]
    if "stub" in value:
        partition, offset, timestamp_ms, original, stub = fields(value, [*origin, "stub"])
        reason, key, content = fields(stub, ["reason", "key", "value"])
        if content != original:
            raise Breach(f"offset {offset}: the stub's value is not the original")
        encoded = b"\1" + code(STUBS)(reason) + sha(key) + sha(content)
    else:
        required = [*origin, "from", "to", "amount", "receipt"]
        optional = [field for field in TRANSACTION if field not in required]
        partition, offset, timestamp_ms, original = fields(value, required, optional)[:4]
        encoded = b"\0" + transaction(value) + receipt(value["receipt"])
    return i32(partition) + i64(offset) + i64(timestamp_ms) + sha(original) + encoded


def operation(value):
    kind = value.get("kind") if type(value) is dict else None
    if kind in ("fee", "reward"):
        _, validator, account, units, balance = fields(value, ["kind", "validator", "account", "amount", "balance"])
        tag = b"\1" if kind == "fee" else b"\2"
        return tag + validator_id(validator) + name(account) + amount(units) + i64(balance)
    if kind == "missed":
        _, number, validator = fields(value, ["kind", "round", "validator"])
        return b"\3" + u32(number) + validator_id(validator)
    if kind == "slash":
        _, number, validator, units, proof = fields(value, ["kind", "round", "validator", "amount", "evidence"])
        return b"\4" + u32(number) + validator_id(validator) + u64(units) + evidence(proof)
    raise Breach(f"unknown operation {kind!r}")


def evidence(value):
    kind = value.get("kind") if type(value) is dict else None
    if kind == "equivocation":
        _, first, second = fields(value, ["kind", "first", "second"])
        return b"\1" + signed_header(first) + signed_header(second)
    if kind == "refusal":
        _, refused, reason, signature, signers = fields(value, ["kind", "header", "reason", "signature", "signers"])
        return b"\2" + signed_header(refused) + code(REFUSALS)(reason) + fixed(48)(signature) + bitmap(signers)
    raise Breach(f"unknown evidence {kind!r}")


def signed_header(value):
    inner, signature = fields(value, ["header", "signature"])
    return header(inner) + fixed(64)(signature)


def window(value):
    start_ms, end_ms = fields(value, ["start_ms", "end_ms"])
    return i64(start_ms) + i64(end_ms)


def range_(value):
    partition, first, last, count = fields(value, ["partition", "first", "last", "count"])
    return i32(partition) + i64(first) + i64(last) + u64(count)


def extension(value):
    number, critical, content = fields(value, ["id", "critical", "value"])
    return u16(number) + boolean(critical) + blob(content)


HEADER = [
    ("version", u16), ("hash_algorithm", u8), ("chain_id", text), ("height", u64), ("parent", sha), ("time_ms", i64),
    ("window", lambda value: option(window, value)), ("cut", code(CUTS)), ("ranges", lambda value: items(range_, value)),
    ("transactions_root", sha), ("operations_root", sha), ("state_root", sha), ("validators", sha), ("parameters", sha),
    ("proposer", validator_id), ("round", u32), ("seed", sha), ("extensions", lambda value: items(extension, value)),
]


def header(value):
    values = fields(value, [field for field, _ in HEADER])
    encoded = b""
    for (field, encode), content in zip(HEADER, values):
        try:
            encoded += encode(content)
        except Breach as breach:
            raise Breach(f"header.{field}: {breach}") from None
    return encoded


def check_seal(value):
    scheme, signature, reveal, attestation, signers = fields(
        value, ["scheme", "signature", "reveal", "attestation", "signers"]
    )
    if scheme != 1:
        raise Breach(f"seal of unknown scheme {scheme!r}")
    fixed(64)(signature), fixed(48)(reveal), fixed(48)(attestation), bitmap(signers)


def genesis(value):
    """The canonical bytes of the genesis, its parameters and its validator set."""
    required = [
        "chain_id", "created_ms", "balances", "signatures", "fee", "reward", "committee", "block", "ids", "accounts",
        "validators",
    ]
    given = fields(value, required, ["overdraft_max"])
    chain_id, created_ms, balances, signatures, fee, reward, committee, block, ids, accounts, validators, overdraft = given
    limits = fields(block, ["max_transactions", "max_bytes", "max_age_ms", "window_ms"])
    (remember,) = fields(ids, ["remember_blocks"])
    parameters = u32(limits[0]) + u32(limits[1]) + u64(limits[2]) + u64(limits[3])
    if (balances == "open") != ("overdraft_max" in value):
        raise Breach("a genesis has overdraft_max if its balances are open, and only then")
    parameters += b"\0" if code(["strict", "open"])(balances) == b"\0" else b"\1" + amount(overdraft)
    parameters += code(SIGNATURES)(signatures) + amount(fee) + amount(reward) + u64(remember) + code(COMMITTEES)(committee)

    rows = [fields(account, ["name", "balance"]) for account in accounts]
    members = [fields(validator, ["id", "ed25519", "bls", "possession", "stake"]) for validator in validators]
    ascending([row[0].encode() for row in rows], "accounts")
    ascending([member[0].encode() for member in members], "validators")
    encoded = text(chain_id) + i64(created_ms) + items(lambda row: name(row[0]) + i64(row[1]), rows)
    keys = lambda member: validator_id(member[0]) + fixed(32)(member[1]) + fixed(96)(member[2])
    encoded += items(lambda member: keys(member) + fixed(48)(member[3]) + u64(member[4]), members)
    validator_set = items(lambda member: keys(member) + u64(member[4]), members)
    return encoded + parameters, parameters, validator_set


# ---- hashes -------------------------------------------------------------------------------------------------------


def sha256(content):
    return hashlib.sha256(content).digest()


def domain_hash(tag, content):
    return sha256(tag.encode().ljust(16, b"\0") + content).hex()


def merkle_root(leaves):
    def subtree(hashes):
        if len(hashes) == 1:
            return hashes[0]
        split = 1 << (len(hashes) - 1).bit_length() - 1
        return sha256(b"\1" + subtree(hashes[:split]) + subtree(hashes[split:]))

    return (subtree([sha256(b"\0" + leaf) for leaf in leaves]) if leaves else sha256(b"")).hex()


# ---- checks -------------------------------------------------------------------------------------------------------


def equal(what, found, expected):
    if found != expected:
        raise Breach(f"{what} is {found}, computed {expected}")


def ascending(values, what):
    if any(one >= other for one, other in zip(values, values[1:])):
        raise Breach(f"{what} are not in ascending order")


class Chain:
    """What is known of the blocks so far."""

    def __init__(self, dense):
        self.dense = dense
        self.previous = None
        self.covered = {}

    def add(self, block):
        head, block_hash, seal, entries, operations, start = fields(
            block, ["header", "hash", "seal", "transactions", "operations"], ["genesis"]
        )
        encoded = header(head)
        if head["version"] != 1 or head["hash_algorithm"] != 1:
            raise Breach(f"unknown version {head['version']} or hash algorithm {head['hash_algorithm']}")
        self.check_link(head)
        equal("header hash", block_hash, domain_hash("cairn/header/1", encoded))
        equal("transactions root", head["transactions_root"], merkle_root([entry(value) for value in entries]))
        equal("operations root", head["operations_root"], merkle_root([operation(value) for value in operations]))
        self.check_ranges(head["ranges"], entries)
        ascending([one["id"] for one in head["extensions"]], "extensions")
        for one in head["extensions"]:
            if one["critical"]:
                raise Breach(f"critical extension {one['id']} is not known")
        if head["height"] == 0:
            check_block_0(head, seal, entries, operations, start)
        else:
            if seal is None or start is not None or head["cut"] == "genesis":
                raise Breach("only block 0 has a genesis and no seal")
            check_seal(seal)
        self.previous = (head["height"], block_hash, head["chain_id"])

    def check_link(self, head):
        if self.previous is None:
            return
        height, block_hash, chain_id = self.previous
        if head["height"] != height + 1:
            raise Breach(f"height {head['height']} follows height {height}")
        if head["parent"] != block_hash:
            raise Breach(f"parent is {head['parent']}, block {height} has the hash {block_hash}")
        if head["chain_id"] != chain_id:
            raise Breach(f"chain id is {head['chain_id']!r}, that of block {height} is {chain_id!r}")

    def check_ranges(self, ranges, entries):
        found = {}
        for value in entries:
            partition, offset = value["partition"], value["offset"]
            if partition < 0 or offset < 0:
                raise Breach(f"partition {partition}: offset {offset}: no log has such a place")
            last = found[partition][-1] if partition in found else self.covered.get(partition)
            if last is not None and offset <= last:
                raise Breach(f"partition {partition}: offset {offset} comes after offset {last}")
            if self.dense and last is not None and offset != last + 1:
                raise Breach(f"partition {partition}: offsets {last + 1} to {offset - 1} are in no block")
            found.setdefault(partition, []).append(offset)
        expected = [
            {"partition": partition, "first": offsets[0], "last": offsets[-1], "count": len(offsets)}
            for partition, offsets in sorted(found.items())
        ]
        equal("ranges", ranges, expected)
        self.covered.update((partition, offsets[-1]) for partition, offsets in found.items())


def check_block_0(head, seal, entries, operations, start):
    if seal is not None or start is None or entries or operations or head["cut"] != "genesis":
        raise Breach("block 0 has a genesis, no seal and nothing else")
    encoded, parameters, validator_set = genesis(start)
    genesis_hash = domain_hash("cairn/genesis/1", encoded)
    equal("parent (the genesis hash)", head["parent"], genesis_hash)
    equal("parameters hash", head["parameters"], domain_hash("cairn/params/1", parameters))
    equal("validators hash", head["validators"], domain_hash("cairn/vals/1", validator_set))
    equal("seed", head["seed"], domain_hash("cairn/seed/1", bytes.fromhex(genesis_hash)))
    equal("chain id", head["chain_id"], start["chain_id"])
    equal("time", head["time_ms"], start["created_ms"])
    equal("proposer and round", [head["proposer"], head["round"]], ["$genesis", 0])
    equal("window and extensions", [head["window"], head["extensions"]], [None, []])


# ---- reading ------------------------------------------------------------------------------------------------------


def unique(pairs):
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Breach("a field is given twice")
    return value


def refuse_number(literal):
    raise Breach(f"{literal} is not an integer")


def read(line):
    key, brace, rest = line.partition("{")
    try:
        block = json.loads(
            brace + rest, object_pairs_hook=unique, parse_float=refuse_number, parse_constant=refuse_number
        )
    except (ValueError, RecursionError) as error:
        raise Breach(f"not JSON: {error}") from None
    key = key.strip(" \t:,|")
    height = block.get("header", {}).get("height") if type(block.get("header")) is dict else None
    if key and key != str(height):
        raise Breach(f"the record's key is {key}, its height {height}")
    return block, height


def main(arguments):
    if arguments not in ([], ["--dense"]):
        sys.exit(__doc__)
    chain, count = Chain(dense=bool(arguments)), 0
    # Bytes that are not UTF-8 become lone surrogates, which no text of a block may have.
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    for line in sys.stdin:
        if not line.strip():
            continue
        height = None
        try:
            block, height = read(line)
            chain.add(block)
        except (Breach, AttributeError, KeyError, TypeError) as breach:
            place = f"after height {chain.previous[0]}" if chain.previous else "the first line"
            print(f"height {height if height is not None else f'unknown ({place})'}: {breach}")
            return 1
        count += 1
    if chain.previous is None:
        print("no blocks")
        return 1
    print(f"intact: {count} blocks, to height {chain.previous[0]}, hash {chain.previous[1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
