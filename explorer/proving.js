// The button that fetches a proof and has it checked here, and what comes of it, step by step.

import { get, getRaw } from './api.js';
import { h, replace, say } from './dom.js';
import { exact, hash, name, number, short } from './format.js';
import { pin, pinHistory, pinned } from './pin.js';

const PAUSE_MS = 1000;
const TRIES_MAX = 60;

const VERDICTS = {
  holds: ['Holds', 'good'],
  open: ['Not wholly checked', 'wait'],
  broken: ['Broken', 'bad'],
  unfit: ['No verdict', 'wait'],
};

const STEPS = { holds: 'holds', open: 'open', broken: 'broken', wait: 'under way' };

// A section with the button. `subject`: { kind, path, expected: () => what the page shows, isOfState }
export function verifier(subject, signal) {
  const result = h('div', { id: 'verify-result', 'data-verdict': '' });
  const button = h('button', { id: 'verify', type: 'button', 'data-verify': subject.kind, 'aria-controls': 'verify-result' }, `Verify this ${subject.kind}`);
  const rest = h('span.note', { id: 'verify-pin' });
  const tell = () => replace(rest, summary());
  tell();
  addEventListener('pinned', tell, { signal });
  const run = async () => {
    button.disabled = true;
    try {
      await verify(subject, result, signal);
    } finally {
      button.disabled = false;
    }
  };
  button.addEventListener('click', run);
  return h('section.panel.verify', { 'aria-label': 'Verification' },
    h('div.heading', h('h2', 'Do not trust this page'), h('span', rest)),
    h('p.quiet', `A proof of this ${subject.kind} is fetched and computed in this browser, down to what you pinned. The server’s word counts for nothing in it.`),
    button, result);
}

// What is pinned, in a few words.
export function summary() {
  const own = pinned();
  if (own === null) return ['Nothing is pinned. ', h('a', { href: '/trust' }, 'Pin something')];
  const what = own.checkpoint === null ? ['Pinned: the genesis hash ', h('span.mono', short(own.genesis))]
    : `Pinned: a checkpoint of ${number(own.checkpoint.size)} blocks${own.source === 'first-use' ? ', trusted on first use' : ''}`;
  return [what, ' \u00b7 ', h('a', { href: '/trust' }, 'change')];
}

// `shown` is what the page showed when somebody asked: it stays that, also where the check is done again for another pin.
async function verify(subject, result, signal, shown = subject.expected()) {
  const again = () => verify(subject, result, signal, shown);
  result.dataset.verdict = '';
  const own = pinned();
  if (own === null) {
    replace(result, firstUse(again));
    return;
  }
  if (globalThis.crypto?.subtle === undefined) {
    verdict(result, 'unfit', 'This browser computes hashes for pages from https and from localhost only: open the page under such an address.');
    return;
  }
  const steps = h('ol.steps-list', { id: 'verify-steps' });
  const progress = h('p.quiet', { id: 'verify-progress' }, 'Fetching the proof…');
  replace(result, progress, steps);
  try {
    // Half of all the page's code: for those who ask for it.
    const { check } = await import('./verify/check.js');
    const asked = await fetchProof(subject, shown, own, signal, (text) => { progress.textContent = text; });
    const found = await check(asked.file, { checkpoint: own.checkpoint, genesis: own.genesis, continued: asked.continued },
      { subtle: crypto.subtle, expected: shown, onStep: (step) => steps.append(drawStep(step)) });
    progress.remove();
    result.prepend(conclusion(result, found, own, subject, again));
  } catch (error) {
    if (error.name === 'AbortError') return;
    progress.remove();
    verdict(result, 'unfit', `The server gave no proof: ${error.message}`);
  }
}

function verdict(result, kind, ...text) {
  const [word, colour] = VERDICTS[kind];
  result.dataset.verdict = kind;
  const line = h('p', { class: `verdict ${colour}`, id: 'verdict' }, h('strong', `${word}.`), ' ', text);
  result.prepend(line);
  say(line.textContent);
  return line;
}

// Nothing is pinned yet.
function firstUse(again) {
  const status = h('p.said', { role: 'status' });
  const button = h('button', { type: 'button', id: 'pin-first-use', onclick: async () => {
    button.disabled = true;
    const isPinned = await pinFirst(status);
    button.disabled = false;
    if (isPinned) again();
  } }, 'Pin what this server shows now');
  return h('div.first-use', { id: 'first-use' },
    h('p', h('strong', 'Nothing is pinned, so there is nothing that a proof could lead to.')),
    h('p', 'Best is a checkpoint from somebody you trust, or your own: ', h('code', 'cairn checkpoint'), ' verifies the chain and writes one. ', h('a', { href: '/trust' }, 'Paste it.')),
    h('p', h('strong', 'Trust on first use'), ' means: this browser takes the history that the server shows at this moment as the true one, unseen. What was false before then, it will never notice. What is altered of it from then on, it will.'),
    button, status);
}

// Pins the server's history of now; true where that was done.
export async function pinFirst(status) {
  try {
    const { text } = await retry(() => getRaw('/v1/checkpoint'), (said) => { status.textContent = said; });
    if (pin(text, 'first-use')) return true;
    status.textContent = 'This browser keeps nothing for this page, so nothing can be pinned.';
  } catch (error) {
    status.textContent = error.message;
  }
  return false;
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
      await new Promise((resolve) => { setTimeout(resolve, PAUSE_MS); });
    }
  }
}

const ENCODER = new TextEncoder();

async function fetchProof(subject, shown, own, signal, tell) {
  if (subject.fetch) return subject.fetch();
  const ask = async (query) => {
    const { text } = await retry(() => getRaw(`${subject.path}?${new URLSearchParams(query)}`, signal), tell, signal);
    return ENCODER.encode(text);
  };
  // The state of the block that the page shows; where that is too far away (422), `instead`.
  const askShown = async (query, instead) => {
    if (!subject.isOfState) return ask(query);
    try {
      return await ask({ ...query, at_height: shown.height });
    } catch (error) {
      if (error.status !== 422) throw error;
      return instead();
    }
  };
  if (own.checkpoint === null) return { file: await askShown({}, () => ask({})), continued: null };
  const { size } = own.checkpoint;
  if (BigInt(shown.height) < size) {
    const file = await askShown({ checkpoint_size: size, without_seal: true }, () => null);
    if (file !== null) return { file, continued: null };
  }
  // Behind the checkpoint: the proof leads to a later history, and that one back to the checkpoint.
  const file = await askShown({}, () => ask({}));
  const later = /,"history":\{"size":([0-9]{1,19}),/.exec(new TextDecoder().decode(file))?.[1] ?? '0';
  const continued = await retry(() => get(`/v1/proofs/consistency/${size}?size=${later}`, signal), tell, signal);
  return { file, continued: { path: continued.path } };
}

// ---- Drawing

function drawStep({ id, title, state, values, why }) {
  const shown = ([label, value]) => h('div', h('dt', label), h('dd', /^[0-9a-f]{64}$/.test(value) ? hash(value) : h('bdi.mono', value)));
  const details = h('details', { open: state !== 'holds' }, h('summary', title, ' ', h('span', { class: `step-state ${state}` }, STEPS[state])),
    why ? h('p.why', why) : null, h('dl.facts.single', values.map(shown)));
  return h('li', { class: `step ${state}`, 'data-step': id, 'data-state': state }, details);
}

function conclusion(result, found, own, subject, again) {
  const about = found.header === null ? '' : claimed(found);
  const basis = own.checkpoint === null ? `the genesis hash ${short(own.genesis)}` : `the checkpoint of ${number(own.checkpoint.size)} blocks, pinned ${exact(own.atMs)}${own.source === 'first-use' ? ' on this server’s word alone (trust on first use)' : ''}`;
  const line = found.verdict === 'holds' ? verdict(result, 'holds', about, ` It rests on ${basis}.`)
    : found.verdict === 'open' ? verdict(result, 'open', 'Nothing is wrong in what was computed: ', about, ' Not checked:')
    : found.verdict === 'broken' ? verdict(result, 'broken', `Step ${found.steps.length}, “${found.steps.at(-1).title}”: ${found.why}. Believe nothing of it.`)
    : verdict(result, 'unfit', `Nothing is known to be wrong, and it could not be led to what you pinned: ${found.why}.`);
  const rest = [];
  if (found.verdict === 'open') {
    rest.push(h('ul.unchecked', { id: 'verify-open' }, found.open.map((one) => h('li', one))));
    if (own.checkpoint === null) rest.push(h('p.quiet', 'BLS signatures are on a curve that no browser has: ', h('code', 'cairn check'), ' checks them. With a checkpoint pinned nothing rests on them.'));
    else if (found.history.size > own.checkpoint.size) rest.push(h('p', h('button', { type: 'button', id: 'pin-advance', onclick: () => advance(found, own, subject, again) }, `Move the pin to ${number(found.history.size)} blocks`), h('span.note', 'That takes this server’s word for the blocks behind it, as trust on first use does.')));
  } else if (found.asides.length > 0) {
    rest.push(h('p.quiet', `Not checked, and nothing rests on it: ${found.asides.join('; ')}.`));
  }
  line.remove();
  return h('div.conclusion', line, rest);
}

function advance(found, own, subject, again) {
  pinHistory(own.genesis, found.history, 'first-use');
  again();
}

function claimed({ claim, header }) {
  const after = `after block ${number(header.get('height'))}`;
  if (claim.kind === 'balance') return [name(claim.name), ` has ${number(claim.balance)} ${after}; its next nonce is ${number(claim.nonce)}.`];
  if (claim.kind === 'validator') return claim.record === null ? `There is no validator ${claim.id} ${after}.` : `The validator ${claim.id} has a stake of ${number(claim.record.get('stake'))} ${after}.`;
  if (claim.kind === 'id_unused') return [`As far back as ids are remembered ${after}, `, name(claim.sender), ' has not used the id ', name(claim.id), '.'];
  if (claim.kind === 'transaction' || claim.kind === 'id_used') return `The record ${claim.entry.get('partition')}:${claim.entry.get('offset')} is in block ${number(header.get('height'))}, and this became of it: ${claim.entry.has('stub') ? 'unreadable' : claim.entry.get('receipt').get('outcome')}.`;
  return `Block ${number(header.get('height'))} is one of the chain.`;
}

// A proof from a file: of whatever it is about.
export async function checkFile(file, result, signal) {
  const subject = { kind: 'file', expected: () => null, fetch: async () => ({ file: new Uint8Array(await file.arrayBuffer()), continued: null }) };
  await verify(subject, result, signal);
}

export function subjectOfBlock(block) {
  const part = (name) => JSON.stringify(block[name]);
  const { height } = block.header;
  const expected = { kind: 'block', height, hash: block.hash, header: part('header'), transactions: part('transactions'), operations: part('operations') };
  return { kind: 'block', path: `/v1/proofs/block/${height}`, expected: () => expected };
}

export function subjectOfTransaction({ entry, height }) {
  const { partition, offset } = entry;
  const expected = { kind: 'transaction', partition, offset, height, entry: JSON.stringify(entry) };
  return { kind: 'transaction', path: `/v1/proofs/transaction/${partition}/${offset}`, expected: () => expected };
}

// `now` is what the page shows by now: { height, balance, nonce }.
export function subjectOfBalance(name, now) {
  return { kind: 'balance', path: `/v1/proofs/balance/${encodeURIComponent(name)}`, isOfState: true, expected: () => ({ kind: 'balance', name, ...now() }) };
}
