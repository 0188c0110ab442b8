// The way from a header back to the genesis: docs/proofs.md, "The seal"; docs/consensus.md, "Evidence" and "What is
// signed".
//
// BLS signatures are not checked here, since no browser has that curve: they are listed in `unchecked`. Ed25519 is
// checked where the browser has it.

import {Refused, concat, hex, number} from './bytes.js';
import {
  genesis,
  header as headerBytes,
  operation,
  parameters,
  refusalReason,
  seal as sealBytes,
  validatorSet,
} from './encoding.js';
import {tag} from './hashing.js';
import {fields, kindOf, list} from './json.js';
import {bareName, bareValidatorId, i128, i64, raw, u64, bitmap} from './primitives.js';

const [ACCOUNTS, VALIDATORS, CHAIN] = [1, 4, 5];
const INTEGER_MAX = 2n ** 53n - 1n;
const VALIDATORS_MAX = 1024;

function wrong(why, values) {
  throw new Refused('seal', why, values);
}

// Reads the part in full; what it holds is not judged yet.
export function readSealed(sealed) {
  const [start, slashes, seal] = fields(sealed, ['genesis', 'slashes', 'seal']);
  const content = genesis(start);
  list(slashes).forEach(operation);
  if (seal !== null) sealBytes(seal);
  return {genesis: start, content, slashes, seal};
}

// Checks it for a header with this hash. `note` takes what was computed, `unchecked` what was not looked at.
export async function checkSealed({hashing, subtle}, sealed, header, blockHash, {note, unchecked}) {
  const computed = hex(await hashing.tagged('cairn/genesis/1', sealed.content));
  note('Computed genesis hash', computed);
  if (computed !== header.get('genesis')) {
    wrong('the genesis is not the one that the header names', [
      ['Computed', computed],
      ['In the header', header.get('genesis')],
    ]);
  }
  validate(sealed.genesis);
  checkVersion(sealed.genesis, header);
  if (header.get('height') === 0n) {
    if (sealed.seal !== null || sealed.slashes.length > 0) wrong('block 0 has neither a seal nor slashes before it');
    return checkBlock0(hashing, sealed, header);
  }
  if (sealed.seal === null) wrong('every block but block 0 has a seal');
  if (kindOf(sealed.seal) !== 'stake' || kindOf(header.get('author')) !== 'stake') {
    wrong('it is not one of a chain whose validators hold stakes');
  }
  const ed25519 = await signatures(subtle, unchecked);
  const validators = sealed.genesis.get('validators').map(one => new Map(one));
  let turn = [-1n, -1n];
  for (const slash of sealed.slashes) {
    const next = await convict({hashing, ed25519}, slash, header, validators, unchecked);
    if (!isBefore(turn, next)) wrong('the slashes are not in the order of the chain');
    turn = next;
  }
  const set = hex(await hashing.tagged('cairn/vals/1', validatorSet(validators)));
  note('Computed hash of the validators that are left', set);
  if (set !== header.get('validators')) {
    wrong('genesis and slashes leave other validators than the header names', [
      ['Computed', set],
      ['In the header', header.get('validators')],
    ]);
  }
  return checkSeal(ed25519, sealed.seal, header, blockHash, validators, {note, unchecked});
}

// What a chain can start from, as far as it can be told here: its hash is the chain's identity anyhow.
function validate(start) {
  const [accounts, validators, versions] = ['accounts', 'validators', 'versions'].map(field => start.get(field));
  const ascends = (values, isBelow) => values.every((value, at) => at === 0 || isBelow(values[at - 1], value));
  const areOrdered =
    ascends(
      accounts.map(one => bareName(one.get('name'))),
      isLess,
    ) &&
    ascends(
      validators.map(one => bareValidatorId(one.get('id'))),
      isLess,
    );
  const below = (one, other) =>
    one.get('version') < other.get('version') && one.get('from_height') < other.get('from_height');
  if (!areOrdered || versions.length === 0 || versions[0].get('from_height') !== 0n || !ascends(versions, below)) {
    wrong('the genesis is not in its order');
  }
  const stakes = validators.map(one => one.get('stake'));
  const keys = field => new Set(validators.map(one => one.get(field))).size;
  const isStake = start.get('consensus') === 'stake';
  const isSound = isStake
    ? validators.length >= 1 && validators.length <= VALIDATORS_MAX && !stakes.includes(0n)
    : validators.length === 0;
  if (
    !isSound ||
    keys('ed25519') !== validators.length ||
    keys('bls') !== validators.length ||
    sum(stakes) > INTEGER_MAX
  ) {
    wrong('no chain can start from the genesis: its validators are not sound');
  }
}

function isLess(one, other) {
  const at = one.findIndex((byte, place) => byte !== other[place]);
  return at < 0 ? one.length < other.length : at < other.length && one[at] < other[at];
}

function checkVersion(start, header) {
  const due = start
    .get('versions')
    .filter(one => one.get('from_height') <= header.get('height'))
    .at(-1)
    .get('version');
  if (header.get('version') !== due) {
    wrong(`the header has version ${header.get('version')}, the genesis schedules ${due}`);
  }
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0n);
}

// Block 0 follows from its genesis, down to the root of the state.
async function checkBlock0(hashing, {genesis: start, content}, header) {
  const nothing = hex(await hashing.sha256(new Uint8Array()));
  const rules = parameters(start);
  const zeros = '0'.repeat(64);
  const due = {
    active_height: 0n,
    time_ms: start.get('created_ms'),
    parent: zeros,
    history: nothing,
    window: null,
    transactions_root: nothing,
    operations_root: nothing,
    genesis: hex(await hashing.tagged('cairn/genesis/1', content)),
    parameters: hex(await hashing.tagged('cairn/params/1', rules)),
    validators: hex(await hashing.tagged('cairn/vals/1', validatorSet(start.get('validators')))),
    state_root: await rootOfGenesis(hashing, start, rules),
  };
  for (const [field, value] of Object.entries(due)) {
    if (header.get(field) !== value) {
      wrong(`the genesis begins with another block: its ${field} differs`, [
        ['Computed', String(value)],
        ['In the header', String(header.get(field))],
      ]);
    }
  }
  if (header.get('ranges').length > 0 || header.get('extensions').length > 0) {
    wrong('the genesis begins with another block: it takes no records');
  }
}

async function rootOfGenesis(hashing, start, rules) {
  const format = new Uint8Array([1]);
  const one = new TextEncoder();
  const [accounts, validators] = [start.get('accounts'), start.get('validators')];
  const total =
    sum(accounts.map(account => account.get('balance'))) + sum(validators.map(validator => validator.get('stake')));
  const records = [
    ...accounts
      .filter(account => account.get('balance') !== 0n)
      .map(account => [ACCOUNTS, bareName(account.get('name')), concat(format, i64(account.get('balance')), u64(0n))]),
    ...validators.map(validator => [
      VALIDATORS,
      bareValidatorId(validator.get('id')),
      concat(
        format,
        raw(32)(validator.get('ed25519')),
        raw(96)(validator.get('bls')),
        raw(48)(validator.get('possession')),
        u64(validator.get('stake')),
        new Uint8Array([0]),
        u64(0n),
      ),
    ]),
    [CHAIN, one.encode('parameters'), rules],
    [CHAIN, one.encode('supply'), concat(format, i128(total), i128(0n), i128(0n))],
  ];
  const leaves = await Promise.all(
    records.map(async ([table, key, record]) => ({
      path: await hashing.pathOf(table, key),
      value: await hashing.sha256(record),
    })),
  );
  return hex(await hashing.stateRoot(leaves));
}

function isBefore(one, other) {
  return one[0] < other[0] || (one[0] === other[0] && one[1] < other[1]);
}

function turnOf(header) {
  return [header.get('height'), header.get('author').get('round') ?? 0n];
}

// Who is convicted by a slash loses its stake; the turn in which it offended.
async function convict({hashing, ed25519}, slash, header, validators, unchecked) {
  if (kindOf(slash) !== 'slash') wrong('there is an operation that slashes no validator');
  const [, round, id, amount, evidence] = fields(slash, ['kind', 'round', 'validator', 'amount', 'evidence']);
  const isEquivocation = kindOf(evidence) === 'equivocation';
  const signed = isEquivocation ? [evidence.get('first'), evidence.get('second')] : [evidence.get('header')];
  const place = validators.findIndex(one => one.get('id') === id);
  const about = why => wrong(`the slash of ${id}: ${why}`);
  if (place < 0 || validators[place].get('stake') === 0n) {
    about('there is no validator of this id that has a stake to lose');
  }
  const turn = turnOf(signed[0].get('header'));
  const hashes = [];
  for (const one of signed) {
    const own = one.get('header');
    const author = own.get('author');
    if (own.get('genesis') !== header.get('genesis')) about('its evidence is of another chain');
    if (kindOf(author) !== 'stake' || author.get('proposer') !== id) about('its evidence is against another');
    if (turnOf(own).join() !== turn.join()) about('two headers for different turns are no equivocation');
    const digest = await hashing.tagged('cairn/header/1', headerBytes(own));
    hashes.push(digest);
    await ed25519(validators[place].get('ed25519'), one.get('signature'), digest, () =>
      about('a header is not signed by the accused'),
    );
  }
  if (isEquivocation && !isLess(hashes[0], hashes[1])) about('the first header\u2019s hash must be the smaller one');
  if (!isEquivocation) {
    refusalReason(evidence.get('reason'));
    checkQuorum(evidence.get('signers'), validators, place, about);
    unchecked.push(`the aggregate BLS signature of those who refused a block of ${id}`);
  }
  if (turn[1] !== round || !isBefore(turn, turnOf(header))) about('the evidence is of another turn');
  if (validators[place].get('stake') !== amount) about('it takes another amount than the stake');
  validators[place].set('stake', 0n);
  return turn;
}

// Whether the signers have stake, and more than two thirds of all, the accused's left out of both.
function checkQuorum(signers, validators, accused, refuse) {
  const places = bitmap(signers);
  // A number of many bytes would take for ever to make.
  if (places.length > VALIDATORS_MAX / 8) refuse('the signers name a validator that there is not');
  const set = number(places);
  const signing = validators.filter((_, place) => ((set >> BigInt(place)) & 1n) === 1n);
  if (set >> BigInt(validators.length) !== 0n) refuse('the signers name a validator that there is not');
  if (accused !== null && ((set >> BigInt(accused)) & 1n) === 1n) refuse('the accused is among the signers');
  if (signing.some(one => one.get('stake') === 0n)) refuse('a validator signs that has no stake');
  const stakes = of => sum(of.map(one => one.get('stake')));
  const [have, all] = [stakes(signing), stakes(validators.filter((_, place) => place !== accused))];
  if (3n * have <= 2n * all) refuse(`the signers hold a stake of ${have} of ${all}, which is not more than two thirds`);
  return {have, all, ids: signing.map(one => one.get('id'))};
}

async function checkSeal(ed25519, seal, header, blockHash, validators, {note, unchecked}) {
  const proposer = header.get('author').get('proposer');
  const own = validators.find(one => one.get('id') === proposer);
  if (own === undefined) wrong(`the proposer, ${proposer}, is no validator`);
  const {have, all, ids} = checkQuorum(seal.get('signers'), validators, null, wrong);
  note('Stake of the signers', `${have} of ${all}, more than two thirds: ${ids.join(', ')}`);
  const isChecked = await ed25519(own.get('ed25519'), seal.get('signature'), blockHash, () =>
    wrong(`the signature is not that of ${proposer} over this header`),
  );
  if (isChecked) note('Ed25519 signature of the proposer', `holds: ${proposer}, with the key in the genesis`);
  unchecked.push(
    `the aggregate BLS attestation of ${ids.join(', ')}`,
    `the BLS reveal of ${proposer}`,
    'whether the validators hold the BLS keys that the genesis lists',
  );
}

// Checks a proposal's signature; false where this browser has no Ed25519, which is noted.
async function signatures(subtle, unchecked) {
  try {
    await subtle.importKey(
      'raw',
      raw(32)('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'),
      {name: 'Ed25519'},
      false,
      ['verify'],
    );
  } catch {
    unchecked.push('Ed25519 signatures of proposers: this browser does not have them');
    return async () => false;
  }
  return async (key, signature, digest, refuse) => {
    let holds = false;
    try {
      const imported = await subtle.importKey('raw', raw(32)(key), {name: 'Ed25519'}, false, ['verify']);
      holds = await subtle.verify(
        {name: 'Ed25519'},
        imported,
        raw(64)(signature),
        concat(tag('cairn/propose/1'), digest),
      );
    } catch {
      // A key that is no point of the curve has signed nothing.
    }
    if (!holds) refuse();
    return true;
  };
}
