// The button that fetches a proof and has it checked here, and what comes of it, step by step.

import {get, getRaw} from './api.js';
import {button, fact, h, mono, note, quiet, replace, said, say, writer} from './dom.js';
import {exact, hash, name, number, short} from './format.js';
import {pin, pinHistory, pinned} from './pin.js';

const PAUSE_MS = 1000;
const TRIES_MAX = 60;

const VERDICTS = {
  holds: ['Holds', 'good'],
  open: ['Not wholly checked', 'wait'],
  broken: ['Broken', 'bad'],
  unfit: ['No verdict', 'wait'],
};

const STEPS = {holds: 'holds', open: 'open', broken: 'broken', wait: 'under way'};

export const FIRST_USE =
  'This browser takes the history that the server shows at this moment as the true one, unseen. ' +
  'What was false before then, it will never notice. What is altered of it from then on, it will: ' +
  'a block replaced, a payment taken back, another chain in its place.';

// A section with the button. `subject`: { kind, path, expected: () => what the page shows, isOfState }
export function verifier(subject, signal) {
  const result = h('div', {id: 'verify-result', 'data-verdict': ''});
  const {kind} = subject;
  const line = note();
  const tell = () => replace(line, summary());
  tell();
  addEventListener('pinned', tell, {signal});
  const how =
    `A proof of this ${kind} is fetched and computed in this browser, down to what you pinned. ` +
    'The server’s word counts for nothing in it.';
  return h(
    'section.panel.verify',
    {'aria-label': 'Verification'},
    h('div.heading', h('h2', 'Do not trust this page'), line),
    quiet(how),
    button('', `Verify this ${kind}`, () => verify(subject, result, signal), {id: 'verify'}),
    result,
  );
}

// What is pinned, in a few words.
export function summary() {
  const own = pinned();
  if (own === null) return ['Nothing is pinned. ', h('a', {href: '/trust'}, 'Pin something')];
  const change = [' \u00b7 ', h('a', {href: '/trust'}, 'change')];
  if (own.checkpoint === null) return ['Pinned: the genesis hash ', mono(short(own.genesis)), change];
  const how = own.source === 'first-use' ? ', trusted on first use' : '';
  return [`Pinned: a checkpoint of ${number(own.checkpoint.size)} blocks${how}`, change];
}

// `shown` is what the page showed when somebody asked: it stays that where the check is done again for another pin.
async function verify(subject, result, signal, shown = subject.expected()) {
  const again = () => verify(subject, result, signal, shown);
  result.dataset.verdict = '';
  const own = pinned();
  if (own === null) {
    replace(result, firstUse(again));
    return;
  }
  if (globalThis.crypto?.subtle === undefined) {
    const where = 'This browser computes hashes for pages from https and from localhost only: ';
    verdict(result, 'unfit', `${where}open the page under such an address.`);
    return;
  }
  const steps = h('ol.steps-list', {id: 'verify-steps'});
  const progress = quiet('Fetching the proof…');
  replace(result, progress, steps);
  try {
    // A third of all the code: for those who ask for it.
    const {check} = await import('./verify/check.js');
    const {file, continued} = await fetchProof(subject, shown, own, signal, writer(progress));
    const onStep = step => steps.append(drawStep(step));
    const context = {subtle: crypto.subtle, expected: shown, onStep};
    const found = await check(file, {checkpoint: own.checkpoint, genesis: own.genesis, continued}, context);
    progress.remove();
    verdict(result, found.verdict, words(found, own), rest(found, own, again));
  } catch (error) {
    if (error.name === 'AbortError') return;
    progress.remove();
    verdict(result, 'unfit', `The server gave no proof: ${error.message}`);
  }
}

function verdict(result, kind, text, more) {
  const [word, colour] = VERDICTS[kind];
  result.dataset.verdict = kind;
  const line = h(`p.verdict.${colour}`, {id: 'verdict'}, h('strong', `${word}.`), ' ', text);
  result.prepend(h('div', line, more));
  say(line.textContent);
}

// Nothing is pinned yet.
function firstUse(again) {
  const best = 'Best is a checkpoint from somebody you trust, or your own: ';
  const paste = h('a', {href: '/trust'}, 'Paste it.');
  return h(
    'div.first-use',
    {id: 'first-use'},
    h('p', h('strong', 'Nothing is pinned, so there is nothing that a proof could lead to.')),
    h('p', best, h('code', 'cairn checkpoint'), ' verifies the chain and writes one. ', paste),
    h('p', h('strong', 'Or trust on first use:'), ' ', FIRST_USE),
    pinButton('', again),
  );
}

// Pins the server's history of now, and says so; `then` is called where that was done.
export function pinButton(done, then = () => {}) {
  const status = said();
  const tell = writer(status);
  const press = async () => {
    try {
      const {text} = await retry(() => getRaw('/v1/checkpoint'), tell);
      const isKept = pin(text, 'first-use');
      tell(isKept ? done : 'This browser keeps nothing for this page, so nothing can be pinned.');
      if (isKept) then();
    } catch (error) {
      tell(error.message);
    }
  };
  return [button('', 'Pin what this server shows now', press, {id: 'pin-first-use'}), status];
}

// ---- Fetching

// Asks again while the server says that it will have an answer.
async function retry(ask, tell, signal) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask();
    } catch (error) {
      if (error.status !== 503 || tries === TRIES_MAX || signal?.aborted) throw error;
      tell(error.message);
      await new Promise(resolve => setTimeout(resolve, PAUSE_MS));
    }
  }
}

const ENCODER = new TextEncoder();

async function fetchProof(subject, shown, own, signal, tell) {
  if (subject.fetch) return subject.fetch();
  const ask = async query => {
    const {text} = await retry(() => getRaw(`${subject.path}?${new URLSearchParams(query)}`, signal), tell, signal);
    return ENCODER.encode(text);
  };
  // The state of the block that the page shows; where that is too far away (422), `instead`.
  const askShown = async (query, instead) => {
    if (!subject.isOfState) return ask(query);
    try {
      return await ask({...query, at_height: shown.height});
    } catch (error) {
      if (error.status !== 422) throw error;
      return instead();
    }
  };
  const latest = () => askShown({}, () => ask({}));
  if (own.checkpoint === null) return {file: await latest(), continued: null};
  const {size} = own.checkpoint;
  if (BigInt(shown.height) < size) {
    const file = await askShown({checkpoint_size: size, without_seal: true}, () => null);
    if (file !== null) return {file, continued: null};
  }
  // Behind the checkpoint: the proof leads to a later history, and that one back to the checkpoint.
  const file = await latest();
  const later = /,"history":\{"size":([0-9]{1,19}),/.exec(new TextDecoder().decode(file))?.[1] ?? '0';
  const continued = await retry(() => get(`/v1/proofs/consistency/${size}?size=${later}`, signal), tell, signal);
  return {file, continued: {path: continued.path}};
}

// ---- Drawing

function drawStep({id, title, state, values, why}) {
  const isHash = value => /^[0-9a-f]{64}$/.test(value);
  const shown = ([label, value]) => fact(label, isHash(value) ? hash(value) : h('bdi.mono', value));
  const details = h(
    'details',
    {open: state !== 'holds'},
    h('summary', title, ' ', h(`span.step-state.${state}`, STEPS[state])),
    why ? h('p.why', why) : null,
    h('dl.facts.single', values.map(shown)),
  );
  return h(`li.step.${state}`, {'data-step': id, 'data-state': state}, details);
}

// What has to be said beside the verdict.
function rest(found, own, again) {
  if (found.verdict !== 'open') {
    const asides = found.asides.join('; ');
    return asides ? quiet(`Not checked, and nothing rests on it: ${asides}.`) : null;
  }
  const isBehind = found.history.size > own.checkpoint?.size;
  return [
    h(
      'ul.unchecked',
      found.open.map(one => h('li', one)),
    ),
    own.checkpoint === null ? genesisAlone() : null,
    isBehind ? advance(own.genesis, found.history, again) : null,
  ];
}

export function genesisAlone() {
  const curve = 'The genesis alone asks for the validators’ seals, BLS signatures on a curve that no browser has: ';
  return quiet(curve, h('code', 'cairn check'), ' checks them. With a checkpoint pinned nothing rests on them.');
}

function words(found, own) {
  const about = found.header === null ? '' : claimed(found);
  switch (found.verdict) {
    case 'holds':
      return [about, ` It rests on ${basis(own)}.`];
    case 'open':
      return ['Nothing is wrong in what was computed: ', about, ' Not checked:'];
    case 'broken':
      return `Step ${found.steps.length}, “${found.steps.at(-1).title}”: ${found.why}. Believe nothing of it.`;
    default:
      return `Nothing is known to be wrong, and it could not be led to what you pinned: ${found.why}.`;
  }
}

function basis({checkpoint, genesis, atMs, source}) {
  if (checkpoint === null) return `the genesis hash ${short(genesis)}`;
  const whose = source === 'first-use' ? ' on this server’s word alone (trust on first use)' : '';
  return `the checkpoint of ${number(checkpoint.size)} blocks, pinned ${exact(atMs)}${whose}`;
}

// A button that moves the pin to a later history.
function advance(genesis, history, again) {
  const move = () => {
    pinHistory(genesis, history, 'first-use');
    again();
  };
  const price = 'That takes this server’s word for the blocks behind it, as trust on first use does.';
  return h('p', button('', `Move the pin to ${number(history.size)} blocks`, move), note(price));
}

// What a proof claims, in words.
function claimed({claim, header}) {
  const block = `block ${number(header.get('height'))}`;
  switch (claim.kind) {
    case 'balance': {
      const balance = ` has ${number(claim.balance)} after ${block}; its next nonce is ${number(claim.nonce)}.`;
      return [name(claim.name), balance];
    }
    case 'validator': {
      if (claim.record === null) return `There is no validator ${claim.id} after ${block}.`;
      return `The validator ${claim.id} has a stake of ${number(claim.record.get('stake'))} after ${block}.`;
    }
    case 'id_unused': {
      const since = `As far back as ids are remembered after ${block}, `;
      return [since, name(claim.sender), ' has not used the id ', name(claim.id), '.'];
    }
    case 'transaction':
    case 'id_used': {
      const {entry} = claim;
      const became = entry.has('stub') ? 'unreadable' : entry.get('receipt').get('outcome');
      const place = `${entry.get('partition')}:${entry.get('offset')}`;
      return `The record ${place} is in ${block}, and this became of it: ${became}.`;
    }
    default:
      return `Block ${number(header.get('height'))} is one of the chain.`;
  }
}

// ---- What is proved

// A proof from a file: of whatever it is about.
export async function checkFile(file, result, signal) {
  const fetch = async () => ({file: new Uint8Array(await file.arrayBuffer()), continued: null});
  await verify({kind: 'file', expected: () => null, fetch}, result, signal);
}

export function subjectOfBlock(block) {
  const part = name => JSON.stringify(block[name]);
  const {height} = block.header;
  const parts = {header: part('header'), transactions: part('transactions'), operations: part('operations')};
  const expected = {kind: 'block', height, hash: block.hash, ...parts};
  return {kind: 'block', path: `/v1/proofs/block/${height}`, expected: () => expected};
}

export function subjectOfTransaction({entry, height}) {
  const {partition, offset} = entry;
  const expected = {kind: 'transaction', partition, offset, height, entry: JSON.stringify(entry)};
  return {kind: 'transaction', path: `/v1/proofs/transaction/${partition}/${offset}`, expected: () => expected};
}

// `now` is what the page shows by now: { height, balance, nonce }.
export function subjectOfBalance(name, now) {
  const path = `/v1/proofs/balance/${encodeURIComponent(name)}`;
  return {kind: 'balance', path, isOfState: true, expected: () => ({kind: 'balance', name, ...now()})};
}
