// The frame: which room is shown, how the chain is, what is looked for, which colours.

import * as about from './about.js';
import * as account from './account.js';
import * as accounts from './accounts.js';
import * as block from './block.js';
import * as now from './now.js';
import * as search from './search.js';
import * as transaction from './transaction.js';
import * as trust from './trust.js';
import * as validators from './validators.js';
import { begin, known, on } from './api.js';
import { h, replace } from './dom.js';
import { copy, count, duration, number, setClock, short, tick } from './format.js';
import { summary } from './proving.js';

const ROOMS = [
  [/^\/$/, now],
  [/^\/block\/([^/]+)$/, block],
  [/^\/tx\/(\d+):(\d+)$/, transaction],
  [/^\/account\/(.+)$/, account],
  [/^\/accounts$/, accounts],
  [/^\/validators(?:\/([^/]+))?$/, validators],
  [/^\/search$/, search],
  [/^\/trust$/, trust],
  [/^\/about$/, about],
];

const main = document.getElementById('main');
let leaving = null;
let shown = null;

function show(isFirst) {
  shown = location.pathname + location.search;
  leaving?.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  const found = ROOMS.map(([pattern, room]) => [pattern.exec(location.pathname), room]).find(([match]) => match);
  const root = h('div.room');
  replace(main, root);
  for (const link of document.querySelectorAll('nav a')) {
    const isHere = found !== undefined && link.dataset.room === (found[1].nav ?? null);
    if (isHere) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const title = (text) => {
    const chain = known.status?.chain_id ?? 'Cairn';
    document.title = `${text} - ${chain}`;
  };
  if (found === undefined) {
    title('Not found');
    replace(root, h('h1', 'There is nothing here'), h('p.empty', `No page has the address ${decode(location.pathname)}.`));
  } else {
    const parts = found[0].slice(1).map((part) => (part === undefined ? undefined : decode(part)));
    found[1].show(root, { parts, query: new URLSearchParams(location.search), signal, title, go });
  }
  if (!isFirst) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// `instead`: in the place of where we are, so that back does not lead there.
function go(path, instead = false) {
  if (instead) history.replaceState(null, '', path);
  else history.pushState(null, '', path);
  show(false);
}

document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href]');
  if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const url = new URL(link.href);
  const isOurs = url.origin === location.origin && ROOMS.some(([pattern]) => pattern.test(url.pathname));
  if (!isOurs || link.target || url.hash) return;
  event.preventDefault();
  if (url.href !== location.href) go(url.pathname + url.search);
});
// A step within the page, as the first link makes one, changes nothing that is shown.
addEventListener('popstate', () => location.pathname + location.search !== shown && show(false));

const box = document.getElementById('q');
document.getElementById('search').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = box.value.trim();
  if (text !== '') go(`/search?q=${encodeURIComponent(text)}`);
});
document.addEventListener('keydown', (event) => {
  const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    box.focus();
    box.select();
  } else if (event.key === 'Escape' && event.target === box) {
    box.blur();
  }
});

// Colours: as the system has them, or as somebody chose.
const themes = ['system', 'light', 'dark'];
const button = document.getElementById('theme');

function stored() {
  try {
    return localStorage.getItem('theme') ?? 'system';
  } catch {
    return 'system';
  }
}

function colour(theme) {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  button.dataset.theme = theme;
  button.dataset.tip = `Colours: ${theme}`;
  button.setAttribute('aria-label', `Colours: ${theme}. Change`);
}

button.addEventListener('click', () => {
  const next = themes[(themes.indexOf(stored()) + 1) % themes.length];
  try {
    localStorage.setItem('theme', next);
  } catch {
    // Nothing is remembered where nothing may be kept.
  }
  colour(next);
});
colour(stored());

// What the page is worth.
function trustLine() {
  replace(document.getElementById('trust-line'), 'This page shows what this server says; each block, transaction and account can be verified here. ', summary());
}
addEventListener('pinned', trustLine);
// Another tab may have pinned something.
addEventListener('storage', (event) => event.key === 'pin' && dispatchEvent(new Event('pinned')));
trustLine();

// How the chain is.
const STATES = {
  sealing: ['good', 'sealing'],
  starting: ['wait', 'starting'],
  restoring: ['wait', 'restoring'],
  standing_by: ['wait', 'standing by'],
  stopping: ['wait', 'stopping'],
  stopped: ['bad', 'stopped'],
  failed: ['bad', 'failed'],
};

function state(status) {
  if (known.isConnected === false) {
    const wait = Math.max(0, Math.ceil((known.retryAtMs - Date.now()) / 1000));
    return ['bad', `offline: reconnecting${wait > 1 ? ` in ${wait} s` : ''}`];
  }
  if (status === null) return ['wait', 'connecting'];
  if (status.state === 'waiting_for_quorum') return ['bad', `waiting for quorum ${number(status.quorum.have)}/${number(status.quorum.need)}`];
  if (status.state === 'rebuilding') {
    const { height, target_height: target } = status.rebuilding;
    return ['wait', `rebuilding ${Math.floor((height / Math.max(1, target)) * 100)} %`];
  }
  const lag = Object.values(status.lag_offsets ?? {}).reduce((sum, one) => sum + one, 0);
  const ageMs = status.last ? status.now_ms - status.last.time_ms : 0;
  if (status.state === 'sealing' && lag > 1000 && ageMs > 10000) return ['wait', `behind by ${duration(Math.floor(ageMs / 1000) * 1000)}, ${count(lag, 'record')}`];
  return STATES[status.state] ?? ['wait', status.state];
}

function frame() {
  const [kind, text] = state(known.status);
  const pill = document.getElementById('state');
  pill.className = `pill ${kind}`;
  const shown = document.getElementById('state-text');
  if (shown.textContent !== text) shown.textContent = text;
  document.body.classList.toggle('stale', known.isConnected === false);
}

let isNamed = false;
on('status', (status) => {
  setClock(status.now_ms);
  frame();
  if (isNamed) return;
  isNamed = true;
  const genesis = h('span.hash', h('span.mono', { title: `genesis ${status.genesis}` }, short(status.genesis)), copy(status.genesis, 'genesis hash'));
  replace(document.getElementById('chain'), h('bdi', status.chain_id), genesis);
  document.title = document.title.replace(/ - Cairn$/, ` - ${status.chain_id}`);
});
on('connection', frame);
setInterval(() => {
  tick(document);
  if (known.isConnected === false) frame();
}, 1000);

show(true);
begin();
