// A block: its facts, who signed it, what is in it.

import { get, getRaw, known, on } from './api.js';
import { sealRing } from './chart.js';
import { explained, h, loading, more, replace, table } from './dom.js';
import { account, balance, blockLink, bytes, copy, count, cut, duration, exact, hash, number, offence, outcome, percent, reason, time, transactionLink, validatorLink, whyCut } from './format.js';
import { subjectOfBlock, verifier } from './proving.js';

const PAGE = 50;
const COLUMNS = [
  { title: 'Place' },
  { title: 'From' },
  { title: 'To' },
  { title: 'Amount', class: 'number' },
  { title: 'Outcome' },
  { title: 'Balances after', class: 'number' },
];

export function show(root, { parts: [key], signal, title }) {
  title(/^\d+$/.test(key) ? `Block ${number(Number(key))}` : 'Block');
  loading(root, 'Loading the block', load(root, key, signal, title));
}

async function load(root, key, signal, title) {
  try {
    const [{ text, headers }, validators] = await Promise.all([
      getRaw(`/v1/blocks/${encodeURIComponent(key)}`, signal),
      get('/v1/validators', signal).catch((error) => {
        if (error.name === 'AbortError') throw error;
        return null;
      }),
    ]);
    const block = JSON.parse(text);
    title(`Block ${number(block.header.height)}`);
    draw(root, { block, text, validators, signal, sealedMs: Number(headers.get('x-cairn-sealed-ms')), offset: Number(headers.get('x-cairn-offset')) });
  } catch (error) {
    if (error.name !== 'AbortError') missing(root, key, error, signal, title);
  }
}

function missing(root, key, error, signal, title) {
  const last = known.status?.last?.height;
  const isAhead = /^\d+$/.test(key) && error.status === 404;
  replace(root, h('h1', isAhead ? `Block ${number(Number(key))} is not there` : 'No such block'), h('p.problem', error.message),
    last === undefined ? null : h('p', 'The last block is ', blockLink(last), '.'));
  // It may come.
  if (isAhead) on('block', (block) => String(block.height) === key && load(root, key, signal, title), signal);
}

// Stake as it was when the block was decided: a validator that was slashed later had its own still.
function committee(validators, height) {
  return (validators?.validators ?? []).map((one) => ({
    ...one,
    stake: one.slashed_at_height !== null && one.slashed_at_height < height ? 0 : one.genesis_stake,
  }));
}

// A set of validators by place: bit place % 8, least significant first, of byte place / 8.
function places(hex) {
  const found = [];
  for (let at = 0; at < hex.length / 2; at += 1) {
    const byte = Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16);
    for (let bit = 0; bit < 8; bit += 1) if (byte & (1 << bit)) found.push(at * 8 + bit);
  }
  return found;
}

function draw(root, { block, text, validators, signal, sealedMs, offset }) {
  const { header } = block;
  const transactions = (block.transactions ?? []);
  const applied = transactions.filter((one) => one.receipt?.outcome === 'applied').length;
  const unreadable = transactions.filter((one) => one.stub).length;
  const rejected = transactions.length - applied - unreadable;
  const all = committee(validators, header.height);
  const first = transactions.map((one) => one.timestamp_ms).reduce((low, one) => Math.min(low, one), Infinity);
  const facts = h('dl.facts',
    explained('Sealed', 'When the log took the block', time(sealedMs, 'exact'), h('span.note', time(sealedMs))),
    explained('Stream time', 'The latest time of a record that was seen at the cut. It is what the rules go by, never the wall clock.', header.height === 0 && header.time_ms === 0 ? 'none yet' : time(header.time_ms, 'exact')),
    explained('Cut', 'Why the block ends where it ends', cut(header.cut), h('span.note', whyCut(header.cut))),
    explained('Records', 'What the block took from the log, in order', `${count(transactions.length, 'record')}: ${number(applied)} applied, ${number(rejected)} rejected, ${number(unreadable)} unreadable`),
    explained('Stretch of the log', 'Offsets of the transactions topic, by partition', header.ranges.length === 0 ? 'none' : header.ranges.map((range) => h('div.mono', `${range.partition}: ${number(range.first)} to ${number(range.last)}`))),
    header.window ? explained('Window', 'The event-time window in which the block’s records lie', `${exact(header.window.start_ms)}, ${duration(header.window.end_ms - header.window.start_ms)}`) : null,
    Number.isFinite(first) && sealedMs ? explained('First record waited', 'From the time of its first record to the block, on the log’s clock', sealedMs >= first ? duration(sealedMs - first) : '–') : null,
    explained('On the topic', 'Where the block stands on the blockchain topic, and how large it is', h('span.mono', `offset ${number(offset)}`), h('span.note', bytes(new Blob([text]).size))),
    explained('Hash', 'SHA-256 of the header; the header commits to everything else', hash(block.hash)),
    explained('Parent', 'The hash of the block before', header.height === 0 ? '–' : hash(header.parent, `/block/${header.height - 1}`)),
    explained('State root', 'The root of the tree over all balances and stakes after the block', hash(header.state_root)),
    explained('Transactions root', 'The Merkle root over the records', hash(header.transactions_root)),
    explained('Operations root', 'The Merkle root over fees, rewards and punishments', hash(header.operations_root)),
    explained('History', 'The Merkle root over the hashes of all blocks before', hash(header.history)));
  replace(root,
    h('div.heading', h('h1', `Block ${number(header.height)}`), h('span.steps-nav',
      header.height > 0 ? h('a', { href: `/block/${header.height - 1}`, rel: 'prev' }, '\u2190 previous', h('span.hidden', ' block')) : null,
      h('a', { href: `/block/${header.height + 1}`, rel: 'next' }, 'next', h('span.hidden', ' block'), ' \u2192'))),
    h('div.columns', h('section.wide-column', { 'aria-label': 'Facts' }, facts), h('aside', seal(block, all))),
    verifier(subjectOfBlock(block), signal),
    operations(block),
    records(transactions, header.height),
    block.genesis ? genesis(block.genesis) : null,
    raw(text));
}

function seal(block, all) {
  const { header } = block;
  if (block.seal === null || block.seal === undefined) {
    return h('section.panel', h('h2', 'Seal'), h('p', 'Block 0 follows from the genesis: no validator proposes or seals it.'));
  }
  const { author } = header;
  if (block.seal.kind === 'work') {
    return h('section.panel', { 'aria-label': 'Seal' }, h('h2', 'Seal'),
      h('p', 'Mined for ', account(author.miner), '.'),
      h('p.quiet', `Proof ${number(block.seal.proof)}, against a difficulty of ${number(author.difficulty)}.`));
  }
  if (block.seal.kind !== 'stake') return h('section.panel', h('h2', 'Seal'), h('p', `A seal of the kind ${block.seal.kind}.`));
  const signers = new Set(places(block.seal.signers).map((place) => all[place]?.id).filter(Boolean));
  const total = all.reduce((sum, one) => sum + one.stake, 0) || 1;
  const list = all.filter((one) => one.stake > 0).map((one) => h('li',
    h('span', { class: `tick ${signers.has(one.id) ? 'yes' : 'no'}`, 'aria-hidden': true }),
    validatorLink(one.id),
    h('span', [one.id === author.proposer ? h('span.tag', 'proposed') : null, signers.has(one.id) ? 'signed' : 'did not sign']),
    h('span.number', percent(one.stake / total))));
  return h('section.panel', { 'aria-label': 'Seal' }, h('h2', 'Seal'),
    all.length === 0 ? h('p.quiet', `${count(places(block.seal.signers).length, 'validator')} signed; this server does not say who.`) : [sealRing(all, signers, author.proposer), h('ul.legend.signers', list)],
    h('p.quiet', author.round === 0 ? `${author.proposer} was drawn by stake and proposed the block.` : `${author.proposer} proposed it in round ${author.round}: ${count(author.round, 'validator')} drawn before it failed.`),
    h('p.quiet', 'Drawn from seed ', hash(author.seed)));
}

const SLASHES = {
  equivocation: () => 'it signed two blocks at this height',
  refusal: (evidence) => offence(evidence.reason),
};

function operations(block) {
  const list = (block.operations ?? []).map((one) => {
    if (one.kind === 'fee' || one.kind === 'miner_fee') return h('li', account(one.account), ` takes the fees of the block, ${number(one.amount)}. Balance: ${balance(one.balance)}.`);
    if (one.kind === 'reward' || one.kind === 'miner_reward') return h('li', account(one.account), ` is rewarded with ${number(one.amount)} new units. Balance: ${balance(one.balance)}.`);
    if (one.kind === 'missed') return h('li', h('span.outcome.waiting', 'silent'), ' ', validatorLink(one.validator), ` was drawn in round ${one.round} and made no proposal.`);
    if (one.kind === 'slash') {
      const { evidence } = one;
      const headers = evidence.kind === 'equivocation' ? [evidence.first, evidence.second] : [evidence.header];
      return h('li', outcome('slashed'), ' ', validatorLink(one.validator), ` loses its whole stake of ${number(one.amount)}: ${(SLASHES[evidence.kind] ?? (() => evidence.kind))(evidence)}.`,
        h('details.evidence', h('summary', 'Evidence'),
          h('p', evidence.kind === 'equivocation' ? 'Two headers for one turn, each with its signature:' : `What it signed; ${count(places(evidence.signers).length, 'validator')} with more than two thirds of the stake, the accused not voting, refuse it:`),
          headers.map((signed) => h('dl.facts.single', Object.entries({ 'State root': signed.header.state_root, 'Transactions root': signed.header.transactions_root, 'Operations root': signed.header.operations_root, Signature: signed.signature }).map(([label, value]) => h('div', h('dt', label), h('dd', hash(value)))))),
          h('p', 'For comparison, the block that was sealed has transactions root ', hash(block.header.transactions_root), ' and state root ', hash(block.header.state_root), '.')));
    }
    return h('li', one.kind);
  });
  return h('section', h('h2', 'Operations'), list.length === 0 ? h('p.quiet', 'None: no fee, no reward, no punishment.') : h('ul.sentences', list));
}

function records(transactions, height) {
  const holder = h('div');
  const status = h('p.quiet', { role: 'status' });
  let shown = PAGE;
  let [text, which] = ['', 'all'];
  const outcomeOf = (one) => (one.stub ? 'unreadable' : one.receipt.outcome);
  const row = (one) => {
    const place = transactionLink(one.partition, one.offset);
    if (one.stub) return [place, '–', '–', '–', outcome('unreadable', reason(one.stub.reason)), '–'];
    const why = one.receipt.reason;
    return [place, account(one.from), account(one.to), number(one.amount), outcome(one.receipt.outcome, why ? reason(why) : null), `${balance(one.receipt.from_balance)} / ${balance(one.receipt.to_balance)}`];
  };
  const draw = () => {
    const wanted = transactions.filter((one) => (which === 'all' || outcomeOf(one) === which) && (text === '' || [one.from, one.to, one.id].some((field) => field?.includes(text))));
    const made = table(`Records of block ${number(height)}`, COLUMNS, wanted.slice(0, shown).map(row));
    made.classList.add('cards');
    status.textContent = wanted.length === transactions.length ? count(wanted.length, 'record') : `${number(wanted.length)} of ${count(transactions.length, 'record')}`;
    const rest = wanted.length > shown ? more(`Show more of ${number(wanted.length)}`, () => { shown += 200; draw(); }) : null;
    replace(holder, wanted.length === 0 ? h('p.empty', transactions.length === 0 ? 'The block holds no records.' : 'No record is like that.') : made, rest);
  };
  const filter = h('div.filter',
    h('label', h('span', 'Account or id'), h('input', { type: 'search', spellcheck: 'false', autocomplete: 'off', oninput: (event) => { text = event.target.value.trim(); shown = PAGE; draw(); } })),
    h('label', h('span', 'Outcome'), h('select', { onchange: (event) => { which = event.target.value; shown = PAGE; draw(); } }, ['all', 'applied', 'rejected', 'unreadable'].map((one) => h('option', { value: one }, one)))));
  draw();
  return h('section', { 'aria-label': 'Records' }, h('div.heading', h('h2', 'Records'), status), transactions.length > 8 ? filter : null, holder);
}

function genesis(found) {
  return h('section', h('h2', 'Genesis'), h('p', `The chain ${found.chain_id} begins with ${count(found.accounts.length, 'account')} and ${count(found.validators.length, 'validator')}.`));
}

function raw(text) {
  const details = h('details.raw', h('summary', 'The record as it stands on the topic'));
  details.addEventListener('toggle', () => {
    if (!details.open || details.querySelector('pre')) return;
    const isLarge = text.length > 200000;
    details.append(h('p', copy(text, 'JSON'), isLarge ? ` The first 200,000 of ${number(text.length)} characters:` : ' One line of JSON:'), h('pre.json', { tabindex: 0 }, text.slice(0, 200000)));
  });
  return details;
}
