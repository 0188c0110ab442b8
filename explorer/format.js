// What numbers, times, hashes and names look like.

import {button, h, mono, say, tip} from './dom.js';

const GROUPED = new Intl.NumberFormat('en-US', {maximumFractionDigits: 0});
const ZONE = new Intl.DateTimeFormat('en-US', {timeZoneName: 'short'});
const LOCAL = new Intl.DateTimeFormat('sv-SE', {dateStyle: 'short', timeStyle: 'medium'});
// Control and direction characters, and those that cannot be seen.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
// Spaces that a page would swallow, and characters that look like a space and are none.
const SPACES = /^ | $| (?= )|[\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800\u3000]/g;

let skewMs = 0;

// The server's clock, by what it said last.
export function setClock(serverMs) {
  skewMs = serverMs - Date.now();
}

export const nowMs = () => Date.now() + skewMs;

// A balance may be below zero.
export const number = value => GROUPED.format(value).replace('-', '\u2212');

export const count = (value, one, many = `${one}s`) => `${number(value)} ${value === 1 ? one : many}`;

export const signed = value => `${value > 0 ? '+' : ''}${number(value)}`;

export const percent = part => `${(part * 100).toFixed(1)} %`;

export function bytes(value) {
  if (value < 1024) return count(value, 'byte');
  const [scaled, unit] = value < 1024 * 1024 ? [value / 1024, 'KiB'] : [value / 1024 / 1024, 'MiB'];
  return `${scaled.toFixed(1).replace('.0', '')} ${unit}`;
}

export function duration(ms) {
  if (ms < 1000) return `${number(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 120) return `${number(seconds)} s`;
  if (seconds < 7200) return `${number(seconds / 60)} min`;
  return seconds < 172800 ? `${number(seconds / 3600)} h` : `${number(seconds / 86400)} days`;
}

export function ago(ms) {
  const passed = nowMs() - ms;
  if (passed < -5000) return `in ${duration(-passed)}`;
  return passed < 1000 ? 'just now' : `${duration(Math.floor(passed / 1000) * 1000)} ago`;
}

// None where a time lies beyond those that a browser knows.
const dateOf = ms => (Math.abs(ms) <= 8.64e15 ? new Date(ms) : null);

// With the zone's name, to the millisecond.
export function exact(ms) {
  const date = dateOf(ms);
  if (date === null) return `${ms} ms since 1970 UTC`;
  const zone = ZONE.formatToParts(date).find(part => part.type === 'timeZoneName')?.value ?? '';
  return `${LOCAL.format(date)}.${String(((ms % 1000) + 1000) % 1000).padStart(3, '0')} ${zone}`;
}

// A time that goes on by itself; the exact one on hover, focus and copy.
export function time(ms, form = 'ago') {
  const datetime = dateOf(ms)?.toISOString();
  if (form === 'exact') return h('time', {datetime}, exact(ms));
  return h('time', {datetime, 'data-ms': ms, ...tip(exact(ms))}, ago(ms));
}

export function tick(root) {
  for (const element of root.querySelectorAll('time[data-ms]')) {
    const text = ago(Number(element.dataset.ms));
    if (element.textContent !== text) element.textContent = text;
  }
}

const escaped = character => `\\u${character.codePointAt(0).toString(16).padStart(4, '0')}`;

export const visible = text => text.replace(UNSEEN, escaped);

export function short(hash, first = 8, last = 6) {
  return hash.length > 20 ? `${hash.slice(0, first)}…${hash.slice(-last)}` : hash;
}

// Text from strangers: isolated, with what cannot be seen shown as escapes.
export function name(text) {
  const shown = visible(text).replace(SPACES, escaped);
  let brief = shown;
  if (/^ed25519:[0-9a-f]{64}$/.test(shown)) brief = `ed25519:${short(shown.slice(8))}`;
  else if (shown.length > 40) brief = short(shown, 30);
  return h('bdi.mono', {title: shown.length > 28 ? shown : null}, brief);
}

// `.` and `..` are steps of an address, however they are encoded: these two accounts are shown in the list.
export function accountPath(text) {
  return /^\.\.?$/.test(text) ? `/accounts?prefix=${text}` : `/account/${encodeURIComponent(text)}`;
}

export const account = text => h('a', {href: accountPath(text)}, name(text));

export const validatorLink = id => h('a', {href: `/validators/${id}`}, id);

export const blockLink = (height, text) => h('a.mono', {href: `/block/${height}`}, text ?? number(height));

export const blockNamed = height => blockLink(height, `block ${number(height)}`);

export function transactionLink(partition, offset) {
  return h('a.mono', {href: `/tx/${partition}:${offset}`}, `${partition}:${offset}`);
}

// A hash that is shortened in the middle, and whole on copy.
export function hash(text, href, isNarrow = false) {
  const shown = mono({title: text}, isNarrow ? short(text, 6, 4) : short(text));
  return h('span.hash', href ? h('a', {href}, shown) : shown, copy(text, 'hash'));
}

export function copy(text, what) {
  const label = `Copy ${what}`;
  const press = async () => {
    // A page that is not from https has no clipboard.
    const isDone = await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    );
    made.dataset.tip = isDone ? 'Copied' : 'Cannot copy';
    made.classList.toggle('done', Boolean(isDone));
    say(isDone ? `${what} copied` : `${what} could not be copied`);
    setTimeout(() => {
      made.dataset.tip = label;
      made.classList.remove('done');
    }, 1500);
  };
  const made = button('.copy', '', press, {'aria-label': label, 'data-tip': label});
  return made;
}

const REASONS = {
  insufficient_funds: 'the sender does not have that much',
  duplicate: 'the sender used this id before, for the same transaction',
  conflict: 'the sender used this id before, for another transaction',
  bad_nonce: 'the nonce is not the sender’s next one',
  bad_signature: 'the signature does not hold',
  signature_required: 'it needs a signature and has none',
  expired: 'it came after its valid_until',
  reserved_name: 'a name of the system is not paid by a transaction',
  unknown_kind: 'a kind that the rules do not know',
  too_large: 'it is too large',
  unknown_asset: 'an asset that the rules do not know',
  balance_overflow: 'the receiver’s balance would pass its bound',
  fee_too_low: 'the agreed fee is below the chain’s',
  replayable: 'it is signed, and anybody could send it again',
  validity_too_long: 'its valid_until lies too far ahead',
  zero_amount: 'the amount is 0',
  unexpected_field: 'a field that such a transaction does not have',
  null_value: 'the record has no value',
  not_utf8: 'it is not UTF-8',
  not_json: 'it is not JSON',
};

// Also of a record that was not rejected, which has none.
export const reason = code => (code ? (REASONS[code] ?? code.replaceAll('_', ' ')) : null);

const OFFENCES = {
  signed_two_blocks: 'it signed two blocks in one turn',
  does_not_follow_from_the_input: 'its block did not hold what the input holds',
  does_not_re_execute: 'executing its block gave something else than it said',
};

export const offence = code => OFFENCES[code] ?? code.replaceAll('_', ' ');

const CUTS = {
  genesis: ['genesis', 'Block 0 holds what the chain starts from.'],
  window: ['window', 'Event time passed the end of the block’s window.'],
  transactions: ['full', 'The block holds as many transactions as it may.'],
  bytes: ['bytes', 'The next transaction would have made it too large.'],
  age: ['age', 'Its first record had waited as long as it may.'],
  end: ['end', 'The run was told to end.'],
};

export const cut = code => CUTS[code]?.[0] ?? code;

export const whyCut = code => CUTS[code]?.[1] ?? '';

// Colour, shape and word.
export const outcome = (code, why, word = code) => h(`span.outcome.${code}`, tip(why), word);

// What a validator did, and what it lost.
export function offenceLine({validator, height, round, offence: what, amount, sealed_ms: sealedMs}) {
  const loss = `, round ${round}: ${offence(what)}; its stake of ${number(amount)} is burnt. `;
  return h('li', outcome('slashed'), ' ', validatorLink(validator), ' in ', blockNamed(height), loss, time(sealedMs));
}
