// Checks a proof of `cairn prove` after docs/proofs.md: bytes in, a verdict out. Nothing here knows the page or the
// network.
//
//   bytes        hex, text, integers               claim        what is claimed, by the header
//   json         the one rendering, read           sealed       from the header back to the genesis
//   primitives   integers, texts, names            checkpoint   a checkpoint as text
//   encoding     canonical bytes
//   hashing      SHA-256 and the trees
//
// Verdicts:
//   holds     all of it was computed, and leads to what is trusted
//   open      nothing is wrong, and not all that it rests on could be checked: `open` says what
//   broken    `part` and `why`: believe nothing of it
//   unfit     nothing is known to be wrong; it does not lead to what is trusted, or a newer program made it

import {Refused, equal, hex, text} from './bytes.js';
import {entry as entryBytes, header as headerBytes, operation} from './encoding.js';
import {readClaim} from './claim.js';
import {Hashing} from './hashing.js';
import {fields, kindOf, list, read} from './json.js';
import {checkSealed, readSealed} from './sealed.js';
import {hash, u64} from './primitives.js';

export {Refused} from './bytes.js';
export {checkpointText, parseCheckpoint} from './checkpoint.js';

const SIZE_BYTES_MAX = 64 << 20;
// What is read takes many times its bytes here, and a page has only so many.
const SIZE_BYTES_READ_MAX = 16 << 20;

class Unfit extends Error {}

// `file`       a Uint8Array
// `trusted`    { checkpoint: { genesis, size, root } | null, genesis: hex | null, continued: { path: [hash] } | null }
//              `continued` leads from the checkpoint to the history of the proof, where that is a longer one
// `context`    { subtle, expected, onStep }
//              `expected` is what was asked for, and what is shown of it: see `compareShown`
//              `onStep` is given each step when it was taken: { id, title, state, values, why }
export async function check(file, trusted, {subtle, expected = null, onStep = () => {}}) {
  const result = {
    verdict: 'broken',
    part: null,
    why: null,
    open: [],
    asides: [],
    steps: [],
    claim: null,
    header: null,
    hash: null,
    history: null,
    basis: null,
  };
  const run = async (id, title, work) => {
    const step = {id, title, state: 'holds', values: [], why: null};
    try {
      return await work((label, value) => step.values.push([label, String(value)]), step);
    } catch (error) {
      step.state = error instanceof Unfit ? 'open' : 'broken';
      step.why = error.message;
      if (error instanceof Refused) step.values.push(...error.values);
      error.step = step;
      throw error;
    } finally {
      result.steps.push(step);
      onStep(step);
    }
  };
  try {
    await walk(file, trusted, {subtle, hashing: new Hashing(subtle), expected, run, result});
    result.verdict = result.open.length > 0 ? 'open' : 'holds';
  } catch (error) {
    // A fault of a kind that no proof may have is one that it has.
    result.verdict = error instanceof Unfit ? 'unfit' : 'broken';
    result.part = error.step?.id ?? 'form';
    result.why =
      error instanceof Refused || error instanceof Unfit ? error.message : `it cannot be read: ${error.message}`;
  }
  return result;
}

async function walk(file, trusted, context) {
  const {hashing, expected, run, result} = context;
  const proof = await run('form', 'The file is a proof, in its one form', async note => {
    note('Size', `${file.length} bytes`);
    return readProof(file);
  });
  Object.assign(result, {claim: proof.claim, header: proof.header, history: proof.history});
  await run('header', 'The header hashes to the block\u2019s hash', async note => {
    checkHeader(proof.header);
    note('Canonical bytes', `${proof.headerContent.length} of block ${proof.header.get('height')}`);
    result.digest = await hashing.tagged('cairn/header/1', proof.headerContent);
    result.hash = hex(result.digest);
    note('Computed block hash', result.hash);
  });
  await run('genesis', 'It is a block of the chain that you pinned', async note => {
    const own = proof.header.get('genesis');
    note('Genesis of the block', own);
    const pinned = trusted.checkpoint?.genesis ?? trusted.genesis;
    if (pinned === null || pinned === undefined) throw new Unfit('nothing is pinned that it could lead to');
    if (pinned !== own) throw new Refused('genesis', 'it is a block of another chain', [['Pinned', pinned]]);
  });
  if (expected !== null) {
    await run('shown', 'It is about what the page shows', (note, step) =>
      compareShown(context, proof, expected, note, step),
    );
  }
  await run('claim', CLAIMS[proof.claim.kind], note => proof.claim.check(hashing, proof.header, note));
  await run('history', 'The block is one of the history that the proof names', note =>
    checkHistory(hashing, proof, result.digest, note),
  );
  if (proof.sealed !== null) {
    await run('seal', 'The genesis\u2019 validators sealed the block', async (note, step) => {
      await checkSealed(context, proof.sealed, proof.header, result.digest, {note, unchecked: result.asides});
      if (result.asides.length > 0) step.state = 'open';
    });
  }
  if (trusted.checkpoint) {
    return run('checkpoint', 'The history is that of the checkpoint you pinned', (note, step) =>
      lead(context, proof, trusted, note, step),
    );
  }
  return restOnGenesis(proof, result);
}

const CLAIMS = {
  transaction: 'The record is in the block, and this became of it',
  id_used: 'The record is in the block, and used the id',
  id_unused: 'The id is on none of the lists in the state',
  balance: 'The state after the block has this account',
  validator: 'The state after the block has this validator',
  block: 'The header is all that is claimed',
};

// ---- Reading

function readProof(file) {
  if (file.length > SIZE_BYTES_MAX) throw new Refused('form', `it has more than ${SIZE_BYTES_MAX} bytes`);
  if (file.length > SIZE_BYTES_READ_MAX) {
    throw new Unfit(
      `it has more than ${SIZE_BYTES_READ_MAX} bytes, which is more than this page reads: take it to cairn check`,
    );
  }
  const source = text(file);
  if (source === null) throw new Refused('form', 'it is not UTF-8');
  const format = /^\{"proof":([0-9]{1,20})[,}]/.exec(source)?.[1];
  if (format !== undefined && BigInt(format) > 1n) {
    throw new Unfit(`a newer program made the proof: it has the format ${format}, this page knows 1`);
  }
  if (!source.endsWith('\n')) throw new Refused('form', 'it does not end with a line break');
  const [version, claim, shown, header, history, sealed] = fields(read(source.slice(0, -1)), [
    'proof',
    'claim',
    'shown',
    'header',
    'history',
    'sealed',
  ]);
  if (version !== 1n) throw new Refused('form', 'there is no such format of a proof');
  refuseNewer(header, sealed instanceof Map ? sealed.get('seal') : null);
  const [size, root, path] = fields(history, ['size', 'root', 'path']);
  u64(size);
  return {
    headerContent: headerBytes(header),
    header,
    claim: readClaim(claim, shown),
    history: {size, root: hash(root), path: list(path).map(hash)},
    sealed: sealed === null ? null : readSealed(sealed),
  };
}

function refuseNewer(header, seal) {
  const newer = what => {
    throw new Unfit(`a newer program made the block: ${what}`);
  };
  if (!(header instanceof Map)) return;
  const [version, algorithm, extensions] = ['version', 'hash_algorithm', 'extensions'].map(field => header.get(field));
  if (typeof version === 'bigint' && version > 1n) newer(`version ${version}`);
  if (typeof algorithm === 'bigint' && algorithm !== 1n) newer(`hash algorithm ${algorithm}`);
  if (![null, 'genesis', 'stake', 'work'].includes(kindOf(header.get('author')))) newer('an author of another kind');
  if (![null, 'stake', 'work'].includes(kindOf(seal))) newer('a seal of another kind');
  if (Array.isArray(extensions) && extensions.some(one => one instanceof Map && one.get('critical') === true)) {
    newer('a critical extension');
  }
}

function checkHeader(header) {
  const isFirst = header.get('height') === 0n;
  const refuse = why => {
    throw new Refused('header', why);
  };
  if (header.get('version') !== 1n) refuse('versions count from 1');
  if ((header.get('cut') === 'genesis') !== isFirst) {
    refuse(`a cut ${header.get('cut')} at height ${header.get('height')}`);
  }
  if ((kindOf(header.get('author')) === 'genesis') !== isFirst) {
    refuse('block 0 has the genesis as its author, and no other block has');
  }
  const ids = header.get('extensions').map(one => one.get('id'));
  if (ids.some((id, at) => at > 0 && ids[at - 1] >= id)) refuse('extensions are not in ascending order');
}

// ---- What is asked for and shown

// `expected`: { kind, and what names the thing }; with what a page shows of it, in JSON as the server gave it:
//   block         height, header (JSON), hash, transactions and operations (JSON)
//   transaction   partition, offset, entry (JSON)
//   balance       name, height, balance, nonce: what is shown after another block than the proof's is not compared, and
//                 is left open
async function compareShown({hashing, result}, {claim, header, headerContent}, expected, note, step) {
  const other = (why, values) => {
    throw new Refused('shown', why, values);
  };
  if (claim.kind !== expected.kind) other(`it is about ${claim.kind}, not ${expected.kind}`);
  if (expected.kind === 'block') {
    if (header.get('height') !== BigInt(expected.height)) {
      other(`it is about block ${header.get('height')}, not ${expected.height}`);
    }
    if (expected.header === undefined) return;
    if (!equal(headerBytes(read(expected.header)), headerContent)) {
      other('the page shows another header than the proof has', [['Shown', expected.hash]]);
    }
    const roots = [
      ['transactions', entryBytes, 'transactions_root'],
      ['operations', operation, 'operations_root'],
    ];
    for (const [what, encode, field] of roots.filter(([what]) => expected[what] !== undefined)) {
      const computed = hex(await hashing.rootOf(list(read(expected[what])).map(encode)));
      note(`Root over the ${what} on the page`, computed);
      if (computed !== header.get(field)) {
        other(`the page shows other ${what}`, [
          ['Computed from the page', computed],
          ['In the header', header.get(field)],
        ]);
      }
    }
  } else if (expected.kind === 'transaction') {
    const found = [claim.entry.get('partition'), claim.entry.get('offset')];
    if (found[0] !== BigInt(expected.partition) || found[1] !== BigInt(expected.offset)) {
      other(`it is about ${found.join(':')}, not ${expected.partition}:${expected.offset}`);
    }
    note('Record', `${found.join(':')} in block ${header.get('height')}`);
    if (expected.entry !== undefined && !equal(entryBytes(read(expected.entry)), claim.content)) {
      other('the page shows another record than the proof has');
    }
    if (expected.height !== undefined && header.get('height') !== BigInt(expected.height)) {
      other(`it is in block ${header.get('height')}, the page shows ${expected.height}`);
    }
  } else if (expected.kind === 'balance') {
    if (claim.name !== expected.name) other('it is about another account');
    note(
      'Account after the block',
      `balance ${claim.balance}, nonce ${claim.nonce}, after block ${header.get('height')}`,
    );
    if (expected.height !== undefined && header.get('height') !== BigInt(expected.height)) {
      step.state = 'open';
      const height = header.get('height');
      step.why = `the page shows the balance after block ${expected.height}, and the proof is of block ${height}`;
      result.open.push(step.why);
      return;
    }
    const isSame = claim.balance === BigInt(expected.balance ?? 0) && claim.nonce === BigInt(expected.nonce ?? 0);
    if (expected.height !== undefined && !isSame) {
      other('the page shows another balance after this block', [
        ['Shown', `balance ${expected.balance}, nonce ${expected.nonce}`],
      ]);
    }
  }
}

// ---- History, and what it leads to

async function checkHistory(hashing, {header, history}, digest, note) {
  const root = await hashing.climb(await hashing.leaf(digest), header.get('height'), history.size, history.path);
  note('Way up', `${history.path.length} hashes, from block ${header.get('height')} of ${history.size}`);
  if (root === null) {
    throw new Refused('history', `the way up is not that of block ${header.get('height')} of ${history.size}`);
  }
  note('Computed root', hex(root));
  if (!equal(root, history.root)) {
    throw new Refused('history', 'the block is not in the history that the proof names', [
      ['Named by the proof', hex(history.root)],
    ]);
  }
}

async function lead({hashing, result}, {header, history}, {checkpoint, continued}, note, step) {
  const [height, {size, root}] = [header.get('height'), checkpoint];
  note('Pinned', `${size} blocks`);
  note('Root over them', hex(root));
  if (history.size !== size) {
    if (!continued || history.size < size) {
      throw new Unfit(`the proof leads to a history of ${history.size} blocks, the checkpoint is of ${size}`);
    }
    const path = continued.path.map(hash);
    if (!(await hashing.isContinued(path, checkpoint, history))) {
      throw new Refused(
        'checkpoint',
        'the history does not begin with that of the checkpoint: one of the two was forked',
        [['Root of the history', hex(history.root)]],
      );
    }
    note(
      'Goes on',
      `the history of ${history.size} blocks begins with the ${size} that you pinned: ${path.length} hashes show it`,
    );
  } else if (!equal(root, history.root)) {
    throw new Refused(
      'checkpoint',
      'of the same number of blocks the proof has another root: one of the two was forked',
      [['In the proof', hex(history.root)]],
    );
  }
  result.basis = 'checkpoint';
  if (height < size) return;
  step.state = 'open';
  step.why = `block ${height} lies behind the checkpoint, which ends with block ${size - 1n}`;
  const word = 'what came since goes on from it, and is the server\u2019s word';
  result.open.push(`${step.why}: ${word}`, ...result.asides);
}

function restOnGenesis({header, sealed}, result) {
  if (sealed === null) {
    throw new Unfit(
      'the proof has no seal, so the genesis alone cannot show that the block is the chain\u2019s: pin a checkpoint',
    );
  }
  result.basis = 'genesis';
  if (header.get('height') > 0n) result.open.push(...result.asides);
}
