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
import {begin, known, on} from './api.js';
import {byId, h, mono, replace} from './dom.js';
import {copy, count, duration, number, setClock, short, tick} from './format.js';
import {summary} from './proving.js';
import {store, stored} from './pin.js';

// An address, the room that it opens, and where that stands in the navigation.
const ROOMS = [
  [/^\/$/, now, '/'],
  [/^\/block\/([^/]+)$/, block],
  [/^\/tx\/(\d+):(\d+)$/, transaction],
  [/^\/account\/(.+)$/, account, '/accounts'],
  [/^\/accounts$/, accounts, '/accounts'],
  [/^\/validators(?:\/([^/]+))?$/, validators, '/validators'],
  [/^\/search$/, search],
  [/^\/trust$/, trust, '/trust'],
  [/^\/about$/, about, '/about'],
];

const main = byId('main');
let leaving = null;
let shown = null;

function show(isFirst) {
  shown = location.pathname + location.search;
  leaving?.abort();
  leaving = new AbortController();
  const {signal} = leaving;
  const found = ROOMS.find(([pattern]) => pattern.test(location.pathname));
  const root = h('div.room');
  replace(main, root);
  for (const link of document.querySelectorAll('nav a')) {
    link.ariaCurrent = link.pathname === found?.[2] ? 'page' : null;
  }
  const title = text => {
    document.title = `${text} - ${known.status?.chain_id ?? 'Cairn'}`;
  };
  if (found === undefined) {
    title('Not found');
    const nothing = `No page has the address ${decode(location.pathname)}.`;
    replace(root, h('h1', 'There is nothing here'), h('p.empty', nothing));
  } else {
    const [pattern, room] = found;
    const parts = pattern
      .exec(location.pathname)
      .slice(1)
      .map(part => part && decode(part));
    room.show(root, {parts, query: new URLSearchParams(location.search), signal, title, go});
  }
  if (!isFirst) {
    scrollTo(0, 0);
    main.focus({preventScroll: true});
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

document.addEventListener('click', event => {
  const link = event.target.closest?.('a[href]');
  const isAltered = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (!link || event.defaultPrevented || event.button !== 0 || isAltered) return;
  const url = new URL(link.href);
  const isOurs = url.origin === location.origin && ROOMS.some(([pattern]) => pattern.test(url.pathname));
  if (!isOurs || link.target || url.hash) return;
  event.preventDefault();
  if (url.href !== location.href) go(url.pathname + url.search);
});
// A step within the page, as the first link makes one, changes nothing that is shown.
addEventListener('popstate', () => location.pathname + location.search !== shown && show(false));

const box = byId('q');
byId('search').addEventListener('submit', event => {
  event.preventDefault();
  const text = box.value.trim();
  if (text !== '') go(`/search?q=${encodeURIComponent(text)}`);
});
document.addEventListener('keydown', event => {
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
const THEMES = ['system', 'light', 'dark'];
const button = byId('theme');

const chosen = () => stored('theme') ?? 'system';

function colour() {
  const theme = chosen();
  document.documentElement.dataset.theme = theme;
  button.dataset.tip = `Colours: ${theme}`;
  button.ariaLabel = `Colours: ${theme}. Change`;
}

button.addEventListener('click', () => {
  store('theme', THEMES[(THEMES.indexOf(chosen()) + 1) % THEMES.length]);
  colour();
});
colour();

// What the page is worth.
function trustLine() {
  const words = 'This page shows what this server says; each block, transaction and account can be verified here. ';
  replace(byId('trust-line'), words, summary());
}
addEventListener('pinned', trustLine);
// Another tab may have pinned something.
addEventListener('storage', event => event.key === 'pin' && dispatchEvent(new Event('pinned')));
trustLine();

// How the chain is.
const KINDS = {sealing: 'good', stopped: 'bad', failed: 'bad'};

function state(status) {
  if (known.isConnected === false) {
    const wait = Math.max(0, Math.ceil((known.retryAtMs - Date.now()) / 1000));
    return ['bad', `offline: reconnecting${wait > 1 ? ` in ${wait} s` : ''}`];
  }
  if (status === null) return ['wait', 'connecting'];
  if (status.state === 'waiting_for_quorum') {
    const {have, need} = status.quorum;
    return ['bad', `waiting for quorum ${number(have)}/${number(need)}`];
  }
  if (status.state === 'rebuilding') {
    const {height, target_height: target} = status.rebuilding;
    return ['wait', `rebuilding ${Math.floor((height / Math.max(1, target)) * 100)} %`];
  }
  const lag = Object.values(status.lag_offsets ?? {}).reduce((sum, one) => sum + one, 0);
  const ageMs = status.last ? status.now_ms - status.last.time_ms : 0;
  if (status.state === 'sealing' && lag > 1000 && ageMs > 10000) {
    return ['wait', `behind by ${duration(Math.floor(ageMs / 1000) * 1000)}, ${count(lag, 'record')}`];
  }
  return [KINDS[status.state] ?? 'wait', status.state.replaceAll('_', ' ')];
}

function frame() {
  const [kind, text] = state(known.status);
  const pill = byId('state');
  pill.className = `pill ${kind}`;
  const shown = byId('state-text');
  if (shown.textContent !== text) shown.textContent = text;
  document.body.classList.toggle('stale', known.isConnected === false);
}

let isNamed = false;
on('status', status => {
  setClock(status.now_ms);
  frame();
  if (isNamed) return;
  isNamed = true;
  const brief = mono({title: `genesis ${status.genesis}`}, short(status.genesis));
  const genesis = h('span.hash', brief, copy(status.genesis, 'genesis hash'));
  replace(byId('chain'), h('bdi', status.chain_id), genesis);
  document.title = document.title.replace(/ - Cairn$/, ` - ${status.chain_id}`);
});
on('connection', frame);
setInterval(() => {
  tick(document);
  if (known.isConnected === false) frame();
}, 1000);

show(true);
begin();
