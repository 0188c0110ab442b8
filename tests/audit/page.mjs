// Runs the explorer's checker over proofs in a directory: node page.mjs DIRECTORY < cases > answers
//
// A case is a line of JSON: { file, checkpoint, genesis, expected, alterations: [[place, removed, bytes in hex]] }. Its
// answer is a list of verdicts, the first that of the file as it is; whole results are answered where a line has "all".

import {readFileSync} from 'node:fs';
import {webcrypto} from 'node:crypto';
import {createInterface} from 'node:readline';
import {check, parseCheckpoint} from './verify/check.js';
import {unhex} from './verify/bytes.js';

async function verdicts({file, checkpoint, genesis, expected, continued, alterations, all}) {
  const original = new Uint8Array(readFileSync(`${process.argv[2]}/${file}`));
  const trusted = {checkpoint: checkpoint && parseCheckpoint(checkpoint), genesis, continued};
  const answer = [];
  for (const [place, removed, bytes] of [[0, 0, ''], ...(alterations ?? [])]) {
    const added = unhex(bytes);
    const altered = new Uint8Array(original.length - removed + added.length);
    altered.set(original.subarray(0, place));
    altered.set(added, place);
    altered.set(original.subarray(place + removed), place + added.length);
    const {verdict, part, why, open, asides, steps} = await check(altered, trusted, {
      subtle: webcrypto.subtle,
      expected,
    });
    answer.push(all ? {verdict, part, why, open, asides, steps: steps.map(({id, state}) => [id, state])} : verdict);
  }
  return answer;
}

for await (const line of createInterface({input: process.stdin})) {
  console.log(JSON.stringify(await verdicts(JSON.parse(line))));
}
