// What this browser keeps for this page; above all what somebody pinned: a checkpoint, or the chain's genesis hash.

import {Refused} from './verify/bytes.js';
import {checkpointText, parseCheckpoint} from './verify/checkpoint.js';

const KEY = 'pin';
const SOURCES = ['given', 'first-use'];

export function stored(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

// False where it is not kept.
export function store(key, value) {
  try {
    localStorage.setItem(key, value);
    return true;
  } catch {
    return false;
  }
}

// { text, source, atMs, checkpoint: {genesis, size, root, signers} | null, genesis }; null where nothing is pinned.
export function pinned() {
  try {
    const {text, source, atMs} = JSON.parse(stored(KEY));
    return SOURCES.includes(source) && Number.isFinite(atMs) ? {...parsePin(text), source, atMs} : null;
  } catch {
    // Nothing is there, or it is no pin.
    return null;
  }
}

// A checkpoint, or a genesis hash of 64 digits, as somebody pastes it. Throws what is wrong with it.
export function parsePin(given) {
  const text = given.replaceAll('\r\n', '\n').trim();
  const refuse = why => {
    throw new Refused('checkpoint', why);
  };
  const genesis = text.toLowerCase();
  if (/^[0-9a-f]{64}$/.test(genesis)) return {text: genesis, checkpoint: null, genesis};
  if (text === '') refuse('paste a checkpoint, or the chain’s genesis hash');
  if (!text.includes('\n')) refuse('a genesis hash has 64 hexadecimal digits, a checkpoint three lines');
  const checkpoint = parseCheckpoint(`${text}\n`);
  return {text: `${text}\n`, checkpoint, genesis: checkpoint.genesis};
}

// False where this browser keeps nothing.
export const pin = (text, source) => keep(JSON.stringify({text: parsePin(text).text, source, atMs: Date.now()}));

export function forget() {
  keep('null');
}

function keep(json) {
  const isKept = store(KEY, json);
  dispatchEvent(new Event('pinned'));
  return isKept;
}

export const pinHistory = (genesis, {size, root}, source) => pin(checkpointText({genesis, size, root}), source);
