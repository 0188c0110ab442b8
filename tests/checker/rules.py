"""Executes a chain from block 0 after docs/ledger-rules.md, the draw and the work after docs/consensus.md: `check.py
--execute`.

Every part is computed anew from the transactions and compared with what the blocks say: cuts and windows, receipts,
operations, the set of validators, seeds and who was drawn, quorums, difficulties and proofs of work, and the root of the
whole state. Whether a signature is right needs the curves: of transactions the receipts say it, those of seals and
evidence are taken to be right.
"""

from encoding import (
    Breach, INTEGER_MAX, body, domain_hash, equal, fields, hash_, header, i64, listed, option, parameters, raw, sha256,
    size_bytes, tag, u8, u32, u64, validator_set,
)

ACCOUNTS, EXPIRIES, VALIDATORS, CHAIN, COVERAGE = 1, 3, 4, 5, 6
CHUNK_MAX_BYTES = 524_288


def supply_record(genesis, minted, burnt):
    return u8(1) + b"".join(units.to_bytes(16, "little", signed=True) for units in (genesis, minted, burnt))


def validator_record(ed25519, bls, possession, stake, slashed_at_height, missed):
    keys = raw(32)(ed25519) + raw(96)(bls) + raw(48)(possession)
    return u8(1) + keys + u64(stake) + option(u64)(slashed_at_height) + u64(missed)


# ---- The state tree -----------------------------------------------------------------------------------------------


def bit(path, depth):
    return path[depth // 8] >> (7 - depth % 8) & 1


class Tree:
    """A subtree is None, a leaf (hash, path), or a node (hash, left, right)."""

    def __init__(self):
        self.top = None

    def put(self, table, key, value):
        """Sets a record, or with None removes it."""
        path = sha256(tag("cairn/s-key/1") + u8(table) + key)
        one = value and (sha256(tag("cairn/s-leaf/1") + path + sha256(value)), path)
        self.top = self.changed(self.top, path, one, 0)

    def changed(self, tree, path, one, depth):
        if tree is None or len(tree) == 2 and tree[1] == path:
            return one
        if len(tree) == 2:
            if one is None:
                return tree
            sides = [None, None]
            sides[bit(tree[1], depth)] = tree
        else:
            sides = list(tree[1:])
        side = bit(path, depth)
        sides[side] = self.changed(sides[side], path, one, depth + 1)
        left, right = sides
        if left is None and (right is None or len(right) == 2):
            return right
        if right is None and len(left) == 2:
            return left
        return (sha256(tag("cairn/s-node/1") + self.hash_of(left) + self.hash_of(right)), left, right)

    @staticmethod
    def hash_of(tree):
        return bytes(32) if tree is None else tree[0]

    def root(self):
        return self.hash_of(self.top).hex()


def check_way(head, table, key, record, siblings, other):
    """A record's place in the state, or that it has none, by the hashes beside its way (docs/proofs.md)."""
    path = sha256(tag("cairn/s-key/1") + u8(table) + key)
    other_path, found, count = None, bytes(32), len(siblings)
    bits = f"{int.from_bytes(path, 'big'):0256b}"
    if record is not None:
        found = sha256(tag("cairn/s-leaf/1") + path + sha256(record))
    elif other is not None:
        other_path, value = map(hash_, fields(other, ["path", "value"]))
        equal("bits of the other leaf", f"{int.from_bytes(other_path, 'big'):0256b}"[:count], bits[:count])
        found = sha256(tag("cairn/s-leaf/1") + other_path + value)
    equal("not the way of a key", count > 256 or other_path == path or None not in (record, other), False)
    for sibling, side in reversed(list(zip(map(hash_, listed(siblings)), bits))):
        found = sha256(tag("cairn/s-node/1") + (sibling + found if side == "1" else found + sibling))
    equal(f"state root, by the key {key}", head["state_root"], found.hex())


# ---- The draw (consensus.md) --------------------------------------------------------------------------------------


def turn(head, number):
    return hash_(head["genesis"]) + u64(head["height"]) + u32(number) + hash_(head["author"]["seed"])


def drawn(head, number, stakes):
    """The validator drawn for the round; `stakes` are (id, stake) in the order of ids."""
    total = sum(stake for _, stake in stakes)
    if total == 0:
        raise Breach("no validator has stake left")
    mask = (1 << (total - 1).bit_length()) - 1
    content = turn(head, number)
    while True:
        content = sha256(tag("cairn/draw/1") + content)
        for at in range(0, 32, 8):
            point = int.from_bytes(content[at : at + 8], "little") & mask
            if point < total:
                return holder(point, stakes)


def holder(point, stakes):
    for own_id, stake in stakes:
        if point < stake:
            return own_id
        point -= stake


def check_quorum(signers, stakes, what):
    """More than two thirds of the stake; only those with stake sign."""
    signed = [at for at in range(4 * len(signers)) if bytes.fromhex(signers)[at // 8] >> at % 8 & 1]
    if any(at >= len(stakes) or stakes[at][1] == 0 for at in signed):
        raise Breach(f"{what}: a signer without stake")
    if sum(stakes[at][1] for at in signed) <= 2 * sum(stake for _, stake in stakes) // 3:
        raise Breach(f"{what}: the signers are no quorum")


def check_evidence(proof, head, operation, stakes):
    """What evidence says, without its signatures."""
    accused = [proof["first"], proof["second"]] if proof["kind"] == "equivocation" else [proof["header"]]
    for inner in (signed["header"] for signed in accused):
        author = {"kind": "stake", "proposer": operation["validator"], "round": operation["round"]}
        author["seed"] = head["author"]["seed"]
        equal("evidence: author", inner["author"], author)
        for field in ("genesis", "height"):
            equal(f"evidence: {field}", inner[field], head[field])
    hashes = [domain_hash("cairn/header/1", header(signed["header"])) for signed in accused]
    if proof["kind"] == "refusal":
        others = [(own_id, 0 if own_id == operation["validator"] else stake) for own_id, stake in stakes]
        check_quorum(proof["signers"], others, "evidence")
    elif hashes[0] >= hashes[1]:
        raise Breach("evidence: two headers, the smaller hash first")


# ---- Work (consensus.md) ------------------------------------------------------------------------------------------


def difficulty(work, before, head):
    """The one that is due of `head`, behind the header `before`."""
    least, target = 2 ** work["leading_zero_bits"], work["target_interval_ms"]
    if target == 0 or before["height"] == 0:
        return least
    interval, last = head["time_ms"] - before["time_ms"], before["author"]["difficulty"]
    if interval <= 0 or interval < target and head["cut"] in ("transactions", "bytes"):
        return last
    due = last * (17 * target - min(interval, 4 * target)) // (16 * target)
    return max(least, min(due, least * 65536, 2**48))


def check_work(work, before, block):
    """Difficulty and proofs; `before` is the block before."""
    head, author, proof = block["header"], block["header"]["author"], block["seal"]["proof"]
    is_first = before["header"]["height"] == 0
    equal("last proof", author["last_proof"], 100 if is_first else before["seal"]["proof"])
    equal("difficulty", author["difficulty"], difficulty(work, before["header"], head))
    content = tag("cairn/work/1") + hash_(block["hash"]) + u64(proof)
    if work["rule"] == "classic":
        content = f"{author['last_proof']}{proof}".encode()
    if proof > INTEGER_MAX or int.from_bytes(sha256(content)[:8], "big") * author["difficulty"] >= 2**64:
        raise Breach(f"proof {proof} does not hold")


# ---- The chain ----------------------------------------------------------------------------------------------------


class Execution:
    def __init__(self):
        self.parent = None

    def add(self, block):
        if self.parent is None:
            if block["header"]["height"] != 0:
                raise Breach("an execution begins with block 0")
            self.begin(block["genesis"])
        else:
            self.execute(block)
        equal("state root", block["header"]["state_root"], self.tree.root())
        self.parent = block

    def begin(self, genesis):
        self.genesis, self.tree = genesis, Tree()
        self.work = genesis.get("work")
        self.accounts, self.ids, self.expiries = {}, {}, {}
        self.validators = {one["id"]: {**one, "slashed": None, "missed": 0} for one in genesis["validators"]}
        self.at_first = sum(one["balance"] for one in genesis["accounts"])
        self.at_first += sum(one["stake"] for one in genesis["validators"])
        self.minted = self.burnt = 0
        self.tree.put(CHAIN, b"parameters", parameters(genesis))
        for one in genesis["accounts"]:
            self.set_account(one["name"], one["balance"], 0)
        for own_id in self.validators:
            self.put_validator(own_id)
        self.put_supply()

    def execute(self, block):
        head, entries = block["header"], block["transactions"]
        self.check_cut(block)
        self.active_height = self.parent["header"]["active_height"] + 1
        self.fees, self.used = 0, []
        self.forget()
        for value in entries:
            if "receipt" in value:
                equal(f"receipt of offset {value['offset']}", value["receipt"], self.receipt(value))
        self.remember()
        for value in entries:
            place = i64(value["offset"]) + i64(value["timestamp_ms"]) + hash_(value["original"])
            self.tree.put(COVERAGE, value["partition"].to_bytes(4, "big"), u8(1) + place)
        self.check_maker(block)
        is_active = head["active_height"] == self.active_height
        equal("operations", block["operations"], self.operations(block, is_active))
        self.put_supply()
        equal("parameters", head["parameters"], self.parent["header"]["parameters"])
        public = ("id", "ed25519", "bls", "possession", "stake")
        members = [{field: one[field] for field in public} for one in self.validators.values()]
        equal("validators hash", head["validators"], domain_hash("cairn/vals/1", validator_set(members)))
        if self.work is None:
            check_quorum(block["seal"]["signers"], self.stakes(), "seal")

    # ---- Records of the state

    def set_account(self, own_name, balance, nonce):
        self.accounts[own_name] = (balance, nonce)
        self.tree.put(ACCOUNTS, own_name.encode(), u8(1) + i64(balance) + u64(nonce) if balance or nonce else None)

    def put_validator(self, own_id):
        one = self.validators[own_id]
        keys = (one["ed25519"], one["bls"], one["possession"])
        record = validator_record(*keys, one["stake"], one["slashed"], one["missed"])
        self.tree.put(VALIDATORS, own_id.encode(), record)

    def put_supply(self):
        self.tree.put(CHAIN, b"supply", supply_record(self.at_first, self.minted, self.burnt))

    def balance(self, own_name):
        return self.accounts.get(own_name, (0, 0))[0]

    def stakes(self):
        return [(own_id, one["stake"]) for own_id, one in self.validators.items()]

    # ---- Lists of ids

    def forget(self):
        for height in [height for height in self.expiries if height <= self.active_height]:
            keys, chunks = self.expiries.pop(height)
            for key in keys:
                del self.ids[key]
            for chunk in range(chunks):
                self.tree.put(EXPIRIES, height.to_bytes(8, "big") + chunk.to_bytes(4, "big"), None)

    def remember(self):
        if not self.used:
            return
        height = self.active_height + self.genesis["ids"]["remember_blocks"] + 1
        chunks = [b""]
        counts = [0]
        for sender, own_id in self.used:
            key = u8(len(sender.encode())) + sender.encode() + own_id.encode()
            item = u32(len(key)) + key + self.ids[sender, own_id]
            if 1 + 4 + len(chunks[-1]) + len(item) > CHUNK_MAX_BYTES:
                chunks.append(b"")
                counts.append(0)
            chunks[-1] += item
            counts[-1] += 1
        for number, (count, chunk) in enumerate(zip(counts, chunks)):
            place = height.to_bytes(8, "big") + number.to_bytes(4, "big")
            self.tree.put(EXPIRIES, place, u8(1) + u32(count) + chunk)
        self.expiries[height] = (self.used, len(chunks))

    # ---- A transaction

    def receipt(self, value):
        reason = self.rejection(value)
        sender, receiver = value["from"], value["to"]
        if reason is None:
            self.apply(value)
        outcome = {"outcome": "applied"} if reason is None else {"outcome": "rejected", "reason": reason}
        return {**outcome, "from_balance": self.balance(sender), "to_balance": self.balance(receiver)}

    def apply(self, value):
        sender, receiver, fee = value["from"], value["to"], self.genesis["fee"]
        balance, nonce = self.accounts.get(sender, (0, 0))
        self.set_account(sender, balance - value["amount"] - fee, nonce + ("nonce" in value))
        balance, nonce = self.accounts.get(receiver, (0, 0))
        self.set_account(receiver, balance + value["amount"], nonce)
        self.fees += fee
        if "id" in value:
            self.ids[sender, value["id"]] = sha256(tag("cairn/body/1") + body(value))
            self.used.append((sender, value["id"]))

    def rejection(self, value):
        """The reason of the first rule that rejects the transaction."""
        sender, receiver = value["from"], value["to"]
        if "kind" in value:
            return "unknown_kind"
        if any(field in value for field in ("validator", "timeout_ms", "reference")):
            return "unexpected_field"
        if "asset" in value:
            return "unknown_asset"
        if receiver.startswith("$") or sender.startswith("$") and sender[1:] not in self.validators:
            return "reserved_name"
        if self.is_nobody(sender) or self.is_nobody(receiver):
            return "reserved_name"
        if value["amount"] == 0:
            return "zero_amount"
        if size_bytes(value) > self.genesis["block"]["max_bytes"]:
            return "too_large"
        return self.unauthorized(value) or self.unusable(value) or self.unpayable(value)

    def is_nobody(self, own_name):
        return own_name == "0" and self.work is not None and self.work["rule"] == "classic"

    def owner(self, sender):
        if sender.startswith("ed25519:"):
            return sender[8:]
        return self.validators[sender[1:]]["ed25519"] if sender.startswith("$") else None

    def unauthorized(self, value):
        """Who may send."""
        policy, owner, key = self.genesis["signatures"], self.owner(value["from"]), value.get("public_key")
        if policy == "off":
            return "signature_required" if owner else None
        if key is None:
            return "signature_required" if owner or policy == "required" else None
        if owner != key and (owner or policy == "required"):
            return "bad_signature"
        # The signature itself is not looked at: the receipt says whether it is right.
        return "bad_signature" if value["receipt"].get("reason") == "bad_signature" else None

    def unusable(self, value):
        """By time, by id, by nonce."""
        active, valid_until = self.active_height, value.get("valid_until")
        sender, own_id, nonce = value["from"], value.get("id"), value.get("nonce")
        if valid_until is not None and valid_until < active:
            return "expired"
        if own_id is not None and (sender, own_id) in self.ids:
            is_same = self.ids[sender, own_id] == sha256(tag("cairn/body/1") + body(value))
            return "duplicate" if is_same else "conflict"
        if self.owner(sender) and nonce is None:
            if own_id is None or valid_until is None:
                return "replayable"
            if valid_until > active + self.genesis["ids"]["remember_blocks"]:
                return "validity_too_long"
        if nonce is not None and (nonce != self.accounts.get(sender, (0, 0))[1] or nonce == INTEGER_MAX):
            return "bad_nonce"
        return None

    def unpayable(self, value):
        fee = self.genesis["fee"]
        if value.get("fee", fee) < fee:
            return "fee_too_low"
        balance, nonce = self.accounts.get(value["from"], (0, 0))
        if self.genesis["balances"] == "open":
            lowest = -self.genesis["overdraft_max"]
        else:
            lowest = 1 if nonce or "nonce" in value else 0
        if balance - value["amount"] - fee < lowest:
            return "insufficient_funds"
        if value["to"] != value["from"] and self.balance(value["to"]) + value["amount"] > INTEGER_MAX:
            return "balance_overflow"
        return None

    # ---- Operations

    def check_maker(self, block):
        """Author and seal are of the chain's kind; then what follows from the block before."""
        kind = self.genesis["consensus"]
        equal("kind of the author", block["header"]["author"]["kind"], kind)
        equal("kind of the seal", block["seal"]["kind"], kind)
        if self.work is None:
            return self.check_seed(block["header"])
        miner = block["header"]["author"]["miner"]
        if miner.startswith("$") or self.is_nobody(miner):
            raise Breach(f"nobody can mine for {miner}")
        check_work(self.work, self.parent, block)

    def check_seed(self, head):
        """Seeds follow from the reveals (consensus.md)."""
        genesis, before = hash_(head["genesis"]), self.parent["header"]
        seed, reveal = domain_hash("cairn/seed/1", genesis), bytes(48)
        if before["height"]:
            seed, reveal = before["author"]["seed"], raw(48)(self.parent["seal"]["reveal"])
        content = genesis + u64(head["height"]) + hash_(seed) + reveal
        equal("seed", head["author"]["seed"], domain_hash("cairn/seed/1", content))

    def operations(self, block, is_active):
        """Those of the rounds as the block has them, after a check, then what the rules give."""
        if self.work is not None:
            miner = block["header"]["author"]["miner"]
            fees = self.earnings("miner_fee", miner, {})
            return fees + (self.earnings("miner_reward", miner, {}) if is_active else [])
        head, proposer = block["header"], block["header"]["author"]["proposer"]
        rounds = block["operations"][: head["author"]["round"]]
        for number in range(head["author"]["round"]):
            self.lost_round(head, number, rounds[number] if number < len(rounds) else None)
        equal("proposer", proposer, drawn(head, head["author"]["round"], self.stakes()))
        own_name, who = f"${proposer}", {"validator": proposer}
        fees = self.earnings("fee", own_name, who)
        return rounds + fees + (self.earnings("reward", own_name, who) if is_active else [])

    def lost_round(self, head, number, one):
        if one is None or one["kind"] not in ("missed", "slash"):
            raise Breach(f"round {number} has no operation")
        equal("round", one["round"], number)
        equal(f"validator of round {number}", one["validator"], drawn(head, number, self.stakes()))
        validator = self.validators[one["validator"]]
        if one["kind"] == "missed":
            validator["missed"] += 1
        else:
            equal("amount of the slash", one["amount"], validator["stake"])
            check_evidence(one["evidence"], head, one, self.stakes())
            self.burnt += validator["stake"]
            validator["stake"], validator["slashed"] = 0, head["height"]
        self.put_validator(one["validator"])

    def earnings(self, kind, own_name, who):
        """To the proposer's earnings or the miner, as far as the account can take them, at most 2^53 - 1 in an operation."""
        is_fee = kind.endswith("fee")
        due = self.fees if is_fee else self.genesis["reward"]
        balance, nonce = self.accounts.get(own_name, (0, 0))
        taken = min(due, INTEGER_MAX - balance)
        if is_fee:
            self.burnt += due - taken
        else:
            self.minted += taken
        operations = []
        while taken:
            units = min(taken, INTEGER_MAX)
            balance, taken = balance + units, taken - units
            operations.append({"kind": kind, **who, "account": own_name, "amount": units, "balance": balance})
        self.set_account(own_name, balance, nonce)
        return operations

    # ---- Cuts

    def check_cut(self, block):
        """The cut, the window and the time follow from the records, and the cut before from the first of them."""
        head, limits = block["header"], self.genesis["block"]
        time_ms = self.parent["header"]["time_ms"]
        if not block["transactions"]:
            raise Breach("a block without records")
        window = size = count = 0
        for place, value in enumerate(block["transactions"]):
            if place == 0:
                self.check_cut_before(value)
            elif rule := self.rule_before(value, time_ms, window, size):
                raise Breach(f"cut {head['cut']}: before offset {value['offset']} the cut was {rule}")
            time_ms = max(time_ms, value["timestamp_ms"])
            window = window if place else self.window(time_ms)
            size, count = size + size_bytes(value), count + ("receipt" in value)
            is_full = "receipt" in value and count == limits["max_transactions"]
            if is_full and place < len(block["transactions"]) - 1:
                raise Breach(f"cut {head['cut']}: after offset {value['offset']} the cut was transactions")
        if is_full != (head["cut"] == "transactions"):
            raise Breach(f"cut {head['cut']}: {count} transactions")
        equal("time_ms", head["time_ms"], time_ms)
        equal("window", head["window"], window)
        self.open_block = (time_ms, window, size)

    def check_cut_before(self, value):
        """A cut before a record can be proved only with that record at hand."""
        cut = self.parent["header"]["cut"]
        if cut in ("window", "bytes"):
            equal("the cut of the block before", cut, self.rule_before(value, *self.open_block))

    def rule_before(self, value, time_ms, window, size):
        if window and max(time_ms, value["timestamp_ms"]) >= window["end_ms"]:
            return "window"
        return "bytes" if size + size_bytes(value) > self.genesis["block"]["max_bytes"] else None

    def window(self, time_ms):
        length = self.genesis["block"]["window_ms"]
        if length == 0:
            return None
        return {"start_ms": time_ms // length * length, "end_ms": time_ms // length * length + length}
