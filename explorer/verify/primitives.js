// What canonical bytes are put together of: integers, texts, names, options, lists; docs/encoding.md, section 1.

import {Refused, concat, joined, little, unhex, utf8} from './bytes.js';
import {list} from './json.js';

const INTEGER_MAX = 2n ** 53n - 1n;
export const NOTHING = new Uint8Array([0]);
export const SOMETHING = new Uint8Array([1]);

export function wrong(what) {
  throw new Refused('form', what);
}

function integerOf(size, low, high) {
  return value => {
    if (typeof value !== 'bigint' || value < low || value > high) {
      wrong(`${shown(value)} is not an integer from ${low} to ${high}`);
    }
    return little(value, size);
  };
}

export function shown(value) {
  return typeof value === 'string'
    ? JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}\u2026` : value)
    : value instanceof Map
      ? 'an object'
      : Array.isArray(value)
        ? 'a list'
        : String(value);
}

const unsigned = size => integerOf(size, 0n, 2n ** BigInt(size * 8) - 1n);
const signed = size => integerOf(size, -(2n ** BigInt(size * 8 - 1)), 2n ** BigInt(size * 8 - 1) - 1n);
export const [u8, u16, u32, u64] = [1, 2, 4, 8].map(unsigned);
export const [i32, i64] = [4, 8].map(signed);
export const i128 = signed(16);
export const amount = integerOf(8, 0n, INTEGER_MAX);
export const timestampMs = integerOf(8, -INTEGER_MAX, INTEGER_MAX);

export function bool(value) {
  return typeof value === 'boolean'
    ? new Uint8Array([Number(value)])
    : wrong(`${shown(value)} is neither true nor false`);
}

export function raw(size) {
  return value => {
    const bytes = unhex(value);
    if (bytes?.length !== size) wrong(`${shown(value)} is not ${size * 2} lower-case hex digits`);
    return bytes;
  };
}

export const hash = raw(32);

export function blob(value) {
  return unhex(value) ?? wrong(`${shown(value)} is not bytes in lower-case hex`);
}

export const bytes = value => sized(blob(value));

export function sized(content) {
  return concat(little(BigInt(content.length), 4), content);
}

function textOf(value, low, high) {
  if (typeof value !== 'string') wrong(`${shown(value)} is no text`);
  const content = utf8(value);
  if (content.length < low || content.length > high) {
    wrong(`${shown(value)} has ${content.length} bytes, not ${low} to ${high}`);
  }
  return content;
}

export const option = encode => value =>
  value === null || value === undefined ? NOTHING : concat(SOMETHING, encode(value));
export const items = encode => values => joined([little(BigInt(list(values).length), 4), ...values.map(encode)]);

// A byte that is written as a text: the first of the texts is the byte `first`.
export function code(texts, first = 0) {
  return value => {
    const place = texts.indexOf(value);
    return place >= 0 ? new Uint8Array([place + first]) : wrong(`${shown(value)} is not one of ${texts.join(', ')}`);
  };
}

// Categories that no name has, and characters that are added to them; those that this browser knows to be none for
// ever. What a later Unicode than the browser's assigns is not told apart here: another character in a name is another
// name all the same.
const FORBIDDEN =
  /[\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\p{Noncharacter_Code_Point}]/u;

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

function identity(value) {
  const content = textOf(value, 1, 128);
  if (CONTROL.test(value)) wrong(`${shown(value)} has a control character`);
  if (FORBIDDEN.test(value) || value.normalize('NFC') !== value) {
    wrong(`${shown(value)} has a forbidden character, or is not in form C`);
  }
  return content;
}

// Without its length, as keys of the state have it.
export function bareName(value) {
  const content = identity(value);
  if (value.startsWith('ed25519:') && !/^[0-9a-f]{64}$/.test(value.slice(8))) {
    wrong(`${shown(value)} is no keyed account`);
  }
  return content;
}

export const bareId = identity;

export function bareValidatorId(value) {
  return typeof value === 'string' && /^[a-z0-9._-]{1,64}$/.test(value)
    ? utf8(value)
    : wrong(`${shown(value)} is no validator's id`);
}

export const name = value => sized(bareName(value));
export const id = value => sized(identity(value));
export const memo = value => sized(textOf(value, 0, 256));
export const validatorId = value => sized(bareValidatorId(value));

export function bitmap(value) {
  const content = blob(value);
  if (content.at(-1) === 0) wrong('the last byte of a set of validators is not zero');
  return content;
}
