// What somebody pinned: a checkpoint of the chain, or its genesis hash. Kept in this browser, for this server.

import { Refused } from './verify/bytes.js';
import { checkpointText, parseCheckpoint } from './verify/checkpoint.js';

const KEY = 'pin';
const SOURCES = ['given', 'first-use'];

// { text, source, atMs, checkpoint: {genesis, size, root, signers} | null, genesis }; null where nothing is pinned.
export function pinned() {
  try {
    const { text, source, atMs } = JSON.parse(localStorage.getItem(KEY));
    return SOURCES.includes(source) && Number.isFinite(atMs) ? { ...parsePin(text), source, atMs } : null;
  } catch {
    // Nothing is there, or it is no pin.
    return null;
  }
}

// A checkpoint, or a genesis hash of 64 digits, as somebody pastes it. Throws what is wrong with it.
export function parsePin(given) {
  const text = given.replaceAll('\r\n', '\n').trim();
  if (/^[0-9a-fA-F]{64}$/.test(text)) return { text: text.toLowerCase(), checkpoint: null, genesis: text.toLowerCase() };
  if (text === '') throw new Refused('checkpoint', 'paste a checkpoint, or the chain’s genesis hash');
  if (!text.includes('\n')) throw new Refused('checkpoint', 'a genesis hash has 64 hexadecimal digits, a checkpoint three lines');
  const checkpoint = parseCheckpoint(`${text}\n`);
  return { text: `${text}\n`, checkpoint, genesis: checkpoint.genesis };
}

// False where this browser keeps nothing.
export function pin(text, source) {
  try {
    localStorage.setItem(KEY, JSON.stringify({ text: parsePin(text).text, source, atMs: Date.now() }));
    dispatchEvent(new Event('pinned'));
    return true;
  } catch (error) {
    if (error instanceof Refused) throw error;
    return false;
  }
}

export function forget() {
  try {
    localStorage.removeItem(KEY);
  } catch {
    // Nothing is kept where nothing may be.
  }
  dispatchEvent(new Event('pinned'));
}

export function pinHistory(genesis, { size, root }, source) {
  return pin(checkpointText({ genesis, size, root }), source);
}
