// A block: its facts, and the records in it.

import {get, getRaw, known, on} from './api.js';
import {explained, h, loading, mono, more, note, quiet, replace, searchBox, section, table} from './dom.js';
import {
  account,
  blockLink,
  bytes,
  copy,
  count,
  cut,
  duration,
  exact,
  hash,
  number,
  outcome,
  reason,
  time,
  transactionLink,
  whyCut,
} from './format.js';
import {operations} from './operations.js';
import {subjectOfBlock, verifier} from './proving.js';
import {seal} from './seal.js';

const PAGE = 50;
const MORE = 200;
const HEADINGS = ['Place', 'From', 'To', '#Amount', 'Outcome', '#Balances after'];

// What this page shows of the record itself, in characters.
const RAW_MAX = 200000;

export function show(root, {parts: [key], signal, title}) {
  title(/^\d+$/.test(key) ? `Block ${number(Number(key))}` : 'Block');
  loading(root, load(root, key, signal, title));
}

async function load(root, key, signal, title) {
  try {
    const asked = getRaw(`/v1/blocks/${encodeURIComponent(key)}`, signal);
    // Without them, there is a block to show still.
    const validators = get('/v1/validators', signal).catch(() => null);
    const {text, headers} = await asked;
    const block = JSON.parse(text);
    title(`Block ${number(block.header.height)}`);
    const place = {sealedMs: Number(headers.get('x-cairn-sealed-ms')), offset: Number(headers.get('x-cairn-offset'))};
    draw(root, {block, text, validators: await validators, signal, ...place});
  } catch (error) {
    if (error.name !== 'AbortError') missing(root, key, error, signal, title);
  }
}

function missing(root, key, error, signal, title) {
  const last = known.status?.last?.height;
  const isAhead = /^\d+$/.test(key) && error.status === 404;
  replace(
    root,
    h('h1', isAhead ? `Block ${number(Number(key))} is not there` : 'No such block'),
    h('p.problem', error.message),
    last === undefined ? null : h('p', 'The last block is ', blockLink(last), '.'),
  );
  // It may come.
  if (isAhead) on('block', block => String(block.height) === key && load(root, key, signal, title), signal);
}

function draw(root, found) {
  const {block, text, validators, signal} = found;
  const {height} = block.header;
  const transactions = block.transactions ?? [];
  const step = (to, rel, ...words) => h('a', {href: `/block/${to}`, rel}, words);
  const word = () => h('span.hidden', ' block');
  const steps = [
    height > 0 ? step(height - 1, 'prev', '\u2190 previous', word()) : null,
    step(height + 1, 'next', 'next', word(), ' \u2192'),
  ];
  const facts = [...origin(found, transactions), ...commitments(block)];
  replace(
    root,
    h('div.heading', h('h1', `Block ${number(height)}`), h('span.steps-nav', steps)),
    h('div.columns', h('section', {'aria-label': 'Facts'}, h('dl.facts', facts)), h('aside', seal(block, validators))),
    verifier(subjectOfBlock(block), signal),
    operations(block),
    records(transactions, height),
    block.genesis ? genesis(block.genesis) : null,
    raw(text),
  );
}

// ---- Facts

// When and why the block came to be, and of what.
function origin({block, text, sealedMs, offset}, transactions) {
  const {header} = block;
  const applied = transactions.filter(one => one.receipt?.outcome === 'applied').length;
  const unreadable = transactions.filter(one => one.stub).length;
  const rejected = transactions.length - applied - unreadable;
  const all = count(transactions.length, 'record');
  const outcomes = `${all}: ${number(applied)} applied, ${number(rejected)} rejected, ${number(unreadable)} unreadable`;
  const first = transactions.reduce((least, one) => Math.min(least, one.timestamp_ms), Infinity);
  const hasTime = header.height > 0 || header.time_ms !== 0;
  const stretch = range => h('div.mono', `${range.partition}: ${number(range.first)} to ${number(range.last)}`);
  return [
    explained('Sealed', 'When the log took the block', time(sealedMs, 'exact'), note(time(sealedMs))),
    explained(
      'Stream time',
      'The latest time of a record that was seen at the cut. It is what the rules go by, never the wall clock.',
      hasTime ? time(header.time_ms, 'exact') : 'none yet',
    ),
    explained('Cut', 'Why the block ends where it ends', cut(header.cut), note(whyCut(header.cut))),
    explained('Records', 'What the block took from the log, in order', outcomes),
    explained(
      'Stretch of the log',
      'Offsets of the transactions topic, by partition',
      header.ranges.length === 0 ? 'none' : header.ranges.map(stretch),
    ),
    header.window ? eventTime(header.window) : null,
    first < Infinity && sealedMs ? waited(sealedMs - first) : null,
    explained(
      'On the topic',
      'Where the block stands on the blockchain topic, and how large it is',
      mono(`offset ${number(offset)}`),
      note(bytes(new Blob([text]).size)),
    ),
  ];
}

function waited(ms) {
  const why = 'From the time of its first record to the block, on the log’s clock';
  return explained('First record waited', why, ms >= 0 ? duration(ms) : '–');
}

function eventTime({start_ms: start, end_ms: end}) {
  const why = 'The event-time window in which the block’s records lie';
  return explained('Window', why, `${exact(start)}, ${duration(end - start)}`);
}

function commitments({hash: own, header}) {
  const parent = header.height === 0 ? '–' : hash(header.parent, `/block/${header.height - 1}`);
  const root = (label, field, of) => explained(label, `The ${of}`, hash(header[field]));
  return [
    explained('Hash', 'SHA-256 of the header; the header commits to everything else', hash(own)),
    explained('Parent', 'The hash of the block before', parent),
    root('State root', 'state_root', 'root of the tree over all balances and stakes after the block'),
    root('Transactions root', 'transactions_root', 'Merkle root over the records'),
    root('Operations root', 'operations_root', 'Merkle root over fees, rewards and punishments'),
    root('History', 'history', 'Merkle root over the hashes of all blocks before'),
  ];
}

// ---- Records

function records(transactions, height) {
  const holder = h('div');
  const status = quiet({role: 'status'});
  let shown = PAGE;
  const wanted = {text: '', outcome: 'all'};
  const isWanted = one =>
    (wanted.outcome === 'all' || outcomeOf(one) === wanted.outcome) &&
    (wanted.text === '' || [one.from, one.to, one.id].some(field => field?.includes(wanted.text)));
  const draw = () => {
    const found = transactions.filter(isWanted);
    const [all, none] = [count(transactions.length, 'record'), 'No record is like that.'];
    status.textContent = found.length === transactions.length ? all : `${number(found.length)} of ${all}`;
    const made = table(`Records of block ${number(height)}`, HEADINGS, found.slice(0, shown).map(row));
    const next = () => {
      shown += MORE;
      draw();
    };
    replace(
      holder,
      found.length > 0 ? made : h('p.empty', transactions.length === 0 ? 'The block holds no records.' : none),
      found.length > shown ? more(`Show more of ${number(found.length)}`, next) : null,
    );
  };
  const want = what => event => {
    wanted[what] = event.target.value.trim();
    shown = PAGE;
    draw();
  };
  draw();
  const heading = h('div.heading', h('h2', 'Records'), status);
  return h('section', {'aria-label': 'Records'}, heading, transactions.length > 8 ? filter(want) : null, holder);
}

function filter(want) {
  const outcomes = ['all', 'applied', 'rejected', 'unreadable'].map(value => h('option', {value}, value));
  return h(
    'div.filter',
    h('label', h('span', 'Account or id'), searchBox({oninput: want('text')})),
    h('label', h('span', 'Outcome'), h('select', {onchange: want('outcome')}, outcomes)),
  );
}

const outcomeOf = one => (one.stub ? 'unreadable' : one.receipt.outcome);

function row(one) {
  const place = transactionLink(one.partition, one.offset);
  if (one.stub) return [place, '–', '–', '–', outcome('unreadable', reason(one.stub.reason)), '–'];
  const {receipt} = one;
  const balances = `${number(receipt.from_balance)} / ${number(receipt.to_balance)}`;
  const became = outcome(receipt.outcome, reason(receipt.reason));
  return [place, account(one.from), account(one.to), number(one.amount), became, balances];
}

// ---- The rest

function genesis(found) {
  const [accounts, validators] = [count(found.accounts.length, 'account'), count(found.validators.length, 'validator')];
  return section('Genesis', h('p', `The chain ${found.chain_id} begins with ${accounts} and ${validators}.`));
}

function raw(text) {
  const details = h('details.raw', h('summary', 'The record as it stands on the topic'));
  const open = () => {
    if (!details.open || details.querySelector('pre')) return;
    const length = number(text.length);
    const what = text.length > RAW_MAX ? `The first ${number(RAW_MAX)} of ${length} characters:` : 'One line of JSON:';
    details.append(h('p', copy(text, 'JSON'), ` ${what}`), h('pre.json', {tabindex: 0}, text.slice(0, RAW_MAX)));
  };
  details.addEventListener('toggle', open);
  return details;
}
