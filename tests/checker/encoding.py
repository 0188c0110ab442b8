"""Canonical bytes, hashes and JSON of a block, after sections 1 to 8 of docs/encoding.md.

A function takes a value as JSON has it and gives its canonical bytes, or says what is wrong with it. It is named after
what the page calls the value; the fields of an object must be those of section 8, in their order.
"""

import hashlib
import json
import re
import unicodedata

VERSION = 1
INTEGER_MAX = 2**53 - 1
HEIGHT_MAX = 2**64 - 1
ZEROS = "00" * 32


class Breach(Exception):
    """What is wrong with a block."""


class Unknown(Exception):
    """Why a block cannot be judged: it was made by a newer program, or pruned."""


def equal(what, found, computed):
    if found != computed:
        raise Breach(f"{what} is {found}, computed {computed}")


def ascending(values, what):
    if any(one >= other for one, other in zip(values, values[1:])):
        raise Breach(f"{what} are not in ascending order")


# ---- 1. Canonical bytes -------------------------------------------------------------------------------------------


def integer_of(size, signed=False, low=None, high=None):
    def encode(value):
        if type(value) is not int:
            raise Breach(f"{value!r} is not an integer")
        if low is not None and value < low or high is not None and value > high:
            raise Breach(f"{value} is not from {low} to {high}")
        try:
            return value.to_bytes(size, "little", signed=signed)
        except OverflowError:
            raise Breach(f"{value} does not fit into {size} bytes") from None

    return encode


u8, u16, u32, u64 = integer_of(1), integer_of(2), integer_of(4), integer_of(8)
i32, i64 = integer_of(4, signed=True), integer_of(8, signed=True)
amount = integer = integer_of(8, low=0, high=INTEGER_MAX)


def boolean(value):
    if type(value) is not bool:
        raise Breach(f"{value!r} is not true or false")
    return bytes([value])


def raw(size):
    pattern = re.compile(f"[0-9a-f]{{{2 * size}}}")

    def encode(value):
        if type(value) is not str or not pattern.fullmatch(value):
            raise Breach(f"{value!r} is not {2 * size} lower-case hex digits")
        return bytes.fromhex(value)

    return encode


hash_ = raw(32)


def blob(value):
    if type(value) is not str or not re.fullmatch("([0-9a-f]{2})*", value):
        raise Breach(f"{value!r} is not lower-case hex")
    return u32(len(value) // 2) + bytes.fromhex(value)


def text(value, low=0, high=2**32 - 1):
    if type(value) is not str:
        raise Breach(f"{value!r} is not a string")
    try:
        encoded = value.encode("utf-8")
    except UnicodeEncodeError:
        raise Breach(f"{value!r} is not Unicode") from None
    if not low <= len(encoded) <= high:
        raise Breach(f"{value!r} has {len(encoded)} bytes, not {low} to {high}")
    return u32(len(encoded)) + encoded


def option(encode):
    return lambda value: b"\0" if value is None else b"\1" + encode(value)


def items(encode):
    def encode_items(values):
        if type(values) is not list:
            raise Breach(f"{values!r} is not an array")
        return u32(len(values)) + b"".join(map(encode, values))

    return encode_items


def code(texts, first=0):
    """A byte that is written as a text: the first of the texts is the byte `first`."""
    numbers = {text: bytes([number]) for number, text in enumerate(texts, first)}

    def encode(value):
        if type(value) is not str or value not in numbers:
            raise Breach(f"{value!r} is not one of {', '.join(texts)}")
        return numbers[value]

    return encode


CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef"
    # Code points that are no characters, and never will be.
    "\ufdd0-\ufdef" + "".join(map(chr, (plane << 16 | low for plane in range(17) for low in (0xFFFE, 0xFFFF)))) + "]"
)
FORBIDDEN = {"Cf", "Cs", "Co", "Zl", "Zp"} | ({"Cn"} if unicodedata.unidata_version.startswith("18.") else set())


def character_flaw(value):
    """1, 2 or 3 as in the table of "Characters of names and ids", or 0."""
    if CONTROL.search(value):
        return 1
    if value.isascii():
        return 0
    if INVISIBLE.search(value) or any(unicodedata.category(character) in FORBIDDEN for character in value):
        return 2
    return 0 if unicodedata.is_normalized("NFC", value) else 3


def identity(value):
    encoded = text(value, 1, 128)
    if flaw := character_flaw(value):
        flaws = {1: "has a control character", 2: "has a forbidden character", 3: "is not in form C"}
        raise Breach(f"{value!r} {flaws[flaw]}")
    return encoded


def name(value):
    encoded = identity(value)
    if value.startswith("ed25519:") and not re.fullmatch("[0-9a-f]{64}", value[8:]):
        raise Breach(f"{value!r} is not a keyed account")
    return encoded


def memo(value):
    return text(value, 0, 256)


def validator_id(value):
    if type(value) is not str or not re.fullmatch("[a-z0-9._-]{1,64}", value):
        raise Breach(f"{value!r} is not the id of a validator")
    return text(value)


def bitmap(value):
    encoded = blob(value)
    if value.endswith("00"):
        raise Breach(f"{value!r}: the last byte of a bitmap is not zero")
    return encoded


# ---- 2. Hashes ----------------------------------------------------------------------------------------------------


def sha256(content):
    return hashlib.sha256(content).digest()


def tag(domain):
    return domain.encode().ljust(16, b"\0")


def domain_hash(domain, content):
    return sha256(tag(domain) + content).hex()


def leaf(content):
    return sha256(b"\0" + content)


def node(left, right):
    return sha256(b"\1" + left + right)


class Frontier:
    """The root over all leaves so far, from the roots of full subtrees: one for each bit in the number of leaves."""

    def __init__(self):
        self.count, self.peaks = 0, []

    def append(self, content):
        """A binary counter: two full subtrees of one size become one."""
        peak, count = leaf(content), self.count
        while count & 1:
            peak, count = node(self.peaks.pop(), peak), count >> 1
        self.peaks.append(peak)
        self.count += 1

    def root(self):
        if not self.peaks:
            return sha256(b"").hex()
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node(peak, root)
        return root.hex()


def merkle_root(leaves):
    frontier = Frontier()
    for content in leaves:
        frontier.append(content)
    return frontier.root()


def listed(values):
    equal("type of an array", type(values), list)
    return values


def check_path(what, content, index, count, path, root):
    """A leaf's place in a tree by the hashes beside its way (RFC 9162, 2.1.3.2; docs/proofs.md)."""
    place, last, found, rest = index, count - 1, leaf(content), list(map(hash_, listed(path)))
    equal(f"{what}: whether there is such a place", (u64(index), u64(count), index < count)[2], True)
    while last > 0:
        if place % 2 or place < last:
            found = node(rest.pop(0), found) if place % 2 else node(found, rest.pop(0))
        place, last = place // 2, last // 2
    equal(f"{what}: number of hashes left", len(rest), 0)
    equal(what, root, found.hex())


# ---- 8. JSON: the fields of an object -----------------------------------------------------------------------------


def fields(value, names, optional=()):
    """The values of an object's fields, which stand in the order of `names`. One that is left out is None."""
    if type(value) is not dict:
        raise Breach(f"{value!r} is not an object")
    for field in value:
        if field not in names:
            raise Breach(f"unknown field {field}")
    for field in names:
        if field not in value and field not in optional:
            raise Breach(f"field {field} is missing")
        if field in optional and value.get(field, 0) is None:
            raise Breach(f"field {field} is null, not left out")
    if list(value) != [field for field in names if field in value]:
        raise Breach(f"the fields do not stand in the order {', '.join(names)}")
    return [value.get(field) for field in names]


def kind_of(value):
    kind = value.get("kind") if type(value) is dict else None
    return kind if type(kind) is str else None


def rendering(block):
    """The one rendering of a block whose fields stand in order. Python escapes texts as section 8 does."""
    return json.dumps(block, ensure_ascii=False, separators=(",", ":"))


def size_bytes(entry):
    """Size of an entry: known before it is executed."""
    without = {field: value for field, value in entry.items() if field != "receipt"}
    return len(rendering(without).encode()) + 1 + (75 + 18 + 40 if "receipt" in entry else 0)


# ---- 3. Transaction -----------------------------------------------------------------------------------------------

KINDS = ["transfer", "stake", "unstake", "delegate", "key", "parameter", "pending", "post", "void"]
TRANSACTION = [
    "kind", "asset", "from", "to", "amount", "fee", "id", "nonce", "valid_until", "memo", "validator", "timeout_ms",
    "reference", "public_key", "signature",
]
BODY = [
    code(KINDS), u32, name, name, amount, option(amount), option(identity), option(integer), option(integer),
    option(memo), option(validator_id), option(integer), option(hash_),
]


def body(entry):
    kind, asset, *others = [entry.get(field) for field in TRANSACTION[:-2]]
    if kind == KINDS[0] or asset == 0:
        raise Breach("the kind transfer and the asset 0 are left out")
    values = [KINDS[0] if kind is None else kind, 0 if asset is None else asset, *others]
    return u8(1) + b"".join(encode(value) for encode, value in zip(BODY, values))


def authorization(entry):
    public_key, signature = entry.get("public_key"), entry.get("signature")
    if public_key is None and signature is None:
        return b"\0"
    return b"\1" + raw(32)(public_key) + raw(64)(signature)


def transaction(entry):
    return body(entry) + authorization(entry)


def signing_bytes(genesis_hash, public_key, entry):
    return tag("cairn/tx/1") + hash_(genesis_hash) + raw(32)(public_key) + body(entry)


# ---- 4. Entries ---------------------------------------------------------------------------------------------------

STUBS = [
    "null_value", "too_large", "not_utf8", "not_json", "not_an_object", "nested_too_deep", "lone_surrogate",
    "duplicate_field", "missing_field", "wrong_type", "amount_not_a_number", "amount_negative", "amount_not_an_integer",
    "amount_too_large", "name_empty", "name_too_long", "name_control_character", "name_bad_key", "bad_id", "bad_memo",
    "bad_integer", "bad_authorization", "unknown_version", "unknown_kind", "bad_asset", "name_not_normalized",
    "name_forbidden_character", "compressed_frame", "bad_validator", "bad_reference",
]
REJECTIONS = [
    "insufficient_funds", "duplicate", "conflict", "bad_nonce", "bad_signature", "signature_required", "expired",
    "reserved_name", "unknown_kind", "too_large", "unknown_asset", "balance_overflow", "fee_too_low", "replayable",
    "validity_too_long", "zero_amount", "unexpected_field",
]
ORIGIN = ["partition", "offset", "timestamp_ms", "original"]
ENTRY = [*ORIGIN, *TRANSACTION, "receipt"]
OPTIONAL = [field for field in TRANSACTION if field not in ("from", "to", "amount")]
timestamp_ms = integer_of(8, signed=True, low=-INTEGER_MAX, high=INTEGER_MAX)
stub_reason, rejection = code(STUBS, 1), code(REJECTIONS, 1)


def receipt(value):
    outcome, reason, from_balance, to_balance = fields(
        value, ["outcome", "reason", "from_balance", "to_balance"], ["reason"]
    )
    if outcome not in ("applied", "rejected") or (outcome == "applied") != (reason is None):
        raise Breach(f"outcome {outcome!r} with reason {reason!r}")
    return u8(1) + (b"\0" if reason is None else rejection(reason)) + i64(from_balance) + i64(to_balance)


def entry(value):
    if type(value) is dict and "stub" in value:
        *origin, stub = fields(value, [*ORIGIN, "stub"])
        reason, key = fields(stub, ["reason", "key"])
        content = b"\1" + stub_reason(reason) + option(hash_)(key)
    else:
        origin, value_receipt = fields(value, ENTRY, OPTIONAL)[:4], value["receipt"]
        content = b"\0" + transaction(value) + receipt(value_receipt)
    partition, offset, timestamp, original = origin
    return i32(partition) + i64(offset) + timestamp_ms(timestamp) + hash_(original) + content


def is_applied(value):
    return "receipt" in value and value["receipt"]["outcome"] == "applied"


# ---- 5. Operations ------------------------------------------------------------------------------------------------

refusal_reason = code(["does_not_follow_from_the_input", "does_not_re_execute"], 1)


def operation(value):
    kind = kind_of(value)
    if kind in ("fee", "reward"):
        _, validator, account, units, balance = fields(value, ["kind", "validator", "account", "amount", "balance"])
        return u8(1 if kind == "fee" else 2) + validator_id(validator) + name(account) + amount(units) + i64(balance)
    if kind in ("miner_fee", "miner_reward"):
        _, account, units, balance = fields(value, ["kind", "account", "amount", "balance"])
        return u8(10 if kind == "miner_fee" else 11) + name(account) + amount(units) + i64(balance)
    if kind == "missed":
        _, number, validator = fields(value, ["kind", "round", "validator"])
        return u8(3) + u32(number) + validator_id(validator)
    if kind == "slash":
        _, number, validator, units, proof = fields(value, ["kind", "round", "validator", "amount", "evidence"])
        return u8(4) + u32(number) + validator_id(validator) + u64(units) + evidence(proof)
    raise Breach(f"unknown operation {kind!r}")


def evidence(value):
    kind = kind_of(value)
    if kind == "equivocation":
        _, first, second = fields(value, ["kind", "first", "second"])
        return u8(1) + signed_header(first) + signed_header(second)
    if kind == "refusal":
        _, refused, reason, signature, signers = fields(value, ["kind", "header", "reason", "signature", "signers"])
        return u8(2) + signed_header(refused) + refusal_reason(reason) + raw(48)(signature) + bitmap(signers)
    raise Breach(f"unknown evidence {kind!r}")


def signed_header(value):
    inner, signature = fields(value, ["header", "signature"])
    refuse_newer(inner, None)
    return header(inner) + raw(64)(signature)


# ---- 6. Header ----------------------------------------------------------------------------------------------------

cut = code(["genesis", "window", "transactions", "bytes", "age", "end"])


def window(value):
    start_ms, end_ms = fields(value, ["start_ms", "end_ms"])
    return i64(start_ms) + i64(end_ms)


def range_(value):
    partition, first, last, count = fields(value, ["partition", "first", "last", "count"])
    return i32(partition) + i64(first) + i64(last) + u64(count)


def author(value):
    if kind_of(value) == "genesis":
        fields(value, ["kind"])
        return u8(0)
    if kind_of(value) == "work":
        _, miner, difficulty, last_proof = fields(value, ["kind", "miner", "difficulty", "last_proof"])
        return u8(2) + name(miner) + u64(difficulty) + u64(last_proof)
    kind, proposer, number, seed = fields(value, ["kind", "proposer", "round", "seed"])
    return code(["stake"], 1)(kind) + validator_id(proposer) + u32(number) + hash_(seed)


def extension(value):
    number, critical, content = fields(value, ["id", "critical", "value"])
    return u16(number) + boolean(critical) + blob(content)


HEADER = {
    "version": u16, "hash_algorithm": u8, "genesis": hash_, "height": u64, "active_height": u64, "time_ms": i64,
    "parent": hash_, "history": hash_, "window": option(window), "cut": cut, "ranges": items(range_),
    "transactions_root": hash_, "operations_root": hash_, "state_root": hash_, "validators": hash_, "parameters": hash_,
    "author": author, "extensions": items(extension),
}


def header(value):
    encoded = b""
    for (field, encode), content in zip(HEADER.items(), fields(value, list(HEADER))):
        try:
            encoded += encode(content)
        except Breach as breach:
            raise Breach(f"header.{field}: {breach}") from None
    ascending([one["id"] for one in value["extensions"]], "extensions")
    return encoded


def refuse_newer(head, seal):
    """Asked before anything else, of JSON of any shape."""
    head = head if type(head) is dict else {}
    version, algorithm = head.get("version"), head.get("hash_algorithm")
    extensions = head.get("extensions")
    found = None
    if type(version) is int and version > VERSION:
        found = f"header.version is {version}, known is {VERSION}"
    elif type(algorithm) is int and algorithm != 1:
        found = f"header.hash_algorithm is {algorithm}, known is 1"
    elif kind_of(head.get("author")) not in (None, "genesis", "stake", "work"):
        found = f"an author of the kind {kind_of(head['author'])}"
    elif kind_of(seal) not in (None, "stake", "work"):
        found = f"a seal of the kind {kind_of(seal)}"
    else:
        for one in extensions if type(extensions) is list else ():
            if type(one) is dict and one.get("critical") is True:
                found = f"the critical extension {one.get('id')}"
    if found:
        raise Unknown(f"made by a newer program: {found}")


def seal_shape(value):
    """A seal is part of no hash. Only its shape is looked at."""
    if kind_of(value) == "work":
        return u64(fields(value, ["kind", "proof"])[1])
    kind, signature, reveal, attestation, signers = fields(
        value, ["kind", "signature", "reveal", "attestation", "signers"]
    )
    code(["stake"], 1)(kind), raw(64)(signature), raw(48)(reveal), raw(48)(attestation), bitmap(signers)


# ---- 7. Genesis ---------------------------------------------------------------------------------------------------

GENESIS = [
    "chain_id", "created_ms", "versions", "balances", "overdraft_max", "signatures", "fee", "reward", "consensus",
    "committee", "work", "block", "ids", "accounts", "validators",
]
work_rule = code(["header", "classic"], 1)
signature_policy, committee = code(["required", "when_keyed", "off"]), code(["local"])


def parameters(value):
    given = dict(zip(GENESIS, fields(value, GENESIS, ["overdraft_max", "committee", "work"])))
    limits = fields(given["block"], ["max_transactions", "max_bytes", "max_age_ms", "window_ms"])
    (remember_blocks,) = fields(given["ids"], ["remember_blocks"])
    if given["balances"] == "strict" and "overdraft_max" in value:
        raise Breach("overdraft_max under strict balances")
    balances = code(["strict", "open"])(given["balances"])
    return (
        items(scheduled_version)(given["versions"])
        + u32(limits[0]) + u32(limits[1]) + u64(limits[2]) + u64(limits[3])
        + balances + (amount(given["overdraft_max"]) if given["balances"] == "open" else b"")
        + signature_policy(given["signatures"]) + amount(given["fee"]) + amount(given["reward"]) + u64(remember_blocks)
        + code(["stake", "work"], 1)(given["consensus"]) + consensus(given)
    )


def consensus(given):
    """What belongs to one kind of consensus stands under no other."""
    is_work = given["consensus"] == "work"
    if (given["work"] is None) == is_work or (given["committee"] is None) != is_work:
        raise Breach("a chain of stake has a committee, and one of work has work")
    if not is_work:
        return committee(given["committee"])
    rule, bits, target_ms = fields(given["work"], ["rule", "leading_zero_bits", "target_interval_ms"])
    return work_rule(rule) + u8(bits) + u64(target_ms)


def scheduled_version(value):
    version, from_height = fields(value, ["version", "from_height"])
    return u16(version) + u64(from_height)


def account(value):
    own_name, balance = fields(value, ["name", "balance"])
    return name(own_name) + i64(balance)


def validator(value, with_possession):
    own_id, ed25519, bls, possession, stake = fields(value, ["id", "ed25519", "bls", "possession", "stake"])
    shown = raw(48)(possession)
    return validator_id(own_id) + raw(32)(ed25519) + raw(96)(bls) + (shown if with_possession else b"") + u64(stake)


def validator_set(members):
    return items(lambda member: validator(member, with_possession=False))(members)


def genesis(value):
    ending = parameters(value)
    encoded = text(value["chain_id"]) + i64(value["created_ms"]) + items(account)(value["accounts"])
    encoded += items(lambda member: validator(member, with_possession=True))(value["validators"])
    ascending([one["name"].encode() for one in value["accounts"]], "accounts")
    ascending([one["id"].encode() for one in value["validators"]], "validators")
    ascending([one["version"] for one in value["versions"]], "versions")
    ascending([one["from_height"] for one in value["versions"]], "the heights of versions")
    if not value["versions"] or value["versions"][0]["from_height"] != 0:
        raise Breach("the first version is from height 0")
    return encoded + ending
