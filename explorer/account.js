// An account: its balance, how it came to be, who may spend from it.

import { get, on } from './api.js';
import { steps } from './chart.js';
import { h, replace, table } from './dom.js';
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
  const late = setTimeout(() => replace(root, h('p', { class: 'loading' }, 'Loading the account\u2026')), 300);
  load(root, key, signal).finally(() => clearTimeout(late));
}

async function load(root, key, signal) {
  try {
    const found = await get(`/v1/accounts/${encodeURIComponent(key)}?limit=200`, signal);
    draw(root, key, found, signal);
  } catch (error) {
    if (error.name === 'AbortError') return;
    replace(root, h('h1', null, 'Account ', name(key)), h('p', { class: 'problem' }, error.message));
  }
}

// What it did to this account, with a sign.
function change(one, key) {
  if (one.outcome !== 'applied' || one.from === one.to) return 0;
  return one.to === key ? one.amount : -one.amount;
}

function row(one, key) {
  const other = one.from === null ? h('span', { class: 'quiet' }, one.kind === 'fee' ? 'fees of the block' : 'reward of the block')
    : one.from === key ? (one.to === key ? 'itself' : ['to ', account(one.to)]) : ['from ', account(one.from)];
  const moved = change(one, key);
  return [
    blockLink(one.height),
    time(one.time_ms),
    one.offset === null ? '\u2013' : transactionLink(one.partition, one.offset),
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
  return h('div', null, h('h2', null, 'Balance from block to block'),
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
      const older = await get(`/v1/accounts/${encodeURIComponent(key)}?limit=200&cursor=${encodeURIComponent(next)}`, signal);
      transfers = [...transfers, ...older.transfers];
      next = older.next;
    }
  } catch {
    // The drawn part is true as far as it goes.
  }
  if (transfers.length > found.transfers.length && !signal.aborted) put(transfers);
}

function draw(root, key, found, signal) {
  const fact = (label, ...value) => h('div', null, h('dt', null, label), h('dd', null, value));
  const figure = h('span', { class: 'large mono' }, balance(found.balance));
  const atHeight = h('span', { class: 'note' }, 'at ', blockLink(found.height, `block ${number(found.height)}`));
  const nonce = h('span', null, number(found.nonce));
  const news = h('p', { class: 'said', role: 'status' });
  // What is shown at the top, by now.
  let shown = found;
  const rows = found.transfers.map((one) => row(one, key));
  const made = table('Transfers', COLUMNS, rows);
  made.classList.add('cards');
  const drawn = h('section', { 'aria-label': 'Balance over time' });
  const more = h('p', { class: 'more-line' });
  const next = (cursor) => {
    replace(more, cursor === null ? null : h('button', { type: 'button', class: 'more', onclick: async (event) => {
      event.target.disabled = true;
      try {
        const older = await get(`/v1/accounts/${encodeURIComponent(key)}?limit=200&cursor=${encodeURIComponent(cursor)}`, signal);
        const extra = table('Older transfers', COLUMNS, older.transfers.map((one) => row(one, key)));
        made.tBodies[0].append(...extra.tBodies[0].rows);
        next(older.next);
      } catch (error) {
        if (error.name !== 'AbortError') event.target.textContent = `${error.message} Try again`;
        event.target.disabled = false;
      }
    } }, 'Older transfers'));
  };
  next(found.next);
  replace(root,
    h('div', { class: 'heading' }, h('h1', null, 'Account ', name(key), ' ', copy(key, 'name'))),
    found.is_kept ? null : h('p', { class: 'empty' }, 'The chain keeps nothing under this name: its balance is 0, and it has sent nothing with a nonce. Every name is like that before its first payment.'),
    h('dl', { class: 'facts' }, fact('Balance', figure, atHeight), fact('Who may spend from it', SPENDABLE[found.spendable_by] ?? found.spendable_by), fact('Next nonce', nonce)),
    news,
    verifier(subjectOfBalance(key, () => ({ height: shown.height, balance: shown.balance, nonce: shown.nonce })), signal),
    drawn,
    h('section', { 'aria-label': 'Transfers' }, h('h2', null, 'Transfers'),
      rows.length === 0 ? h('p', { class: 'empty' }, `None in the blocks from ${number(found.indexed_from_height)} on, in which this server looks them up.`) : [made, more],
      rows.length > 0 && found.next === null && found.indexed_from_height > 0 ? h('p', { class: 'quiet' }, `This server looks transfers up in the blocks from ${number(found.indexed_from_height)} on.`) : null));

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
        replace(news, `The balance moved in block ${number(newest.height)}. `, h('button', { type: 'button', class: 'more', onclick: () => load(root, key, signal) }, 'show'));
        seen = { ...newest };
      }
    } catch {
      // The frame tells of the connection.
    }
    isAsking = false;
  }, signal);
}
