// Canonical bytes of what stands in a proof, after sections 1 to 7 of docs/encoding.md. A function takes a value as
// json.js reads it and gives its bytes, or refuses it; it is named after what that page calls the value.

import {concat} from './bytes.js';
import {fields, kindOf} from './json.js';
import {
  NOTHING,
  SOMETHING,
  amount,
  bitmap,
  bool,
  bytes,
  code,
  hash,
  i32,
  i64,
  id,
  items,
  memo,
  name,
  option,
  raw,
  shown,
  sized,
  timestampMs,
  u16,
  u32,
  u64,
  u8,
  validatorId,
  wrong,
} from './primitives.js';

// ---- Entries (sections 3 and 4)

const KINDS = ['transfer', 'stake', 'unstake', 'delegate', 'key', 'parameter', 'pending', 'post', 'void'];
const BODY = [
  ['kind', code(KINDS)],
  ['asset', u32],
  ['from', name],
  ['to', name],
  ['amount', amount],
  ['fee', option(amount)],
  ['id', option(id)],
  ['nonce', option(amount)],
  ['valid_until', option(amount)],
  ['memo', option(memo)],
  ['validator', option(validatorId)],
  ['timeout_ms', option(amount)],
  ['reference', option(hash)],
];
const STUBS = [
  'null_value',
  'too_large',
  'not_utf8',
  'not_json',
  'not_an_object',
  'nested_too_deep',
  'lone_surrogate',
  'duplicate_field',
  'missing_field',
  'wrong_type',
  'amount_not_a_number',
  'amount_negative',
  'amount_not_an_integer',
  'amount_too_large',
  'name_empty',
  'name_too_long',
  'name_control_character',
  'name_bad_key',
  'bad_id',
  'bad_memo',
  'bad_integer',
  'bad_authorization',
  'unknown_version',
  'unknown_kind',
  'bad_asset',
  'name_not_normalized',
  'name_forbidden_character',
  'compressed_frame',
  'bad_validator',
  'bad_reference',
];
const REJECTIONS = [
  'insufficient_funds',
  'duplicate',
  'conflict',
  'bad_nonce',
  'bad_signature',
  'signature_required',
  'expired',
  'reserved_name',
  'unknown_kind',
  'too_large',
  'unknown_asset',
  'balance_overflow',
  'fee_too_low',
  'replayable',
  'validity_too_long',
  'zero_amount',
  'unexpected_field',
];
const ORIGIN = ['partition', 'offset', 'timestamp_ms', 'original'];
const ENTRY = [...ORIGIN, ...BODY.map(([field]) => field), 'public_key', 'signature', 'receipt'];
const OPTIONAL = ENTRY.filter(field => ![...ORIGIN, 'from', 'to', 'amount', 'receipt'].includes(field));
const stubReason = code(STUBS, 1);
const rejection = code(REJECTIONS, 1);

export function entry(value) {
  const isStub = value instanceof Map && value.has('stub');
  const [partition, offset, time, original, ...rest] = fields(
    value,
    isStub ? [...ORIGIN, 'stub'] : ENTRY,
    isStub ? [] : OPTIONAL,
  );
  const origin = concat(i32(partition), i64(offset), timestampMs(time), hash(original));
  if (isStub) {
    const [reason, key] = fields(rest[0], ['reason', 'key']);
    return concat(origin, SOMETHING, stubReason(reason), option(hash)(key));
  }
  if ([...value.values()].includes(null)) wrong('what a transaction has not is left out, not null');
  if (value.get('kind') === KINDS[0] || value.get('asset') === 0n) {
    wrong('the kind transfer and the asset 0 are left out');
  }
  const body = BODY.map(([field, encode]) => encode(value.get(field) ?? {kind: KINDS[0], asset: 0n}[field]));
  const [key, signature] = [value.get('public_key'), value.get('signature')];
  const isSigned = key !== undefined || signature !== undefined;
  const authorization = isSigned ? concat(SOMETHING, raw(32)(key), raw(64)(signature)) : NOTHING;
  return concat(origin, NOTHING, SOMETHING, ...body, authorization, receipt(rest.at(-1)));
}

function receipt(value) {
  const [outcome, reason, from, to] = fields(value, ['outcome', 'reason', 'from_balance', 'to_balance'], ['reason']);
  const isApplied = outcome === 'applied' && reason === undefined;
  if (!isApplied && (outcome !== 'rejected' || reason === undefined)) {
    wrong(`an outcome ${shown(outcome)} with the reason ${shown(reason)}`);
  }
  return concat(SOMETHING, isApplied ? NOTHING : rejection(reason), i64(from), i64(to));
}

export function isApplied(value) {
  return value.get('receipt')?.get('outcome') === 'applied';
}

// ---- Operations (section 5)

const REFUSALS = ['does_not_follow_from_the_input', 'does_not_re_execute'];
export const refusalReason = code(REFUSALS, 1);

export function operation(value) {
  const kind = kindOf(value);
  const payment = first => {
    const isOfValidator = first < 3;
    const names = ['kind', ...(isOfValidator ? ['validator'] : []), 'account', 'amount', 'balance'];
    const [account, units, balance] = fields(value, names).slice(-3);
    return concat(
      new Uint8Array([first]),
      isOfValidator ? validatorId(value.get('validator')) : new Uint8Array(),
      name(account),
      amount(units),
      i64(balance),
    );
  };
  if (kind === 'fee') return payment(1);
  if (kind === 'reward') return payment(2);
  if (kind === 'miner_fee') return payment(10);
  if (kind === 'miner_reward') return payment(11);
  if (kind === 'missed') {
    const [, round, validator] = fields(value, ['kind', 'round', 'validator']);
    return concat(new Uint8Array([3]), u32(round), validatorId(validator));
  }
  if (kind !== 'slash') wrong(`${shown(kind)} is no operation`);
  const [, round, validator, units, proof] = fields(value, ['kind', 'round', 'validator', 'amount', 'evidence']);
  return concat(new Uint8Array([4]), u32(round), validatorId(validator), u64(units), evidence(proof));
}

function evidence(value) {
  if (kindOf(value) === 'equivocation') {
    const [, first, second] = fields(value, ['kind', 'first', 'second']);
    return concat(SOMETHING, signedHeader(first), signedHeader(second));
  }
  if (kindOf(value) !== 'refusal') wrong(`${shown(kindOf(value))} is no evidence`);
  const [, refused, reason, signature, signers] = fields(value, ['kind', 'header', 'reason', 'signature', 'signers']);
  return concat(
    new Uint8Array([2]),
    signedHeader(refused),
    refusalReason(reason),
    raw(48)(signature),
    sized(bitmap(signers)),
  );
}

function signedHeader(value) {
  const [own, signature] = fields(value, ['header', 'signature']);
  return concat(header(own), raw(64)(signature));
}

// ---- Header (section 6)

const HEADER = [
  ['version', u16],
  ['hash_algorithm', u8],
  ['genesis', hash],
  ['height', u64],
  ['active_height', u64],
  ['time_ms', i64],
  ['parent', hash],
  ['history', hash],
  ['window', option(value => concat(...fields(value, ['start_ms', 'end_ms']).map(i64)))],
  ['cut', code(['genesis', 'window', 'transactions', 'bytes', 'age', 'end'])],
  ['ranges', items(range)],
  ['transactions_root', hash],
  ['operations_root', hash],
  ['state_root', hash],
  ['validators', hash],
  ['parameters', hash],
  ['author', author],
  ['extensions', items(extension)],
];

export function header(value) {
  const found = fields(
    value,
    HEADER.map(([field]) => field),
  );
  return concat(...HEADER.map(([, encode], place) => encode(found[place])));
}

function range(value) {
  const [partition, first, last, count] = fields(value, ['partition', 'first', 'last', 'count']);
  return concat(i32(partition), i64(first), i64(last), u64(count));
}

function author(value) {
  const kind = kindOf(value);
  if (kind === 'genesis') {
    fields(value, ['kind']);
    return NOTHING;
  }
  if (kind === 'work') {
    const [, miner, difficulty, last] = fields(value, ['kind', 'miner', 'difficulty', 'last_proof']);
    return concat(new Uint8Array([2]), name(miner), u64(difficulty), u64(last));
  }
  if (kind !== 'stake') wrong(`${shown(kind)} is no author`);
  const [, proposer, round, seed] = fields(value, ['kind', 'proposer', 'round', 'seed']);
  return concat(SOMETHING, validatorId(proposer), u32(round), hash(seed));
}

function extension(value) {
  const [number, critical, content] = fields(value, ['id', 'critical', 'value']);
  return concat(u16(number), bool(critical), bytes(content));
}

// The shape alone: a seal is part of no hash.
export function seal(value) {
  if (kindOf(value) === 'work') return u64(fields(value, ['kind', 'proof'])[1]);
  if (kindOf(value) !== 'stake') wrong(`${shown(kindOf(value))} is no seal`);
  const [, signature, reveal, attestation, signers] = fields(value, [
    'kind',
    'signature',
    'reveal',
    'attestation',
    'signers',
  ]);
  return concat(raw(64)(signature), raw(48)(reveal), raw(48)(attestation), bitmap(signers));
}

// ---- Genesis (section 7)

const GENESIS = [
  'chain_id',
  'created_ms',
  'versions',
  'balances',
  'overdraft_max',
  'signatures',
  'fee',
  'reward',
  'consensus',
  'committee',
  'work',
  'block',
  'ids',
  'accounts',
  'validators',
];

export function parameters(value) {
  const found = fields(value, GENESIS, ['overdraft_max', 'committee', 'work']);
  const given = Object.fromEntries(GENESIS.map((field, place) => [field, found[place]]));
  const [transactions, size, age, window] = fields(given.block, [
    'max_transactions',
    'max_bytes',
    'max_age_ms',
    'window_ms',
  ]);
  const [remembered] = fields(given.ids, ['remember_blocks']);
  const isOpen = given.balances === 'open';
  if (isOpen === (given.overdraft_max === undefined)) wrong('overdraft_max belongs to open balances');
  const scheduled = one => {
    const [version, from] = fields(one, ['version', 'from_height']);
    return concat(u16(version), u64(from));
  };
  return concat(
    items(scheduled)(given.versions),
    u32(transactions),
    u32(size),
    u64(age),
    u64(window),
    code(['strict', 'open'])(given.balances),
    isOpen ? amount(given.overdraft_max) : new Uint8Array(),
    code(['required', 'when_keyed', 'off'])(given.signatures),
    amount(given.fee),
    amount(given.reward),
    u64(remembered),
    consensus(given),
  );
}

function consensus(given) {
  const kind = code(['stake', 'work'], 1)(given.consensus);
  const isWork = given.consensus === 'work';
  if ((given.work === undefined) === isWork || (given.committee === undefined) !== isWork) {
    wrong('a chain of stake has a committee, and one of work has work');
  }
  if (!isWork) return concat(kind, code(['local'])(given.committee));
  const [rule, bits, target] = fields(given.work, ['rule', 'leading_zero_bits', 'target_interval_ms']);
  return concat(kind, code(['header', 'classic'], 1)(rule), u8(bits), u64(target));
}

function validator(value, withPossession) {
  const [own, ed25519, bls, possession, stake] = fields(value, ['id', 'ed25519', 'bls', 'possession', 'stake']);
  const shownToHold = raw(48)(possession);
  return concat(
    validatorId(own),
    raw(32)(ed25519),
    raw(96)(bls),
    withPossession ? shownToHold : new Uint8Array(),
    u64(stake),
  );
}

export const validatorSet = items(value => validator(value, false));

export function genesis(value) {
  const rules = parameters(value);
  const account = one => {
    const [own, balance] = fields(one, ['name', 'balance']);
    return concat(name(own), i64(balance));
  };
  const listed = items(account)(value.get('accounts'));
  return concat(
    validatorId(value.get('chain_id')),
    timestampMs(value.get('created_ms')),
    listed,
    items(one => validator(one, true))(value.get('validators')),
    rules,
  );
}
