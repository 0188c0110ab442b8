// A checkpoint as text: docs/checkpoints.md, "Byte by byte". Signatures under it are counted, and not verified here.

import {Refused, base64, unbase64, utf8} from './bytes.js';

const SIZE_MAX = 2n ** 63n - 1n;

function wrong(why) {
  throw new Refused('checkpoint', why);
}

// { origin, size, root, genesis (hex), signers: [name] } of a note.
export function parseCheckpoint(note) {
  if (utf8(note).length > 1 << 20) wrong('it has more than 1 MiB');
  if (/[\u0000-\u0009\u000b-\u001f]/.test(note)) wrong('it has a control character other than a newline');
  const end = note.lastIndexOf('\n\n');
  const [body, below] = end < 0 ? [note, null] : [note.slice(0, end + 1), note.slice(end + 2)];
  if (!body.endsWith('\n')) wrong('its last line is cut off');
  const lines = body.slice(0, -1).split('\n');
  if (lines.length < 3) wrong('it has fewer than three lines: origin, size and root');
  if (lines.includes('')) wrong('its text has an empty line');
  const [origin, size, root] = lines;
  if (!/^(?:0|[1-9][0-9]*)$/.test(size) || BigInt(size) > SIZE_MAX) wrong('line 2 is not the number of blocks');
  const bytes = unbase64(root);
  if (bytes?.length !== 32) wrong('line 3 is not the base64 of a root');
  const genesis = /^cairn\/([0-9a-f]{64})$/.exec(origin)?.[1];
  if (genesis === undefined) wrong('line 1 does not name a chain of Cairn: it is cairn/ and a genesis hash');
  if (size === '0') wrong('a checkpoint of no blocks covers nothing');
  return {origin, size: BigInt(size), root: bytes, genesis, signers: below === null ? [] : signers(below)};
}

function signers(below) {
  if (!below.endsWith('\n')) wrong('its signatures are missing or cut off');
  const lines = below.slice(0, -1).split('\n');
  if (lines.length > 100) wrong('it has more than 100 signatures');
  return lines.map((line, place) => {
    const parts = /^\u2014 ([^\s+]+) (\S+)$/.exec(line);
    if (parts === null || (unbase64(parts[2])?.length ?? 0) < 5) {
      wrong(`line ${place + 1} below the empty one is no signature`);
    }
    return parts[1];
  });
}

// The three lines of a checkpoint.
export function checkpointText({genesis, size, root}) {
  return `cairn/${genesis}\n${size}\n${base64(root)}\n`;
}
