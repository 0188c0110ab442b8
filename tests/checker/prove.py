#!/usr/bin/env python3
"""Checks a proof after docs/proofs.md: prove.py PROOF --checkpoint FILE | --genesis-hash HASH

Not checked, for it needs the curves: signatures in seals and evidence. With the genesis hash alone a proof holds but
for these, which anybody can make up, and it is said so.
Exit 0: it holds. 1: it does not. 2: wrong usage. 3: it needs another checkpoint, or a newer program; no such file.
"""
import base64
import json
import sys

sys.dont_write_bytecode = True
from encoding import (  # noqa: E402
    Breach, Unknown, ZEROS, ascending, blob, check_path, domain_hash, entry, equal, fields, genesis, hash_, header, i64,
    identity, is_applied, listed, merkle_root, name, operation, parameters, refuse_newer, rendering, seal_shape, u8, u64,
    validator_id, validator_set)
from rules import ACCOUNTS, EXPIRIES, VALIDATORS, Execution, check_way, validator_record  # noqa: E402

VALIDATOR = ["ed25519", "bls", "possession", "stake", "slashed_at_height", "missed"]

def ids_of(record):
    at, keys = 5, []
    while at < len(record):
        end = at + 4 + int.from_bytes(record[at:at + 4], "little")
        keys.append(record[at + 4:end])
        at = end + 32
    equal("a list of ids", (record[0], len(record), int.from_bytes(record[1:5], "little")), (1, at, len(keys)))
    return keys

def check_unused(head, sender, own_id, given, lists):
    wanted = bytes([len(sender.encode())]) + name(sender)[4:] + identity(own_id)[4:]
    given = blob(given)[4:]
    equal("parameters", head["parameters"], domain_hash("cairn/params/1", given))
    at = 4 + 10 * int.from_bytes(given[:4], "little") + 24  # balances, in docs/encoding.md, section 7
    at += {0: 1, 1: 9}[given[at]] + 1 + 8 + 8
    remembered = int.from_bytes(given[at:at + 8], "little")
    equal("length of the parameters", len(given), at + 8 + {1: 2, 2: 11}[given[at + 8]])
    first = head["active_height"] - min(head["active_height"], remembered) + 1
    equal("number of lists", len(listed(lists)), head["active_height"] + 1 - first)
    for used_at, chunks in enumerate(lists, first):
        ends = []
        for number, chunk in enumerate(chunks):
            record, *way = fields(chunk, ["record", "siblings", "other"])
            record = None if record is None else blob(record)[4:]
            key = (used_at + remembered + 1).to_bytes(8, "big") + number.to_bytes(4, "big")
            check_way(head, EXPIRIES, key, record, *way)
            equal(f"use at active height {used_at}", record is not None and wanted in ids_of(record), False)
            ends.append(record is None or len(record) <= 523995)
        equal(f"where the list of active height {used_at} ends", ends, [False] * (len(chunks) - 1) + [True])

def check_claim(head, claim, shown):
    kind = claim.get("kind")
    if kind in ("transaction", "id_used"):
        (_, own), (index, path) = fields(claim, ["kind", "entry"]), fields(shown, ["index", "path"])
        count = sum(one["count"] for one in head["ranges"])
        check_path("transactions root", entry(own), index, count, path, head["transactions_root"])
        equal("used no id", kind == "id_used" and not (is_applied(own) and "id" in own), False)
    elif kind == "balance":
        _, own, balance, nonce = fields(claim, ["kind", "name", "balance", "nonce"])
        record = b"\1" + i64(balance) + u64(nonce)
        check_way(head, ACCOUNTS, name(own)[4:], record if any(record[1:]) else None, *fields(shown, ["siblings", "other"]))
    elif kind == "validator":
        _, own, record = fields(claim, ["kind", "id", "record"])
        record = None if record is None else validator_record(*fields(record, VALIDATOR))
        check_way(head, VALIDATORS, validator_id(own)[4:], record, *fields(shown, ["siblings", "other"]))
    elif kind == "id_unused":
        check_unused(head, *fields(claim, ["kind", "sender", "id"])[1:], *fields(shown, ["parameters", "lists"]))
    else:
        equal("the claim", (claim, shown), ({"kind": "block"}, None))

def check_block_0(head, start, slashes):
    nothing = {"active_height": 0, "parent": ZEROS, "window": None, "ranges": [], "extensions": []}
    roots = dict.fromkeys(["history", "transactions_root", "operations_root"], merkle_root([]))
    of_genesis = {"time_ms": start["created_ms"], "parameters": domain_hash("cairn/params/1", parameters(start))}
    equal("block 0", (head, slashes), ({**head, **nothing, **roots, **of_genesis}, []))
    Execution().add({"header": head, "genesis": start})

def check_sealed(head, start, slashes, seal):
    equal("genesis", head["genesis"], domain_hash("cairn/genesis/1", genesis(start)))
    versions = [one["version"] for one in start["versions"] if one["from_height"] <= head["height"]]
    equal("version", head["version"], versions[-1])
    members, turns = {one["id"]: dict(one) for one in start["validators"]}, []
    for slash in listed(slashes):
        operation(slash)
        accused, turn = slash["evidence"], members[slash["validator"]]
        signed = accused.get("first", accused.get("header"))["header"]
        equal("slash", (turn["id"], slash["round"]), (signed["author"]["proposer"], signed["author"]["round"]))
        equal("slashed stake", slash["amount"], turn["stake"])
        turns, turn["stake"] = turns + [(signed["height"], slash["round"])], 0
    ascending(turns + [(head["height"], head["author"].get("round", 0))], "slashes, and the block's turn,")
    equal("validators", head["validators"], domain_hash("cairn/vals/1", validator_set(list(members.values()))))
    equal("whether there is no seal", seal is None, head["height"] == 0)
    if seal is None:
        check_block_0(head, start, slashes)
    if seal is not None:
        seal_shape(seal)
        signers, stakes = bytes.fromhex(seal["signers"]), [one["stake"] for one in members.values()]
        signers = int.from_bytes(signers, "little")
        signed = [stake for place, stake in enumerate(stakes) if signers >> place & 1]
        equal("quorum", 3 * sum(signed) > 2 * sum(stakes) and 0 not in signed and signers >> len(stakes) == 0, True)
        equal("whether the proposer is a validator", head["author"]["proposer"] in members, True)

def check(file, note, genesis_hash):
    equal("at most 64 MiB", len(file) <= 64 << 20, True)
    proof = json.loads(file)
    if type(proof["proof"]) is int and proof["proof"] > 1:
        raise Unknown(f"the format {proof['proof']} is a newer program's")
    names = ["proof", "claim", "shown", "header", "history", "sealed"]
    form, claim, shown, head, history, sealed = fields(proof, names)
    refuse_newer(head, (sealed or {}).get("seal"))
    block_hash = domain_hash("cairn/header/1", header(head))
    equal("version and algorithm", (head["version"], head["hash_algorithm"]), (1, 1))
    first = [head["cut"] == "genesis", head["author"]["kind"] == "genesis"]
    equal("cut and author of block 0, and of no other", first, [head["height"] == 0] * 2)
    check_claim(head, claim, shown)
    size, root, path = fields(history, ["size", "root", "path"])
    check_path("history", hash_(block_hash), head["height"], size, path, root)
    if sealed is not None:
        check_sealed(head, *fields(sealed, ["genesis", "slashes", "seal"]))
    equal("format and rendering", (u8(form), (rendering(proof) + "\n").encode()), (u8(1), file))
    equal("genesis", head["genesis"], head["genesis"] if genesis_hash is None else genesis_hash)
    if note is None and sealed is None:
        raise Unknown("without a seal only a checkpoint can vouch for it")
    if note is not None:
        origin, blocks, own_root = note.split("\n")[:3]
        equal("origin", origin, "cairn/" + head["genesis"])
        equal("form of the size", blocks, str(int(blocks)))
        if int(blocks) != size:
            raise Unknown(f"the proof leads to a checkpoint of {size} blocks, this one is of {blocks}")
        equal("root", base64.b64encode(hash_(root)).decode(), own_root)
    aside = "; not checked: the signatures of validators" if note is None and head["height"] else ""
    return f"holds: {json.dumps(claim)} of block {head['height']} ({block_hash}){aside}"

if __name__ == "__main__":
    if "--help" in sys.argv[1:] or "-h" in sys.argv[1:]:
        sys.exit(print(__doc__))
    if len(sys.argv) != 4 or sys.argv[2] not in ("--checkpoint", "--genesis-hash"):
        sys.exit(print(__doc__) or 2)
    try:  # What a file says is told in ASCII: a terminal must not obey it.
        given = [open(sys.argv[3], newline="").read(), None] if sys.argv[2] == "--checkpoint" else [None, sys.argv[3]]
        print(check(open(sys.argv[1], "rb").read(), *given))
    except (Unknown, OSError) as reason:
        sys.exit(print(ascii(str(reason))) or 3)
    except (Breach, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError) as reason:
        sys.exit(print(f"refused: {reason!a}") or 1)
