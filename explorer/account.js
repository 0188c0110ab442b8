// An account: its balance, how it came to be, who may spend from it.

import { get, on } from './api.js';
import { steps } from './chart.js';
import { fact, failed, h, loading, more, replace, table } from './dom.js';
import { account, balance, blockLink, copy, name, number, outcome, reason, signed, time, transactionLink, visible } from './format.js';
import { subjectOfBalance, verifier } from './proving.js';

export const nav = 'accounts';

const SPENDABLE = {
  key: 'The holder of the key in its name',
  validator: 'The validator it is named after',
  anybody: 'Anybody: this chain does not ask for signatures of such accounts',
  nobody: 'No one, under the rules of this chain',
};
const COLUMNS = [
  { title: 'Block', class: 'number' },
  { title: 'Time' },
  { title: 'Record' },
  { title: 'With' },
  { title: 'Amount', class: 'number' },
  { title: 'Outcome' },
  { title: 'Balance after', class: 'number' },
];

export function show(root, { parts: [key], signal, title }) {
  title(`Account ${visible(key)}`);
  loading(root, 'Loading the account', load(root, key, signal));
}

function pathOf(key, cursor) {
  return `/v1/accounts/${encodeURIComponent(key)}?limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`;
}

async function load(root, key, signal) {
  try {
    const found = await get(pathOf(key), signal);
    draw(root, key, found, signal);
  } catch (error) {
    failed(root, error, h('h1', 'Account ', name(key)));
  }
}

// What it did to this account, with a sign.
function change(one, key) {
  if (one.outcome !== 'applied' || one.from === one.to) return 0;
  return one.to === key ? one.amount : -one.amount;
}

function row(one, key) {
  const other = one.from === null ? h('span.quiet', one.kind === 'fee' ? 'fees of the block' : 'reward of the block')
    : one.from === key ? (one.to === key ? 'itself' : ['to ', account(one.to)]) : ['from ', account(one.from)];
  const moved = change(one, key);
  return [
    blockLink(one.height),
    time(one.time_ms),
    one.offset === null ? '–' : transactionLink(one.partition, one.offset),
    other,
    h('span', { class: moved > 0 ? 'in' : moved < 0 ? 'out' : 'quiet', 'data-tip': one.outcome === 'applied' ? null : `${number(one.amount)} asked for` }, one.outcome === 'applied' ? signed(moved) : '0'),
    outcome(one.outcome, one.reason ? reason(one.reason) : null),
    balance(one.balance),
  ];
}

// Pages of transfers that are drawn, at most.
const DRAWN_PAGES = 6;

function plot(found, transfers) {
  const points = [];
  for (const one of [...transfers].reverse()) {
    const last = points[points.length - 1];
    if (last?.height === one.height) last.balance = one.balance;
    else points.push({ height: one.height, balance: one.balance });
  }
  if (points.length === 0) return null;
  if (points[points.length - 1].height < found.height) points.push({ height: found.height, balance: found.balance });
  if (points.length < 2) return null;
  const [first, last] = [points[0], points[points.length - 1]];
  return h('div', h('h2', 'Balance from block to block'),
    steps(points, `Balance from block ${number(first.height)}, ${balance(first.balance)}, to block ${number(last.height)}, ${balance(last.balance)}. The table below has the values.`));
}

// Draws at once what is there, and then once more with what came before.
async function drawPlot(section, found, key, signal) {
  let drawn = found.transfers;
  let width = innerWidth;
  const put = (transfers) => {
    drawn = transfers;
    replace(section, plot(found, transfers));
  };
  put(found.transfers);
  // As wide as it is seen: a telephone is turned.
  addEventListener('resize', () => {
    if (innerWidth === width) return;
    width = innerWidth;
    put(drawn);
  }, { signal });
  let [transfers, next] = [found.transfers, found.next];
  try {
    for (let page = 1; page < DRAWN_PAGES && next !== null; page += 1) {
      const older = await get(pathOf(key, next), signal);
      transfers = [...transfers, ...older.transfers];
      next = older.next;
    }
  } catch {
    // The drawn part is true as far as it goes.
  }
  if (transfers.length > found.transfers.length && !signal.aborted) put(transfers);
}

function draw(root, key, found, signal) {
  const figure = h('span.large.mono', balance(found.balance));
  const atHeight = h('span.note', 'at ', blockLink(found.height, `block ${number(found.height)}`));
  const nonce = h('span', number(found.nonce));
  const news = h('p.said', { role: 'status' });
  // What is shown at the top, by now.
  let shown = found;
  const rows = found.transfers.map((one) => row(one, key));
  const made = table('Transfers', COLUMNS, rows);
  made.classList.add('cards');
  const drawn = h('section', { 'aria-label': 'Balance over time' });
  let cursor = found.next;
  const older = cursor === null ? null : more('Older transfers', async () => {
    const page = await get(pathOf(key, cursor), signal);
    const extra = table('Older transfers', COLUMNS, page.transfers.map((one) => row(one, key)));
    made.tBodies[0].append(...extra.tBodies[0].rows);
    cursor = page.next;
    return cursor;
  });
  replace(root,
    h('div.heading', h('h1', 'Account ', name(key), ' ', copy(key, 'name'))),
    found.is_kept ? null : h('p.empty', 'The chain keeps nothing under this name: its balance is 0, and it has sent nothing with a nonce. Every name is like that before its first payment.'),
    h('dl.facts', fact('Balance', figure, atHeight), fact('Who may spend from it', SPENDABLE[found.spendable_by] ?? found.spendable_by), fact('Next nonce', nonce)),
    news,
    verifier(subjectOfBalance(key, () => ({ height: shown.height, balance: shown.balance, nonce: shown.nonce })), signal),
    drawn,
    h('section', { 'aria-label': 'Transfers' }, h('h2', 'Transfers'),
      rows.length === 0 ? h('p.empty', `None in the blocks from ${number(found.indexed_from_height)} on, in which this server looks them up.`) : [made, older],
      rows.length > 0 && found.next === null && found.indexed_from_height > 0 ? h('p.quiet', `This server looks transfers up in the blocks from ${number(found.indexed_from_height)} on.`) : null));

  drawPlot(drawn, found, key, signal);
  // What comes while somebody reads is told, and nothing moves under the eyes.
  let seen = found.transfers[0] ?? null;
  let isAsking = false;
  on('block', async () => {
    if (isAsking) return;
    isAsking = true;
    try {
      const now = await get(`/v1/accounts/${encodeURIComponent(key)}?limit=1`, signal);
      shown = now;
      figure.textContent = balance(now.balance);
      nonce.textContent = number(now.nonce);
      replace(atHeight, 'at ', blockLink(now.height, `block ${number(now.height)}`));
      const newest = now.transfers[0] ?? null;
      if (newest !== null && (seen === null || newest.height !== seen.height)) {
        replace(news, `The balance moved in block ${number(newest.height)}. `, h('button.more', { type: 'button', onclick: () => load(root, key, signal) }, 'show'));
        seen = { ...newest };
      }
    } catch {
      // The frame tells of the connection.
    }
    isAsking = false;
  }, signal);
}
