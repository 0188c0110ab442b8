// An account: its balance, how it came to be, who may spend from it.

import {get, on, pages} from './api.js';
import {steps} from './chart.js';
import {button, fact, failed, h, loading, note, pagedTable, quiet, replace, said, section, tip} from './dom.js';
import {
  account,
  blockLink,
  blockNamed,
  copy,
  name,
  number,
  outcome,
  reason,
  signed,
  time,
  transactionLink,
  visible,
} from './format.js';
import {subjectOfBalance, verifier} from './proving.js';

const SPENDABLE = {
  key: 'The holder of the key in its name',
  validator: 'The validator it is named after',
  anybody: 'Anybody: this chain does not ask for signatures of such accounts',
  nobody: 'No one, under the rules of this chain',
};
const HEADINGS = ['#Block', 'Time', 'Record', 'With', '#Amount', 'Outcome', '#Balance after'];
const PAGE = 200;
// Pages of transfers that are drawn, at most.
const DRAWN_PAGES = 6;

export function show(root, {parts: [key], signal, title, go}) {
  title(`Account ${visible(key)}`);
  loading(root, load(root, key, signal, go));
}

const pathOf = key => `/v1/accounts/${encodeURIComponent(key)}`;

async function load(root, key, signal, go) {
  try {
    const page = pages(pathOf(key), {limit: PAGE}, signal);
    draw(root, key, await page(), page, signal, go);
  } catch (error) {
    failed(root, error, h('h1', 'Account ', name(key)));
  }
}

function draw(root, key, found, page, signal, go) {
  const figures = {
    // What is shown at the top, by now.
    shown: found,
    balance: h('span.large.mono', number(found.balance)),
    at: note('at ', blockNamed(found.height)),
    nonce: h('span', number(found.nonce)),
  };
  const news = said();
  const plotted = h('section', {'aria-label': 'Balance over time'});
  const nothing =
    'The chain keeps nothing under this name: its balance is 0, and it has sent nothing with a nonce. ' +
    'Every name is like that before its first payment.';
  const now = () => ({height: figures.shown.height, balance: figures.shown.balance, nonce: figures.shown.nonce});
  replace(
    root,
    h('div.heading', h('h1', 'Account ', name(key), ' ', copy(key, 'name'))),
    found.is_kept ? null : h('p.empty', nothing),
    h(
      'dl.facts',
      fact('Balance', figures.balance, figures.at),
      fact('Who may spend from it', SPENDABLE[found.spendable_by] ?? found.spendable_by),
      fact('Next nonce', figures.nonce),
    ),
    news,
    verifier(subjectOfBalance(key, now), signal),
    plotted,
    transfers(key, found, page),
  );
  plot(plotted, key, found, signal);
  follow(figures, news, key, signal, () => go(location.pathname, true));
}

// ---- Transfers

function transfers(key, found, page) {
  const from = number(found.indexed_from_height);
  const rows = ({transfers}) => transfers.map(one => row(one, key));
  if (found.transfers.length === 0) {
    return section('Transfers', h('p.empty', `None in the blocks from ${from} on, where this server looks for them.`));
  }
  const made = pagedTable('Transfers', HEADINGS, rows, {first: found, page, words: 'Older transfers'});
  const isCut = found.next === null && found.indexed_from_height > 0;
  const bound = isCut ? quiet(`This server looks transfers up in the blocks from ${from} on.`) : null;
  return section('Transfers', made, bound);
}

function row(one, key) {
  const isApplied = one.outcome === 'applied';
  const moved = change(one, key);
  const kind = moved > 0 ? 'in' : moved < 0 ? 'out' : 'quiet';
  return [
    blockLink(one.height),
    time(one.time_ms),
    one.offset === null ? '–' : transactionLink(one.partition, one.offset),
    other(one, key),
    h(`span.${kind}`, isApplied ? null : tip(`${number(one.amount)} asked for`), signed(moved)),
    outcome(one.outcome, reason(one.reason)),
    number(one.balance),
  ];
}

// What it did to this account, with a sign.
function change(one, key) {
  if (one.outcome !== 'applied' || one.from === one.to) return 0;
  return one.to === key ? one.amount : -one.amount;
}

function other(one, key) {
  if (one.from === null) return h('span.quiet', one.kind === 'fee' ? 'fees of the block' : 'reward of the block');
  if (one.from !== key) return ['from ', account(one.from)];
  return one.to === key ? 'itself' : ['to ', account(one.to)];
}

// ---- The plot

// Draws at once what is there, and then once more with what came before.
async function plot(place, key, found, signal) {
  let drawn = found.transfers;
  let width = innerWidth;
  const put = list => {
    drawn = list;
    replace(place, curve(found, list));
  };
  put(drawn);
  // As wide as it is seen: a telephone is turned.
  const resized = () => {
    if (innerWidth === width) return;
    width = innerWidth;
    put(drawn);
  };
  addEventListener('resize', resized, {signal});
  let [list, cursor] = [found.transfers, found.next];
  const page = pages(pathOf(key), {limit: PAGE, cursor}, signal);
  try {
    for (let count = 1; count < DRAWN_PAGES && cursor !== null; count += 1) {
      const older = await page();
      list = [...list, ...older.transfers];
      cursor = older.next;
    }
  } catch {
    // The drawn part is true as far as it goes.
  }
  if (list.length > found.transfers.length && !signal.aborted) put(list);
}

function curve(found, list) {
  const points = [];
  for (const one of [...list].reverse()) {
    const last = points.at(-1);
    if (last?.height === one.height) last.balance = one.balance;
    else points.push({height: one.height, balance: one.balance});
  }
  if (points.at(-1)?.height < found.height) points.push({height: found.height, balance: found.balance});
  if (points.length < 2) return null;
  const [first, last] = [points[0], points.at(-1)].map(one => `block ${number(one.height)}, ${number(one.balance)}`);
  const label = `Balance from ${first}, to ${last}. The table below has the values.`;
  return h('div', h('h2', 'Balance from block to block'), steps(points, label));
}

// ---- What comes while somebody reads

// The figures go on; of transfers it is told, and nothing moves under the eyes.
function follow(figures, news, key, signal, reload) {
  let seen = figures.shown.transfers[0]?.height ?? null;
  let isAsking = false;
  const ahead = async () => {
    const now = await get(`${pathOf(key)}?limit=1`, signal);
    figures.shown = now;
    figures.balance.textContent = number(now.balance);
    figures.nonce.textContent = number(now.nonce);
    replace(figures.at, 'at ', blockNamed(now.height));
    const newest = now.transfers[0]?.height ?? null;
    if (newest === null || newest === seen) return;
    seen = newest;
    replace(news, `The balance moved in block ${number(newest)}. `, button('.more', 'show', reload));
  };
  const onBlock = async () => {
    if (isAsking) return;
    isAsking = true;
    // Where it fails, the frame tells of the connection.
    await ahead().catch(() => {});
    isAsking = false;
  };
  on('block', onBlock, signal);
}
