// JSON as docs/encoding.md, section 8, writes it, and no other: without white space, integers as integers, each text
// with its one escape. So what can be read has one rendering, and every byte of it counts. The order of fields is asked
// by `fields`.
//
// An object becomes a Map, an integer a BigInt: numbers of JavaScript are exact up to 2^53 only.

import {Refused} from './bytes.js';

const DEPTH_MAX = 32;
const ESCAPES = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['b', '\b'],
  ['t', '\t'],
  ['n', '\n'],
  ['f', '\f'],
  ['r', '\r'],
]);
const INTEGER = /(?:0|-?[1-9][0-9]{0,39})(?![0-9.eE])/y;
// Up to the next quote, escape or control character.
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const CODED = /u00(?:0[0-7bef]|1[0-9a-f])/y;

// The value of a whole text. Refuses what is not such JSON, with the place.
export function read(source, part = 'form') {
  const cursor = {source, at: 0, part};
  const found = value(cursor, 0);
  if (cursor.at !== source.length) wrong(cursor, 'nothing comes behind its end');
  return found;
}

function wrong({at, part}, what) {
  throw new Refused(part, `character ${at}: ${what}`);
}

function takes(cursor, expected) {
  if (!cursor.source.startsWith(expected, cursor.at)) return false;
  cursor.at += expected.length;
  return true;
}

function matches(cursor, pattern) {
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.source);
  if (found === null) return null;
  cursor.at += found[0].length;
  return found[0];
}

function value(cursor, depth) {
  if (depth > DEPTH_MAX) wrong(cursor, 'it is nested too deep');
  if (takes(cursor, '"')) return string(cursor);
  if (takes(cursor, '{')) return object(cursor, depth);
  if (takes(cursor, '[')) return array(cursor, depth);
  if (takes(cursor, 'null')) return null;
  if (takes(cursor, 'true')) return true;
  if (takes(cursor, 'false')) return false;
  const digits = matches(cursor, INTEGER);
  if (digits === null) wrong(cursor, 'a value as encoding.md writes it comes here');
  return BigInt(digits);
}

function string(cursor) {
  let found = '';
  for (;;) {
    found += matches(cursor, PLAIN);
    if (takes(cursor, '"')) return found;
    if (!takes(cursor, '\\')) wrong(cursor, 'a text ends with a quote and has no control character');
    const next = cursor.source[cursor.at];
    if (ESCAPES.has(next)) {
      found += ESCAPES.get(next);
      cursor.at += 1;
    } else {
      const coded = matches(cursor, CODED);
      if (coded === null) wrong(cursor, 'a character is escaped that is written as it is, or in another way');
      found += String.fromCharCode(Number.parseInt(coded.slice(1), 16));
    }
  }
}

function array(cursor, depth) {
  const found = [];
  if (takes(cursor, ']')) return found;
  do found.push(value(cursor, depth + 1));
  while (takes(cursor, ','));
  if (!takes(cursor, ']')) wrong(cursor, 'a list goes on with a comma, or ends');
  return found;
}

function object(cursor, depth) {
  const found = new Map();
  if (takes(cursor, '}')) return found;
  do {
    if (!takes(cursor, '"')) wrong(cursor, 'the name of a field comes here');
    const name = string(cursor);
    if (found.has(name)) wrong(cursor, `the field ${name} stands twice`);
    if (!takes(cursor, ':')) wrong(cursor, 'a colon comes here');
    found.set(name, value(cursor, depth + 1));
  } while (takes(cursor, ','));
  if (!takes(cursor, '}')) wrong(cursor, 'an object goes on with a comma, or ends');
  return found;
}

// The values of an object's fields, which stand in this order, each once and no other. One that is left out is
// undefined.
export function fields(found, names, optional = []) {
  if (!(found instanceof Map)) {
    throw new Refused('form', `an object with ${names.join(', ')} must stand where there is something else`);
  }
  const present = names.filter(name => found.has(name) || !optional.includes(name));
  const own = [...found.keys()];
  if (own.length !== present.length || own.some((name, at) => name !== present[at])) {
    throw new Refused('form', `the fields are ${own.join(', ') || 'none'}, not ${present.join(', ')}`);
  }
  return names.map(name => found.get(name));
}

export function kindOf(found) {
  const kind = found instanceof Map ? found.get('kind') : null;
  return typeof kind === 'string' ? kind : null;
}

export function list(found) {
  if (!Array.isArray(found)) throw new Refused('form', 'a list must stand where there is something else');
  return found;
}
