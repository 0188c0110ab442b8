// What is claimed, and whether the header commits to it: docs/proofs.md, "An entry" to "An id that was not used".

import {Refused, big, concat, equal, hex, number} from './bytes.js';
import {entry, isApplied} from './encoding.js';
import {bit} from './hashing.js';
import {fields, kindOf, list} from './json.js';
import {bareId, bareName, bareValidatorId, blob, hash, i64, raw, u64} from './primitives.js';

const [ACCOUNTS, EXPIRIES, VALIDATORS] = [1, 3, 4];
const LAST_CHUNK_SIZE_BYTES_MAX = 523995;
const U64_END = 2n ** 64n;
const VALIDATOR = [
  ['ed25519', raw(32)],
  ['bls', raw(96)],
  ['possession', raw(48)],
  ['stake', u64],
  ['slashed_at_height', slashedAt],
  ['missed', u64],
];

function slashedAt(value) {
  return value === null ? new Uint8Array([0]) : concat(new Uint8Array([1]), u64(value));
}

function wrong(why, values) {
  throw new Refused('claim', why, values);
}

// Reads a claim with what shows it, in full; the answer's `check` computes whether the header commits to it, and calls
// `note` with what it computed on the way.
export function readClaim(claim, shown) {
  const kind = kindOf(claim);
  if (kind === 'transaction' || kind === 'id_used') return ofEntry(kind, claim, shown);
  if (kind === 'balance') return ofBalance(claim, shown);
  if (kind === 'validator') return ofValidator(claim, shown);
  if (kind === 'id_unused') return ofUnusedId(claim, shown);
  if (kind !== 'block') {
    throw new Refused('form', 'the claim is none of transaction, id_used, id_unused, balance, validator, block');
  }
  fields(claim, ['kind']);
  if (shown !== null) throw new Refused('form', 'a block is shown by its header alone');
  return {kind, check: async () => {}};
}

function ofEntry(kind, claim, shown) {
  const [, own] = fields(claim, ['kind', 'entry']);
  const [index, hashes] = fields(shown, ['index', 'path']);
  const content = entry(own);
  u64(index);
  const path = list(hashes).map(hash);
  const check = async (hashing, header, note) => {
    if (kind === 'id_used' && !(isApplied(own) && own.has('id'))) {
      wrong('the entry is no applied transaction with an id: it used none');
    }
    const count = header.get('ranges').reduce((sum, range) => sum + range.get('count'), 0n);
    if (count >= U64_END) wrong('the header has more records than 64 bits count');
    const leaf = await hashing.leaf(content);
    const root = await hashing.climb(leaf, index, count, path);
    note('Leaf of the record', hex(leaf));
    note('Way up', `${path.length} hashes, from place ${index} of ${count}`);
    if (root === null) wrong(`the way up is not that of place ${index} of ${count} records`);
    compare('transactions root', hex(root), header.get('transactions_root'), note);
  };
  return {kind, content, entry: own, check};
}

function compare(what, computed, found, note) {
  note(`Computed ${what}`, computed);
  if (computed !== found) wrong(`the way up leads to another ${what} than the header has`, [['In the header', found]]);
}

function wayOf(shown) {
  const [siblings, other] = fields(shown, ['siblings', 'other']);
  return readWay(siblings, other);
}

function readWay(siblings, other) {
  const way = {siblings: list(siblings).map(hash), other: null};
  if (other !== null) {
    const [path, value] = fields(other, ['path', 'value']).map(hash);
    way.other = {path, value};
  }
  return way;
}

function ofBalance(claim, shown) {
  const [, name, balance, nonce] = fields(claim, ['kind', 'name', 'balance', 'nonce']);
  const [key, content, way] = [bareName(name), concat(i64(balance), u64(nonce)), wayOf(shown)];
  const record = balance === 0n && nonce === 0n ? null : concat(new Uint8Array([1]), content);
  const check = (hashing, header, note) => checkKey(hashing, header, {table: ACCOUNTS, key, record}, way, note);
  return {kind: 'balance', name, balance, nonce, check};
}

function ofValidator(claim, shown) {
  const [, id, own] = fields(claim, ['kind', 'id', 'record']);
  const [key, way] = [bareValidatorId(id), wayOf(shown)];
  const record =
    own === null
      ? null
      : concat(
          new Uint8Array([1]),
          ...fields(
            own,
            VALIDATOR.map(([field]) => field),
          ).map((value, place) => VALIDATOR[place][1](value)),
        );
  const check = (hashing, header, note) => checkKey(hashing, header, {table: VALIDATORS, key, record}, way, note);
  return {kind: 'validator', id, record: own, check};
}

// Whether the state after the block has this record under the key; null: none.
async function checkKey(hashing, header, {table, key, record}, {siblings, other}, note) {
  if (siblings.length > 256) wrong(`the way down has ${siblings.length} steps, a key has 256 bits`);
  if (record !== null && other !== null) wrong('the way ends at another leaf, so there is no such key');
  const path = await hashing.pathOf(table, key);
  let found = new Uint8Array(32);
  note('Path of the key', hex(path));
  if (record !== null) {
    found = await hashing.stateLeaf(path, await hashing.sha256(record));
    note('Record', hex(record).slice(0, 200));
  } else if (other !== null) {
    const isBeside =
      siblings.every((_, depth) => bit(other.path, depth) === bit(path, depth)) && !equal(other.path, path);
    if (!isBeside) wrong('the other leaf does not lie on the way of the key');
    found = await hashing.stateLeaf(other.path, other.value);
  }
  note(record !== null ? 'Leaf' : 'End of the way: no such key', hex(found));
  for (let depth = siblings.length - 1; depth >= 0; depth -= 1) {
    found = await (bit(path, depth)
      ? hashing.stateNode(siblings[depth], found)
      : hashing.stateNode(found, siblings[depth]));
  }
  note('Way up', `${siblings.length} hashes`);
  compare('state root', hex(found), header.get('state_root'), note);
}

// ---- An id that was not used

function ofUnusedId(claim, shown) {
  const [, sender, id] = fields(claim, ['kind', 'sender', 'id']);
  const [given, lists] = fields(shown, ['parameters', 'lists']);
  const [senderKey, idKey, rules] = [bareName(sender), bareId(id), blob(given)];
  const wanted = concat(new Uint8Array([senderKey.length]), senderKey, idKey);
  const chunks = list(lists).map(one =>
    list(one).map(chunk => {
      const [record, siblings, other] = fields(chunk, ['record', 'siblings', 'other']);
      return {record: record === null ? null : blob(record), way: readWay(siblings, other)};
    }),
  );
  const check = (hashing, header, note) => checkUnused(hashing, header, {rules, wanted, lists: chunks}, note);
  return {kind: 'id_unused', sender, id, check};
}

async function checkUnused(hashing, header, {rules, wanted, lists}, note) {
  const computed = hex(await hashing.tagged('cairn/params/1', rules));
  if (computed !== header.get('parameters')) {
    wrong('these are not the chain\u2019s parameters', [
      ['Computed', computed],
      ['In the header', header.get('parameters')],
    ]);
  }
  const remembered = rememberBlocks(rules);
  const last = header.get('active_height');
  const count = last < remembered ? last : remembered;
  if (BigInt(lists.length) !== count) {
    wrong(`it has lists of ${lists.length} active heights, ids are remembered of ${count}`);
  }
  note('Lists of ids', `${lists.length}, of the active heights ${last - count + 1n} to ${last}`);
  const silent = () => {};
  for (const [place, chunks] of lists.entries()) {
    const usedAt = last - count + 1n + BigInt(place);
    const isLast = chunks.map(({record}) => record === null || record.length <= LAST_CHUNK_SIZE_BYTES_MAX);
    if (isLast.indexOf(true) !== chunks.length - 1) {
      wrong(`the list of active height ${usedAt} does not end where it must`);
    }
    if (usedAt + remembered + 1n >= U64_END) wrong(`no list can be of active height ${usedAt}`);
    for (const [at, {record, way}] of chunks.entries()) {
      const key = concat(big(usedAt + remembered + 1n, 8), big(BigInt(at), 4));
      await checkKey(hashing, header, {table: EXPIRIES, key, record}, way, silent);
      if (record !== null && idsOf(record).some(own => equal(own, wanted))) {
        wrong(`the id was used at active height ${usedAt}`);
      }
    }
  }
  note('Computed state root, of each', header.get('state_root'));
}

// For how long ids are remembered, by the chain's parameters as docs/encoding.md, section 7, has them.
function rememberBlocks(rules) {
  let at = 0;
  const take = size => {
    at += size;
    return at > rules.length ? wrong('the parameters are cut off') : number(rules.subarray(at - size, at));
  };
  const code = (first, last) => {
    const found = take(1);
    return found < first || found > last ? wrong('the parameters have a code that there is not') : found;
  };
  const amount = () => take(8) < 2n ** 53n || wrong('the parameters have an amount beyond 2^53 - 1');
  take(Number(take(4)) * 10 + 24);
  if (code(0n, 1n) === 1n) amount();
  code(0n, 2n);
  amount();
  amount();
  const remembered = take(8);
  if (code(1n, 2n) === 1n) code(0n, 0n);
  else {
    code(1n, 2n);
    take(9);
  }
  if (at !== rules.length) wrong('the parameters go on behind their end');
  return remembered;
}

function idsOf(record) {
  const size = at => Number(number(record.subarray(at, at + 4)));
  const keys = [];
  let at = 5;
  for (let left = size(1); left > 0 && at <= record.length; left -= 1) {
    const end = at + 4 + size(at);
    keys.push(record.subarray(at + 4, end));
    at = end + 32;
  }
  if (record[0] !== 1 || at !== record.length) wrong('a list of ids is not one');
  return keys;
}
